//! What is told about an incident: the part common to all controllers and the figures of one of them. Decides no duty.

mod demand;
mod members;
mod parse;
mod times;

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use time::OffsetDateTime;

use super::{
    count::Count,
    organisation::Contact,
    vocabulary::{
        Cause, ConsequenceType, ContentMember, CountedFrom, DataCategory, IncidentKind, NatureType, SpecialCategory,
        Stage, SubjectCategory,
    },
};

pub use demand::{Ask, demand_faults};

/// Why a member cannot be given yet, Art. 33(4) GDPR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// The reason, in the filer's words.
    #[serde(rename = "unknown")]
    pub reason: String,
    /// Who sees to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When it will be known; UTC.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub expected_by: Option<OffsetDateTime>,
}

/// A member that may be given, declared unknown, or left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Known<T> {
    /// Given.
    Known(T),
    /// Declared unknown with a reason.
    Unknown(Unknown),
    /// Left out; never serialised.
    #[default]
    Absent,
}

/// When it happened; UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Occurred {
    /// The beginning, or the earliest possible one.
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    /// The end; none while ongoing or when there was but one moment.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub until: Option<OffsetDateTime>,
    /// Whether it still goes on.
    pub ongoing: bool,
}

/// The nature of the incident, Art. 33(3)(a) GDPR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Nature {
    /// The protection goals breached; at least one.
    pub types: BTreeSet<NatureType>,
    /// How it came about.
    pub cause: Cause,
    /// In words.
    pub description: String,
    /// How knowledge of the data was unlawfully gained, in words.
    #[serde(skip_serializing_if = "Known::is_absent")]
    pub how_obtained: Known<String>,
}

/// The likely consequences, Art. 33(3)(c) GDPR; at least one of both members is filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consequences {
    /// By code.
    pub types: BTreeSet<ConsequenceType>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// One measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// In words.
    pub description: String,
    /// When it was taken or is planned; UTC.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
}

/// The measures, Art. 33(3)(d) GDPR; at least one in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measures {
    /// Already taken.
    pub taken: Vec<Measure>,
    /// Proposed.
    pub proposed: Vec<Measure>,
}

/// Categories and number of persons or of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tally<C> {
    /// The categories; at least one where known.
    #[serde(skip_serializing_if = "Known::is_absent")]
    pub categories: Known<BTreeSet<C>>,
    /// The number; an unknown number is [`Count::Unknown`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
}

/// What every affected controller is told alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommonContent {
    /// What kind of event it is.
    pub kind: IncidentKind,
    /// How far the filing is.
    pub stage: Stage,
    /// A line to know it by.
    pub title: String,
    /// When somebody saw something; UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub detected_at: OffsetDateTime,
    /// When there was reasonable certainty; UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub aware_at: OffsetDateTime,
    /// Why awareness came later than detection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awareness_reason: Option<String>,
    /// When it happened.
    #[serde(skip_serializing_if = "Known::is_absent")]
    pub occurred: Known<Occurred>,
    /// What happened.
    #[serde(skip_serializing_if = "Known::is_absent")]
    pub nature: Known<Nature>,
    /// Whether data under professional secrecy (such as § 203 `StGB`) are concerned.
    pub professional_secrecy: bool,
    /// Who answers questions at the processor.
    #[serde(skip_serializing_if = "Known::is_absent")]
    pub contact: Known<Contact>,
    /// What is likely to follow.
    #[serde(skip_serializing_if = "Known::is_absent")]
    pub consequences: Known<Consequences>,
    /// What was and will be done.
    #[serde(skip_serializing_if = "Known::is_absent")]
    pub measures: Known<Measures>,
    /// The members above as JSON, written once for all shares; an object without its closing brace.
    #[serde(skip)]
    json: String,
}

