//! The content of a notice after the first: what is new stands before the whole share as it is now.

use serde::Serialize;

use super::PhaseKind;
use super::difference::Change;
use crate::domain::content::ShareContent;
use crate::domain::id::NoticeId;

/// The members that stand before the share in every notice after the first.
pub const LEADING: &[&str] = &["version", "phase", "reason", "supersedes", "changes"];

/// What a later notice says beside the share.
#[derive(Debug, Clone, Serialize)]
pub struct LaterNotice<'a> {
    /// The version of the incident that it tells.
    pub version: i32,
    /// What that version is to the one before.
    pub phase: PhaseKind,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// The notice that it supersedes.
    pub supersedes: &'a NoticeId,
    /// What differs from it.
    pub changes: &'a [Change],
}

impl LaterNotice<'_> {
    /// The content as JSON: the leading members, then those of the share.
    ///
    /// Fails only where a value cannot be written as JSON, which no parsed one does.
    pub fn to_json(&self, share: &ShareContent) -> Result<String, serde_json::Error> {
        let mut leading = serde_json::to_string(self)?;
        leading.pop();
        let share = share.to_json()?;
        Ok([&leading, ",", share.strip_prefix('{').unwrap_or(&share)].concat())
    }
}
