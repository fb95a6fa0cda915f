//! The content of one notice as headed lists that a person can read: labels for codes, local times, and what is still open.

use time::OffsetDateTime;

use super::labels::{Labels, Language};
use super::model::Count;
use super::page::Words;
use super::{Display, ReportError};
use crate::domain::content::{Known, Measure, ShareContent, Tally};
use crate::domain::count;

/// A heading and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// Label and values; what has no value is left out.
    pub rows: Vec<(String, Vec<String>)>,
}

/// The words and the zone in which a content is written down.
struct Writer<'a> {
    language: Language,
    labels: &'static Labels,
    display: Display<'a>,
}

/// The content of a notice in the order of Art. 33(3) GDPR, with times in `zone`; a section without content is left out.
///
/// # Errors
/// When the zone is not known.
pub fn readable(content: &ShareContent, language: Language, zone: &str) -> Result<Vec<Section>, ReportError> {
    let writer = Writer { language, labels: language.labels(), display: Display::new(zone, language)? };
    let sections = [
        writer.incident(content),
        writer.nature(content),
        writer.figures(content),
        writer.consequences(content),
        writer.measures(content),
        writer.contact(content),
        writer.open(content),
    ];
    Ok(sections.into_iter().filter(|section| !section.rows.is_empty()).collect())
}

impl Writer<'_> {
    fn incident(&self, content: &ShareContent) -> Section {
        let common = &content.common;
        let occurred = common.occurred.known();
        let ongoing = occurred.filter(|occurred| occurred.ongoing).map(|_| self.word("ongoing"));
        let until = occurred.and_then(|occurred| occurred.until).map(|until| self.moment(until));
        self.section(
            "incident",
            [
                self.row("subject", Some(common.title.clone())),
                self.row("kind", Some(self.label("kind", common.kind.as_str()))),
                self.row("stage", Some(self.label("stage", common.stage.as_str()))),
                self.row("occurred_from", occurred.map(|occurred| self.moment(occurred.from))),
                self.row("occurred_until", until.or(ongoing)),
                self.row("detected_at", Some(self.moment(common.detected_at))),
                self.row("aware_at", Some(self.moment(common.aware_at))),
                self.row("awareness_reason", common.awareness_reason.clone()),
                self.row("note", content.figures.note.clone()),
            ],
        )
    }

    fn nature(&self, content: &ShareContent) -> Section {
        let nature = content.common.nature.known();
        let types = nature.into_iter().flat_map(|nature| &nature.types);
        self.section(
            "nature",
            [
                self.list("nature_types", types.map(|code| self.label("breach_type", code.as_str()))),
                self.row("cause", nature.map(|nature| self.label("cause", nature.cause.as_str()))),
                self.row("description", nature.map(|nature| nature.description.clone())),
                self.row("how_obtained", nature.and_then(|nature| nature.how_obtained.known().cloned())),
            ],
        )
    }

    fn figures(&self, content: &ShareContent) -> Section {
        let figures = &content.figures;
        let secrecy = content.common.professional_secrecy.then(|| self.word("yes"));
        let rows = [
            self.codes("data_categories", "data_category", &figures.data_categories),
            self.codes("special_categories", "special_category", &figures.special_categories),
            self.row("professional_secrecy", secrecy),
            self.codes("subject_categories", "subject_category", &figures.subjects.categories),
            self.count("subject_count", &figures.subjects),
            self.codes("record_categories", "record_category", &figures.records.categories),
            self.count("record_count", &figures.records),
        ];
        Section {
            title: Words::of(self.language).get("affected").to_owned(),
            rows: rows.into_iter().flatten().collect(),
        }
    }

    fn consequences(&self, content: &ShareContent) -> Section {
        let known = content.common.consequences.known();
        let types = known.into_iter().flat_map(|known| &known.types);
        self.section(
            "consequences",
            [
                self.list("consequence_types", types.map(|code| self.label("consequence", code.as_str()))),
                self.row("description", known.and_then(|known| known.description.clone())),
            ],
        )
    }

    fn measures(&self, content: &ShareContent) -> Section {
        let known = content.common.measures.known();
        let written = |measures: &[Measure]| -> Vec<String> {
            let one = |measure: &Measure| match measure.at {
                Some(at) => format!("{} ({})", measure.description, self.moment(at)),
                None => measure.description.clone(),
            };
            measures.iter().map(one).collect()
        };
        let taken = known.map(|known| written(&known.taken)).unwrap_or_default();
        let proposed = known.map(|known| written(&known.proposed)).unwrap_or_default();
        self.section(
            "measures",
            [self.list("measures_taken", taken.into_iter()), self.list("measures_proposed", proposed.into_iter())],
        )
    }

    fn contact(&self, content: &ShareContent) -> Section {
        let contact = content.common.contact.known();
        self.section(
            "contact",
            [
                self.row("contact_role", contact.map(|contact| self.label("contact_role", &contact.role))),
                self.row("contact_name", contact.map(|contact| contact.name.clone())),
                self.row("contact_email", contact.and_then(|contact| contact.email.clone())),
                self.row("contact_phone", contact.and_then(|contact| contact.phone.clone())),
            ],
        )
    }

    fn open(&self, content: &ShareContent) -> Section {
        let rows = content.open_items().into_iter().map(|item| {
            let expected =
                item.unknown.expected_by.map(|at| format!("{}: {}", self.word("open_expected"), self.moment(at)));
            let values = std::iter::once(item.unknown.reason).chain(expected).collect();
            (self.label("member", item.member.as_str()), values)
        });
        Section { title: self.word("open_items"), rows: rows.collect() }
    }

    fn section<const N: usize>(&self, title: &str, rows: [Option<(String, Vec<String>)>; N]) -> Section {
        Section { title: self.word(title), rows: rows.into_iter().flatten().collect() }
    }

    fn row(&self, label: &str, value: Option<String>) -> Option<(String, Vec<String>)> {
        self.list(label, value.into_iter())
    }

    fn list(&self, label: &str, values: impl Iterator<Item = String>) -> Option<(String, Vec<String>)> {
        let values: Vec<String> = values.collect();
        (!values.is_empty()).then(|| (self.word(label), values))
    }

    fn codes<C: ToString>(
        &self,
        label: &str,
        group: &str,
        codes: &Known<std::collections::BTreeSet<C>>,
    ) -> Option<(String, Vec<String>)> {
        self.list(label, codes.known().into_iter().flatten().map(|code| self.label(group, &code.to_string())))
    }

    fn count<C>(&self, label: &str, tally: &Tally<C>) -> Option<(String, Vec<String>)> {
        self.row(label, tally.count.as_ref().map(|count| self.language.count(&shown(count))))
    }

    fn word(&self, code: &str) -> String {
        self.label("words", code)
    }

    fn label(&self, group: &str, code: &str) -> String {
        self.labels.get(group, code).to_owned()
    }

    fn moment(&self, at: OffsetDateTime) -> String {
        self.display.moment(at)
    }
}

fn shown(count: &count::Count) -> Count {
    match count {
        count::Count::Exact(number) => Count::Exact(*number),
        count::Count::About(number) => Count::About(*number),
        count::Count::Range { min, max } => Count::Range { min: *min, max: *max },
        count::Count::Unknown(unknown) => Count::Unknown(unknown.reason.clone()),
    }
}
