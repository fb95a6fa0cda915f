//! Versions of incidents that wait for a second person, and what is held back of them.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{incident, incident_version};
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::organisation::OnTimeout;

/// How a version stands with its release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// `not_needed`, `awaited`, `released` or `sent_without`.
    pub state: String,
    /// Who filed the version.
    pub filed_by: String,
    /// SHA-256 of the filing that the version is.
    pub content_sha256: String,
    /// What happens when nobody releases it in time.
    pub on_timeout: Option<OnTimeout>,
}

/// How `version` of the incident `id` of `processor` stands with its release.
pub fn find(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    id: &IncidentId,
    version: i32,
) -> Result<Option<Release>, StoreError> {
    let found: Option<(String, String, String, Option<String>)> = incident_version::table
        .inner_join(incident::table.on(incident::id.eq(incident_version::incident_id)))
        .filter(incident::processor_id.eq(processor.as_str()))
        .filter(incident_version::incident_id.eq(id.as_str()).and(incident_version::version.eq(version)))
        .select((
            incident_version::release_state,
            incident_version::filed_by,
            incident_version::content_sha256,
            incident_version::on_timeout,
        ))
        .first(connection)
        .optional()?;
    let Some((state, filed_by, content_sha256, on_timeout)) = found else { return Ok(None) };
    let door = Door { table: "incident_version", id: id.as_str() };
    let known = |code: String| OnTimeout::from_code(&code).ok_or_else(|| door.corrupt("on_timeout"));
    Ok(Some(Release { state, filed_by, content_sha256, on_timeout: on_timeout.map(known).transpose()? }))
}

/// Ends the waiting of a version: `released` by somebody, or `sent_without`. `false` if it does not wait (any more).
pub fn end(
    connection: &mut AnyConnection,
    id: &IncidentId,
    version: i32,
    state: &str,
    by: Option<&str>,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let waiting =
        incident_version::table.find((id.as_str(), version)).filter(incident_version::release_state.eq("awaited"));
    let ended = diesel::update(waiting)
        .set((
            incident_version::release_state.eq(state),
            incident_version::released_at.eq(micros(now)),
            incident_version::released_by.eq(by),
        ))
        .execute(connection)?;
    Ok(ended == 1)
}
