//! Putting messages into the outbox. Sends and claims nothing.

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use time::OffsetDateTime;

use super::among::among;
use super::batch;
use super::connection::AnyConnection;
use super::endpoints::Endpoint;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{delivery, incident_version, notice};
use super::wake;
use crate::domain::delivery::Lane;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::id::{DeliveryId, DutyId, IncidentId, NoticeId, OrganisationId};
use crate::domain::ladder::Rung;

/// A message to one endpoint, due at once unless it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// What it tells.
    pub event: EventType,
    /// The notice, where it tells one.
    pub notice: Option<NoticeId>,
    /// The duty and the step of its clock, where it tells of one.
    pub duty: Option<(DutyId, i32)>,
    /// The step of the notice's ladders, where it tells of one.
    pub rung: Option<Rung>,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Whose endpoint it is.
    pub organisation: OrganisationId,
    /// Whose turn it takes: the processor that tells, or whoever registered the endpoint.
    pub tenant: OrganisationId,
    /// Which permits it uses.
    pub lane: Lane,
    /// Until when it is tried densely, UTC.
    pub deadline_at: OffsetDateTime,
    /// When it is due, UTC, unless it waits for a second person's release.
    pub due_at: OffsetDateTime,
    /// Whether it waits for a second person's release.
    pub held: bool,
}

/// When a message is due that waits for a release: never by itself.
pub(super) const HELD: i64 = 253_402_300_799_000_000;

batch::row! {
    InsertRow in "delivery" {
        id: &'a str,
        r#type: &'a str,
        notice_id: Option<&'a str>,
        duty_id: Option<&'a str>,
        step: Option<i32>,
        endpoint_id: &'a str,
        organisation_id: &'a str,
        tenant_id: &'a str,
        lane: i32,
        state: &'a str,
        next_at: i64,
        deadline_at: i64,
        attempts: i32,
        lease: i64,
        created_at: i64,
    }
}

/// Puts messages into the outbox.
pub fn enqueue(connection: &mut AnyConnection, new: &[NewDelivery], now: OffsetDateTime) -> Result<(), StoreError> {
    let row = |new| {
        let new: &NewDelivery = new;
        let NewDelivery { id, event, notice, duty, rung, endpoint, organisation, tenant, .. } = new;
        let NewDelivery { lane, deadline_at, due_at, held, .. } = new;
        InsertRow {
            id: id.as_str(),
            r#type: event.as_str(),
            notice_id: notice.as_ref().map(NoticeId::as_str),
            duty_id: duty.as_ref().map(|(duty, _)| duty.as_str()),
            step: duty.as_ref().map(|(_, step)| *step).or(rung.map(Rung::code)),
            endpoint_id: endpoint.as_str(),
            organisation_id: organisation.as_str(),
            tenant_id: tenant.as_str(),
            lane: lane.index(),
            state: "open",
            next_at: if *held { HELD } else { micros(*due_at) },
            deadline_at: micros(*deadline_at),
            attempts: 0,
            lease: 0,
            created_at: micros(now),
        }
    };
    let rows: Vec<_> = new.iter().map(row).collect();
    if batch::insert(connection, &rows)? > 0 {
        wake::tell(connection)?;
    }
    Ok(())
}

/// The endpoints that `notices` were put into the outbox for, reminders included, as pairs. For the service's own bookkeeping.
pub fn tried(connection: &mut AnyConnection, notices: &[String]) -> Result<Vec<(String, EndpointId)>, StoreError> {
    let rows: Vec<(String, String)> = delivery::table
        .filter(delivery::notice_id.is_not_null())
        .filter(among(connection, delivery::notice_id, notices)?)
        .filter(delivery::type_.ne_all(EventType::OF_NOTICES.iter().map(|event| event.as_str())))
        .select((delivery::notice_id.assume_not_null(), delivery::endpoint_id))
        .load(connection)?;
    let pair = |(notice, id): (String, String)| {
        let endpoint = Door { table: "delivery", id: &id }.parse("endpoint_id", &id)?;
        Ok((notice, endpoint))
    };
    rows.into_iter().map(pair).collect()
}

/// The deliveries of notices that are owed to an endpoint, also those given up as gone, each with its notice.
pub fn owed_notices(
    connection: &mut AnyConnection,
    endpoint: &EndpointId,
) -> Result<Vec<(String, String)>, StoreError> {
    Ok(delivery::table
        .filter(delivery::endpoint_id.eq(endpoint.as_str()).and(delivery::notice_id.is_not_null()))
        .filter(delivery::state.eq_any(["open", "gone"]))
        .select((delivery::id, delivery::notice_id.assume_not_null()))
        .load(connection)?)
}

/// Ends `deliveries`; a late result of theirs changes nothing.
pub fn close(connection: &mut AnyConnection, deliveries: &[&str]) -> Result<(), StoreError> {
    let these = among(connection, delivery::id, deliveries)?;
    diesel::update(delivery::table.filter(these))
        .set((delivery::state.eq("closed"), delivery::lease.eq(delivery::lease + 1)))
        .execute(connection)?;
    Ok(())
}

/// Makes what was held back of a version of an incident due at once; answers how many messages.
pub fn open_held(
    connection: &mut AnyConnection,
    incident: &IncidentId,
    version: i32,
    now: OffsetDateTime,
) -> Result<usize, StoreError> {
    let of_version = notice::table
        .filter(notice::incident_id.eq(incident.as_str()).and(notice::incident_version.eq(version)))
        .select(notice::id.nullable());
    let held = delivery::table
        .filter(delivery::notice_id.eq_any(of_version))
        .filter(delivery::state.eq("open").and(delivery::next_at.eq(HELD)));
    let opened = diesel::update(held).set(delivery::next_at.eq(micros(now))).execute(connection)?;
    wake::tell(connection)?;
    Ok(opened)
}

/// A notice that an endpoint has still to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// The notice.
    pub notice: NoticeId,
    /// What tells it.
    pub event: EventType,
    /// Whether it waits for a second person's release.
    pub held: bool,
}

/// The notices that `endpoint` may hear of, that have not reached its organisation, and that are not on their way to it. Drills
/// are told to nobody.
pub fn notices_to_tell(connection: &mut AnyConnection, endpoint: &Endpoint) -> Result<Vec<Untold>, StoreError> {
    let on_its_way = delivery::table
        .filter(delivery::notice_id.eq(notice::id.nullable()))
        .filter(delivery::endpoint_id.eq(endpoint.id.as_str()))
        .filter(delivery::state.eq("open"));
    let mut query = notice::table
        .filter(notice::controller_id.eq(endpoint.organisation.as_str()))
        .filter(notice::delivered_at.is_null())
        .filter(notice::drill.eq(false))
        .filter(not(exists(on_its_way)))
        .into_boxed();
    if endpoint.created_by != endpoint.organisation {
        query = query.filter(notice::processor_id.eq(endpoint.created_by.as_str()));
    }
    let awaited = incident_version::table
        .filter(incident_version::incident_id.eq(notice::incident_id))
        .filter(incident_version::version.eq(notice::incident_version))
        .filter(incident_version::release_state.eq("awaited"));
    let found: Vec<(String, String, bool)> =
        query.order(notice::id).select((notice::id, notice::type_, exists(awaited))).load(connection)?;
    let untold = |(id, event, held): &(String, String, bool)| {
        let door = Door { table: "notice", id };
        let event = EventType::from_code(event).ok_or_else(|| door.corrupt("type"))?;
        Ok(Untold { notice: door.parse("id", id)?, event, held: *held })
    };
    found.iter().map(untold).collect()
}
