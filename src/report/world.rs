//! What a template can reach while it is typeset: itself, `data.json` and the bundled fonts.
//!
//! No file system, no network, no packages, no clock.

use std::sync::OnceLock;

use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, PathError, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

/// What stays the same between reports: template, library and fonts.
pub(super) struct Workshop {
    template: Source,
    data: FileId,
    /// Had on the first report: most processes that start never print one.
    tools: OnceLock<Tools>,
}

struct Tools {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
}

impl Tools {
    fn load() -> Self {
        let fonts: Vec<Font> = typst_assets::fonts().flat_map(|data| Font::iter(Bytes::new(data))).collect();
        let book = LazyHash::new(FontBook::from_fonts(&fonts));
        Self { library: LazyHash::new(Library::default()), book, fonts }
    }
}

impl Workshop {
    /// Parses the template; the bundled fonts are loaded on the first report.
    pub(super) fn new(template: String) -> Result<Self, PathError> {
        let template = Source::new(file("report.typ")?, template);
        Ok(Self { template, data: file("data.json")?, tools: OnceLock::new() })
    }

    fn tools(&self) -> &Tools {
        self.tools.get_or_init(Tools::load)
    }

    /// The parsed template.
    pub(super) fn template(&self) -> &Source {
        &self.template
    }

    /// Whether any bundled font can show the character.
    pub(super) fn covers(&self, character: char) -> bool {
        self.tools().fonts.iter().any(|font| font.info().coverage.contains(u32::from(character)))
    }
}

fn file(name: &str) -> Result<FileId, PathError> {
    Ok(RootedPath::new(VirtualRoot::Project, VirtualPath::new(name)?).intern())
}

/// One report being typeset.
pub(super) struct Job<'a> {
    /// The lasting part.
    pub(super) workshop: &'a Workshop,
    /// The bytes of `data.json`.
    pub(super) data: Bytes,
}

impl World for Job<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &self.workshop.tools().library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.workshop.tools().book
    }

    fn main(&self) -> FileId {
        self.workshop.template.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.main() { Ok(self.workshop.template.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == self.workshop.data { Ok(self.data.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.workshop.tools().fonts.get(index).cloned()
    }

    /// Refused: the only time a report knows is `generated_at` in its data.
    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}
