//! Versions of an incident as they are shown. What only the processor sees is left out for a controller.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::PhaseKind;
use super::difference::Change;
use crate::domain::id::NoticeId;

/// One version of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentVersion {
    /// Its number, from 1.
    pub version: i32,
    /// What it is to the one before.
    pub phase: PhaseKind,
    /// `initial` or `complete`.
    pub stage: String,
    /// Why; for a controller that was found late, why only then.
    pub reason: Option<String>,
    /// What differs: in the whole for the processor, in its own share for a controller.
    pub changes: Vec<Change>,
    /// What was filed for single controllers; `None` for a controller.
    pub affected: Option<Vec<Value>>,
    /// When it was filed, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub filed_at: OffsetDateTime,
    /// Who filed it; `None` for a controller.
    pub filed_by: Option<String>,
    /// SHA-256 of the filing that the version is, which a release names; `None` for a controller.
    pub content_sha256: Option<String>,
    /// The controller's notice of it; `None` for the processor.
    pub notice: Option<NoticeId>,
    /// Whether a second person released it; `None` for a controller.
    pub release: Option<Release>,
}

/// Whether a second person released a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// `not_needed`, `awaited`, `released` or `sent_without`.
    pub state: String,
    /// Until when the release is awaited, UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub due_at: Option<OffsetDateTime>,
    /// When it was released, UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub released_at: Option<OffsetDateTime>,
    /// By whom.
    pub released_by: Option<String>,
}
