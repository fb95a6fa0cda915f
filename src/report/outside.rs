//! What may be said of a notice to whoever has not read it: its matter, its short reference, the controller's own limit.

use time::OffsetDateTime;

use super::Display;
use super::labels::Language;
use crate::domain::vocabulary::IncidentKind;

/// What a notice is about, as far as an e-mail or a stranger on the telephone may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// A personal data breach, Art. 33(2) GDPR.
    Breach,
    /// The suspicion of one.
    Suspicion,
    /// Another event that the agreement wants told.
    Event,
    /// An earlier notice is taken back.
    Withdrawal,
}

impl Matter {
    /// The matter of a notice of the kind `notice`, such as `notice.initial`, on an incident.
    pub fn of(notice: &str, incident: IncidentKind) -> Self {
        match incident {
            _ if notice == "notice.withdrawal" => Self::Withdrawal,
            IncidentKind::PersonalDataBreach | IncidentKind::SubprocessorBreach => Self::Breach,
            IncidentKind::SuspectedBreach => Self::Suspicion,
            IncidentKind::Disruption
            | IncidentKind::Irregularity
            | IncidentKind::ViolationOfLaw
            | IncidentKind::ViolationOfContract
            | IncidentKind::ViolationOfInstruction
            | IncidentKind::AuthorityInspection
            | IncidentKind::SeizureOrInsolvency
            | IncidentKind::ContactChange
            | IncidentKind::UnlawfulInstruction
            | IncidentKind::SubprocessorChange
            | IncidentKind::CertificateLoss => Self::Event,
        }
    }

    /// The code under which files of words name it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Breach => "breach",
            Self::Suspicion => "suspicion",
            Self::Event => "event",
            Self::Withdrawal => "withdrawal",
        }
    }

    /// What it is, as it stands after "a notice of".
    pub(super) fn phrase(self, language: Language) -> &'static str {
        language.labels().get("matter", self.code())
    }

    /// What it is, as a heading.
    pub(super) fn title(self, language: Language) -> &'static str {
        language.labels().get("matter_title", self.code())
    }
}

/// Where the controller's own limit towards its authority stands, moment to moment, so that it never ends before it is said to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnLimit {
    /// It runs until then.
    Running(OffsetDateTime),
    /// Whether the notice has arrived is not known; to be safe it is counted from when it was first sent.
    FromSending {
        /// When it ends then.
        due: OffsetDateTime,
        /// In how many hours that is.
        hours: i64,
    },
    /// The agreement lets it begin with the acknowledgement.
    FromAcknowledgement {
        /// How many hours it lasts from then.
        hours: i64,
    },
}

impl OwnLimit {
    /// The code of its sentence, and what is filled in there.
    pub(super) fn said(self, display: &Display<'_>) -> (&'static str, [(&'static str, String); 2]) {
        let (code, due, hours) = match self {
            Self::Running(due) => ("limit_running", Some(due), 0),
            Self::FromSending { due, hours } => ("limit_from_sending", Some(due), hours),
            Self::FromAcknowledgement { hours } => ("limit_from_acknowledgement", None, hours),
        };
        let due = due.map(|due| display.moment(due)).unwrap_or_default();
        (code, [("{due}", due), ("{hours}", hours.to_string())])
    }
}

/// Short enough to say on the telephone: the end of the incident's id, and the number of the notice.
pub(super) fn reference(incident: &str, sequence: i32) -> String {
    let start = incident.char_indices().rev().nth(5).map_or(0, |(start, _)| start);
    format!("{}-{sequence}", incident[start..].to_uppercase())
}

/// Fills places in one pass, so that nothing that is filled in is taken for a place.
pub(super) fn fill(text: &str, places: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some((place, value)) = places.iter().find(|(place, _)| rest.starts_with(place)) {
            filled.push_str(value);
            rest = &rest[place.len()..];
        } else {
            filled.push('{');
            rest = &rest[1..];
        }
    }
    filled + rest
}
