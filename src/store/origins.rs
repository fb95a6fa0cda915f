//! Where incidents came from, and since when everybody in the chain knew.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::Door;
use super::schema::{duty, incident, notice};
use super::standing;
use crate::domain::course::Earlier;
use crate::domain::fault::Faults;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::origin::{Link, Origin};
use crate::domain::parse::Place;

/// The origin of an incident from the text that is stored of it.
pub(super) fn stored_origin(door: &Door<'_>, origin: &str, filed_at: i64) -> Result<Origin, StoreError> {
    let filed_at = door.instant("filed_at", filed_at)?;
    let read = serde_json::from_str(origin).ok();
    let read = read.and_then(|value| Origin::parse(&Place::root(&value), filed_at, &mut Faults::default()));
    read.ok_or_else(|| door.corrupt("origin"))
}

/// When the processor knew of the incident, and when `party` was informed of it, for the outer limits of its clocks.
pub fn known_since(
    connection: &mut AnyConnection,
    id: &IncidentId,
    party: &OrganisationId,
) -> Result<Earlier, StoreError> {
    let known: Option<(i64, i64, Option<String>)> = incident::table
        .find(id.as_str())
        .select((incident::aware_at, incident::filed_at, incident::origin))
        .first(connection)
        .optional()?;
    let door = Door { table: "incident", id: id.as_str() };
    let aware = known.as_ref().map(|(aware, ..)| door.instant("aware_at", *aware)).transpose()?;
    let origin = known.and_then(|(_, filed, origin)| Some((filed, origin?)));
    let origin = origin.map(|(filed, origin)| stored_origin(&door, &origin, filed)).transpose()?;
    Ok(Earlier {
        // A sub-processor's notice is knowledge, whatever else was stated.
        processor_aware: aware.map(|aware| origin.map_or(aware, |origin| aware.min(origin.received_at))),
        controller_informed: standing::informed_at(connection, id, party)?,
    })
}

/// The links of the chain: the sub-processor's own, then that of the processor, which told the first controller in time or late.
pub(super) fn chain(
    connection: &mut AnyConnection,
    id: &IncidentId,
    origin: &Origin,
    aware_at: OffsetDateTime,
    processor: &str,
) -> Result<Vec<Link>, StoreError> {
    let (told_at, due_at) = first_telling(connection, id)?;
    let own = Link {
        party: processor.to_owned(),
        aware_at: Some(aware_at.min(origin.received_at)),
        told_at,
        due_at,
        late: told_at.zip(due_at).map(|(told, due)| told >= due),
    };
    Ok(vec![origin.link(), own])
}

/// When the first controller was told of the incident, and when the first limit for that ends, UTC.
fn first_telling(
    connection: &mut AnyConnection,
    id: &IncidentId,
) -> Result<(Option<OffsetDateTime>, Option<OffsetDateTime>), StoreError> {
    let told: Option<i64> = notice::table
        .filter(notice::incident_id.eq(id.as_str()))
        .select(diesel::dsl::min(notice::delivered_at))
        .first(connection)?;
    let due: Option<i64> = duty::table
        .filter(duty::incident_id.eq(id.as_str()).and(duty::debtor.eq(duty::processor_id)))
        .filter(duty::recipient.eq(duty::party_id).and(duty::party_id.ne(duty::processor_id)))
        .select(diesel::dsl::min(duty::legal_due_at))
        .first(connection)?;
    let door = Door { table: "incident", id: id.as_str() };
    Ok((door.instant_option("delivered_at", told)?, door.instant_option("legal_due_at", due)?))
}
