//! Incidents and notices as they are shown. What one controller sees of an incident is its own share only.

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::id::{IncidentId, NoticeId, OrganisationId};
pub use super::receipt::{Acknowledger, Receipt, ReceiptLevel};
use super::vocabulary::InformedBy;

/// An organisation by id and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The id.
    pub id: OrganisationId,
    /// The name.
    pub name: String,
}

/// How far the telling has come, seen over all notices of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// At least one controller has not been reached yet.
    Telling,
    /// Every controller was reached.
    Told,
    /// Every controller has acknowledged.
    Acknowledged,
    /// Nobody had to be told.
    Kept,
    /// There was no breach after all.
    Withdrawn,
}

/// How many notices stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct NoticeCounts {
    /// Not yet delivered.
    pub pending: i64,
    /// Delivered, not yet acknowledged.
    pub delivered: i64,
    /// Acknowledged.
    pub acknowledged: i64,
}

/// An incident in a list.
#[derive(Debug, Clone, Serialize)]
pub struct IncidentSummary {
    /// The id.
    pub id: IncidentId,
    /// Version, from 1.
    pub version: i32,
    /// Kind, a code of the vocabulary.
    pub kind: String,
    /// `initial` or `complete`.
    pub stage: String,
    /// Title.
    pub title: String,
    /// How far the telling has come.
    pub state: IncidentState,
    /// Whether it is a drill: nothing is sent and nothing owed.
    pub drill: bool,
    /// When somebody saw something, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub detected_at: OffsetDateTime,
    /// When there was reasonable certainty, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub aware_at: OffsetDateTime,
    /// When it was filed here, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub filed_at: OffsetDateTime,
    /// How many controllers are affected; `None` for a controller, who learns nothing of others.
    pub affected_count: Option<i32>,
}

/// One incident.
#[derive(Debug, Clone, Serialize)]
pub struct Incident {
    /// What lists show.
    #[serde(flatten)]
    pub summary: IncidentSummary,
    /// Who filed it.
    pub processor: Link,
    /// Why awareness came later than detection.
    pub awareness_reason: Option<String>,
    /// When it was withdrawn, UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub withdrawn_at: Option<OffsetDateTime>,
    /// Why nobody was told, where nobody had to be.
    pub no_duty_reason: Option<String>,
    /// The sub-processor's notice that it came from; for the processor's eyes only.
    pub origin: Option<Box<RawValue>>,
    /// The links from that sub-processor to the controllers, each with its own clock; for the processor's eyes only.
    pub chain: Vec<super::origin::Link>,
    /// The content: of the whole for the processor, of the own share for a controller.
    pub content: Box<RawValue>,
    /// Where the notices stand that the reader may see.
    pub notices: NoticeCounts,
}

/// Where a notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// Not yet delivered.
    Pending,
    /// It reached the controller's sphere.
    Delivered,
    /// The controller said so itself.
    Acknowledged,
}

impl NoticeState {
    /// The state that follows from the two times.
    pub fn of(delivered: bool, acknowledged: bool) -> Self {
        match (delivered, acknowledged) {
            (_, true) => Self::Acknowledged,
            (true, false) => Self::Delivered,
            (false, false) => Self::Pending,
        }
    }

    /// The state of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "pending" => Some(Self::Pending),
            "delivered" => Some(Self::Delivered),
            "acknowledged" => Some(Self::Acknowledged),
            _ => None,
        }
    }
}

impl IncidentState {
    /// The state that follows from where the notices stand.
    pub fn of(counts: NoticeCounts) -> Self {
        match counts {
            NoticeCounts { pending: 1.., .. } => Self::Telling,
            NoticeCounts { delivered: 1.., .. } => Self::Told,
            NoticeCounts { acknowledged: 1.., .. } => Self::Acknowledged,
            NoticeCounts { .. } => Self::Kept,
        }
    }

    /// The state of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "telling" => Some(Self::Telling),
            "told" => Some(Self::Told),
            "acknowledged" => Some(Self::Acknowledged),
            "kept" => Some(Self::Kept),
            "withdrawn" => Some(Self::Withdrawn),
            _ => None,
        }
    }
}

/// A notice in a list.
#[derive(Debug, Clone, Serialize)]
pub struct NoticeSummary {
    /// The id.
    pub id: NoticeId,
    /// The incident.
    pub incident: IncidentId,
    /// Number within (incident, controller), from 1.
    pub sequence: i32,
    /// The version of the incident that it tells.
    pub version: i32,
    /// Whether nothing is open of what the agreement demands.
    pub complete: bool,
    /// Type of event that tells it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The notice that this one replaces.
    pub supersedes: Option<NoticeId>,
    /// Who tells.
    pub processor: Link,
    /// Who is told.
    pub controller: Link,
    /// SHA-256 of the exact bytes, hexadecimal.
    pub content_sha256: String,
    /// Where it stands.
    pub state: NoticeState,
    /// When it was made, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it reached the controller's sphere, UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub delivered_at: Option<OffsetDateTime>,
    /// When the controller acknowledged it, UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub acknowledged_at: Option<OffsetDateTime>,
    /// When the controller disputed it, UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub disputed_at: Option<OffsetDateTime>,
    /// Which of the two counts as the controller's knowledge, as the agreement says.
    pub informed_by: InformedBy,
    /// When the controller was informed in that sense, UTC; its own clocks started then.
    #[serde(with = "time::serde::rfc3339::option")]
    pub informed_at: Option<OffsetDateTime>,
}

/// One notice with its exact content.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// What lists show.
    #[serde(flatten)]
    pub summary: NoticeSummary,
    /// The content, byte for byte.
    pub content: Box<RawValue>,
    /// What is proven of its way.
    pub receipts: Vec<Receipt>,
}
