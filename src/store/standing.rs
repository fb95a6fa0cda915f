//! How an organisation stands to an incident: as its processor, as an affected controller, or not at all.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::notices::is_out;
use super::row::Door;
use super::schema::{incident, notice};
use crate::domain::id::{IncidentId, NoticeId, OrganisationId};

/// An incident as one organisation that has to do with it stands to it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Who filed it.
    pub processor: OrganisationId,
    /// When somebody saw something, UTC.
    pub detected_at: OffsetDateTime,
    /// Whether the organisation is the processor; otherwise it is an affected controller.
    pub is_processor: bool,
}

/// How `tenant` stands to the incident; nothing if it has nothing to do with it, or was not told of it yet.
pub fn of(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &IncidentId,
) -> Result<Option<Standing>, StoreError> {
    let found: Option<(String, i64)> = incident::table
        .find(id.as_str())
        .select((incident::processor_id, incident::detected_at))
        .first(connection)
        .optional()?;
    let Some((processor, detected_at)) = found else { return Ok(None) };
    let is_processor = processor == tenant.as_str();
    if !is_processor {
        let told = notice::table
            .filter(notice::incident_id.eq(id.as_str()).and(notice::controller_id.eq(tenant.as_str())))
            .filter(is_out());
        if !diesel::select(diesel::dsl::exists(told)).get_result(connection)? {
            return Ok(None);
        }
    }
    let door = Door { table: "incident", id: id.as_str() };
    let processor = door.parse("processor_id", &processor)?;
    Ok(Some(Standing { processor, detected_at: door.instant("detected_at", detected_at)?, is_processor }))
}

/// The first notice of the incident to `controller`, whose stream in the ledger holds what concerns these two alone.
pub fn notice_to(
    connection: &mut AnyConnection,
    id: &IncidentId,
    controller: &OrganisationId,
) -> Result<Option<NoticeId>, StoreError> {
    let first: Option<String> = notice::table
        .filter(notice::incident_id.eq(id.as_str()).and(notice::controller_id.eq(controller.as_str())))
        .order(notice::sequence)
        .select(notice::id)
        .first(connection)
        .optional()?;
    first.map(|id| Door { table: "notice", id: &id }.parse("id", &id)).transpose()
}

/// When the first notice of the incident reached `controller`, UTC.
pub fn informed_at(
    connection: &mut AnyConnection,
    id: &IncidentId,
    controller: &OrganisationId,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let first: Option<i64> = notice::table
        .filter(notice::incident_id.eq(id.as_str()).and(notice::controller_id.eq(controller.as_str())))
        .select(diesel::dsl::min(notice::delivered_at))
        .first(connection)?;
    Door { table: "notice", id: id.as_str() }.instant_option("delivered_at", first)
}
