//! How an organisation stands to an incident: as its processor, as an affected controller, or not at all.

use std::collections::HashSet;

use diesel::dsl::exists;
use diesel::prelude::*;
use time::OffsetDateTime;

use super::among::among;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::notices::{is_out, seen_by};
use super::row::Door;
use super::schema::{incident, notice};
use crate::domain::id::{IncidentId, NoticeId, OrganisationId};
use crate::domain::vocabulary::InformedBy;

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
    if !is_processor && !is_told(connection, id, tenant)? {
        return Ok(None);
    }
    let door = Door { table: "incident", id: id.as_str() };
    let processor = door.parse("processor_id", &processor)?;
    Ok(Some(Standing { processor, detected_at: door.instant("detected_at", detected_at)?, is_processor }))
}

/// The notice that ties a controller to an incident.
#[derive(Debug, Clone)]
pub struct Tie {
    /// Its stream in the ledger holds what concerns processor and controller alone.
    pub notice: NoticeId,
    /// Whether it has left the house. Until then the controller learns of nothing.
    pub is_out: bool,
}

/// The first notice of the incident to `controller` that has left the house, or else the first one; none if nothing is meant for it.
pub fn tie(
    connection: &mut AnyConnection,
    id: &IncidentId,
    controller: &OrganisationId,
) -> Result<Option<Tie>, StoreError> {
    let all: Vec<(String, bool)> = notice::table
        .filter(notice::incident_id.eq(id.as_str()).and(notice::controller_id.eq(controller.as_str())))
        .order(notice::sequence)
        .select((notice::id, is_out()))
        .load(connection)?;
    let found = all.iter().find(|(_, is_out)| *is_out).or(all.first());
    let tie = |(id, is_out): &(String, bool)| {
        Ok(Tie { notice: Door { table: "notice", id }.parse("id", id)?, is_out: *is_out })
    };
    found.map(tie).transpose()
}

/// Whether anything of the incident has left the house towards `controller`.
pub fn is_told(
    connection: &mut AnyConnection,
    id: &IncidentId,
    controller: &OrganisationId,
) -> Result<bool, StoreError> {
    let told = notice::table
        .filter(notice::incident_id.eq(id.as_str()).and(notice::controller_id.eq(controller.as_str())))
        .filter(is_out());
    Ok(diesel::select(exists(told)).get_result(connection)?)
}

/// Which of `controllers` anything has left the house towards, with the one of `incidents` that it is about.
pub fn told(
    connection: &mut AnyConnection,
    incidents: &[&str],
    controllers: &[&str],
) -> Result<HashSet<(String, String)>, StoreError> {
    let incidents = among(connection, notice::incident_id, incidents)?;
    let controllers = among(connection, notice::controller_id, controllers)?;
    let pairs: Vec<(String, String)> = notice::table
        .filter(incidents)
        .filter(controllers)
        .filter(is_out())
        .select((notice::incident_id, notice::controller_id))
        .load(connection)?;
    Ok(pairs.into_iter().collect())
}

/// Whether `tenant` may see the notice `id`.
pub fn sees_notice(connection: &mut AnyConnection, tenant: &OrganisationId, id: &NoticeId) -> Result<bool, StoreError> {
    let seen = notice::table.filter(notice::id.eq(id.as_str())).filter(seen_by(tenant));
    Ok(diesel::select(exists(seen)).get_result(connection)?)
}

/// When `controller` was informed of the incident, UTC: by the delivery or the acknowledgement of a notice, as that was agreed.
pub fn informed_at(
    connection: &mut AnyConnection,
    id: &IncidentId,
    controller: &OrganisationId,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let all: Vec<(String, Option<i64>, Option<i64>)> = notice::table
        .filter(notice::incident_id.eq(id.as_str()).and(notice::controller_id.eq(controller.as_str())))
        .select((notice::informed_by, notice::delivered_at, notice::acknowledged_at))
        .load(connection)?;
    let door = Door { table: "notice", id: id.as_str() };
    let mut first = None;
    for (rule, delivered_at, acknowledged_at) in all {
        let rule = InformedBy::from_code(&rule).ok_or_else(|| door.corrupt("informed_by"))?;
        let informed = rule.counted(delivered_at, acknowledged_at);
        first = [first, informed].into_iter().flatten().min();
    }
    door.instant_option("delivered_at", first)
}
