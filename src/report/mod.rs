//! The report on one incident for one controller: from a [`Report`] to JSON or PDF bytes; and how a period was counted, in words.
//!
//! Pure functions. Knows no database, no web, no clock and no file; the caller hands in the model and the time.

pub mod deadline;
mod json;
mod labels;
mod letter;
mod model;
mod moment;
mod outcomes;
mod outside;
mod page;
mod pdf;
#[cfg(test)]
mod pdf_tests;
mod readable;
#[cfg(test)]
mod samples;
mod script;
mod typeset;
mod world;

pub use json::to_json;
pub use labels::Language;
pub use letter::{Correspondence, LetterText, NoticeLetter, Occasion};
pub use model::{
    Acknowledgement, Affected, Agreement, Attempt, Closing, Consequences, Contact, Count, Demand, Duty, Incident,
    Measure, Measures, Nature, Notice, Occurred, OpenItem, Party, Report,
};
pub use moment::Display;
pub use outcomes::{Answer, Authority, ChosenAuthority, Decision, Filing, Instruction, Supervision};
pub use outside::{Matter, OwnLimit};
pub use page::{Acknowledged, Denial, Envelope, Mailbox, Page, Shown};
pub use pdf::PdfRenderer;
pub use readable::{Section, readable};
pub use script::{Cast, Script, script};

/// Why a report could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The template does not compile; says where, where the compiler knows.
    #[error("report template{}: {message}", .line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Template {
        /// Line in the template, from 1.
        line: Option<usize>,
        /// What the typesetter says.
        message: String,
    },
    /// The model names a display zone that the time zone data does not know.
    #[error("unknown time zone {0:?}")]
    UnknownZone(String),
    /// A page could not be written.
    #[error("page could not be written: {0}")]
    Page(String),
    /// The model could not be written as JSON.
    #[error("report could not be serialised: {0}")]
    Serialise(String),
}

impl From<serde_json::Error> for ReportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Serialise(error.to_string())
    }
}