/// The data, persons and records concerned: of the whole incident, or of one controller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Categories of personal data.
    #[serde(skip_serializing_if = "Known::is_absent")]
    pub data_categories: Known<BTreeSet<DataCategory>>,
    /// Special categories; a known empty set says that there are none.
    #[serde(skip_serializing_if = "Known::is_absent")]
    pub special_categories: Known<BTreeSet<SpecialCategory>>,
    /// The persons.
    #[serde(skip_serializing_if = "Tally::is_absent")]
    pub subjects: Tally<SubjectCategory>,
    /// The records; their categories are free codes in lower snake case.
    #[serde(skip_serializing_if = "Tally::is_absent")]
    pub records: Tally<String>,
    /// The countries whose persons are affected, ISO 3166-1 alpha-2; they decide which authorities are concerned, Art. 4(22)
    /// GDPR. None where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub countries: Option<BTreeSet<String>>,
    /// A word to the controller; that of the whole incident goes to all who get no own one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The content of a notice: what one controller sees of one incident version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareContent {
    /// What all affected controllers see.
    pub common: Arc<CommonContent>,
    /// What only this one sees.
    pub figures: Figures,
}

/// A member that was declared unknown and is still owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenItem {
    /// Which member.
    pub member: ContentMember,
    /// Why, and until when.
    pub unknown: Unknown,
}

impl<T> Known<T> {
    /// Whether it was left out.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The value, if given.
    pub fn known(&self) -> Option<&T> {
        if let Self::Known(value) = self { Some(value) } else { None }
    }

    /// The declaration, if declared unknown.
    pub fn unknown(&self) -> Option<&Unknown> {
        if let Self::Unknown(unknown) = self { Some(unknown) } else { None }
    }

    /// This, or `other` where this was left out.
    fn or<'k>(&'k self, other: &'k Self) -> &'k Self {
        if self.is_absent() { other } else { self }
    }
}

impl<C> Default for Tally<C> {
    fn default() -> Self {
        Self { categories: Known::Absent, count: None }
    }
}

impl<C> Tally<C> {
    fn is_absent(&self) -> bool {
        self.categories.is_absent() && self.count.is_none()
    }
}

impl CommonContent {
    /// The instant from which a limit of the agreement runs: suspicion is the detection, awareness the reasonable certainty.
    pub fn start(&self, counted_from: CountedFrom) -> OffsetDateTime {
        match counted_from {
            CountedFrom::Awareness => self.aware_at,
            CountedFrom::Suspicion => self.detected_at,
        }
    }
}

impl Figures {
    /// What one controller sees where it gave `self` for its own and `total` holds for the whole incident.
    ///
    /// Categories and countries are those of the incident unless it has its own. A number is never the total, unless `alone`; where the
    /// total is unknown, its reason stands for the part as well; otherwise `unstated` decides.
    pub(super) fn within(&self, total: &Self, alone: bool, unstated: impl Fn(&Count) -> Option<Count>) -> Self {
        let count = |own: &Option<Count>, whole: &Option<Count>| match (own, whole) {
            (Some(own), _) => Some(own.clone()),
            (None, Some(whole)) if alone || matches!(whole, Count::Unknown(_)) => Some(whole.clone()),
            (None, Some(whole)) => unstated(whole),
            (None, None) => None,
        };
        Self {
            data_categories: self.data_categories.or(&total.data_categories).clone(),
            special_categories: self.special_categories.or(&total.special_categories).clone(),
            subjects: Tally {
                categories: self.subjects.categories.or(&total.subjects.categories).clone(),
                count: count(&self.subjects.count, &total.subjects.count),
            },
            records: Tally {
                categories: self.records.categories.or(&total.records.categories).clone(),
                count: count(&self.records.count, &total.records.count),
            },
            countries: self.countries.as_ref().or(total.countries.as_ref()).cloned(),
            note: self.note.clone(),
        }
    }
}

impl ShareContent {
    /// The notice content as JSON: the common members, then the figures, always in the same order.
    ///
    /// Fails only where a value cannot be written as JSON, which no parsed value does.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let figures = serde_json::to_string(&self.figures)?;
        let own = figures.strip_prefix('{').unwrap_or(&figures);
        let comma = if own == "}" { "" } else { "," };
        Ok([&self.common.json, comma, own].concat())
    }

    /// Whether special categories (Art. 9 GDPR) are concerned, as far as known.
    pub fn has_special_categories(&self) -> bool {
        self.figures.special_categories.known().is_some_and(|categories| !categories.is_empty())
    }

    /// Whether special categories or professional secrets are concerned, as far as known.
    pub fn is_special(&self) -> bool {
        self.has_special_categories() || self.common.professional_secrecy
    }
}
