//! The printed shape of a report: PDF/A-2a, tagged, typeset from a template.
//!
//! The data reaches the template as a JSON file, never as source, so no text of a filer can become markup.

use time::OffsetDateTime;
use typst::WorldExt;
use typst::comemo;
use typst::diag::SourceDiagnostic;
use typst::foundations::{Bytes, Datetime, Smart};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

use super::typeset::template_data;
use super::world::{Job, Workshop};
use super::{Language, Report, ReportError};

/// The template used where the operator gives none.
const TEMPLATE: &str = include_str!("templates/report.typ");

/// Turns reports into PDF; built once, shared between threads.
pub struct PdfRenderer {
    workshop: Workshop,
    archival: PdfStandards,
}

impl PdfRenderer {
    /// Reads the template, the given text or the built-in one; fonts are loaded on the first report.
    ///
    /// Errors when the template has a syntax error; other faults of a template show on the first render.
    pub fn new(template: Option<String>) -> Result<Self, ReportError> {
        let template = template.unwrap_or_else(|| TEMPLATE.to_owned());
        let workshop = Workshop::new(template).map_err(|error| general(&error))?;
        let archival = PdfStandards::new(&[PdfStandard::A_2a]).map_err(|error| general(error.message()))?;
        let source = workshop.template();
        match source.root().errors_and_warnings().0.into_iter().next() {
            Some(error) => Err(template_error(&Job { workshop: &workshop, data: Bytes::new([]) }, &error.into())),
            None => Ok(Self { workshop, archival }),
        }
    }

    /// Typesets a report; `now` (UTC) is printed as the time of generation.
    ///
    /// Errors name the line of the template at fault. The same input gives the same bytes.
    pub fn render(&self, report: &Report, language: Language, now: OffsetDateTime) -> Result<Vec<u8>, ReportError> {
        let pdf = self.typeset(report, language, now, |job, document| {
            let options = self.options(report, now);
            // A replaced template may do what PDF/A forbids: a report in hand is worth more than the conformance.
            typst_pdf::pdf(document, &options)
                .or_else(|_| typst_pdf::pdf(document, &PdfOptions { standards: PdfStandards::default(), ..options }))
                .map_err(|errors| first_error(job, &errors))
        });
        // The typesetter remembers every layout, which holds the content of reports: forget it at once.
        comemo::evict(0);
        pdf
    }

    /// Lays a report out and hands the pages to `export`.
    pub(super) fn typeset<T>(
        &self,
        report: &Report,
        language: Language,
        now: OffsetDateTime,
        export: impl FnOnce(&Job<'_>, &PagedDocument) -> Result<T, ReportError>,
    ) -> Result<T, ReportError> {
        let data = template_data(report, language, now, &|character| self.workshop.covers(character))?;
        let job = Job { workshop: &self.workshop, data: Bytes::new(serde_json::to_vec(&data)?) };
        let document = typst::compile::<PagedDocument>(&job).output.map_err(|errors| first_error(&job, &errors))?;
        export(&job, &document)
    }

    fn options(&self, report: &Report, now: OffsetDateTime) -> PdfOptions {
        let (date, time) = (now.date(), now.time());
        let stamp = Datetime::from_ymd_hms(
            date.year(),
            date.month().into(),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
        );
        PdfOptions {
            ident: Smart::Custom(format!("{}/{}", report.incident.id, report.controller.id)),
            creator: Smart::Custom(Some("art33".to_owned())),
            timestamp: stamp.map(Timestamp::new_utc),
            standards: self.archival.clone(),
            ..PdfOptions::default()
        }
    }
}

fn first_error(job: &Job<'_>, errors: &[SourceDiagnostic]) -> ReportError {
    errors.first().map_or_else(|| general(&"unknown error"), |error| template_error(job, error))
}

fn template_error(job: &Job<'_>, error: &SourceDiagnostic) -> ReportError {
    let range = job.range(error.span).filter(|_| error.span.id() == Some(job.workshop.template().id()));
    let line = range.and_then(|range| job.workshop.template().lines().byte_to_line(range.start));
    ReportError::Template { line: line.map(|line| line + 1), message: error.message.to_string() }
}

fn general(message: &dyn std::fmt::Display) -> ReportError {
    ReportError::Template { line: None, message: message.to_string() }
}
