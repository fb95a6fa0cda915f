//! Putting messages into the outbox. Sends and claims nothing.

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use time::OffsetDateTime;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{delivery, notice};
use super::webhooks::Endpoint;
use crate::domain::delivery::Lane;
use crate::domain::event::EventType;
use crate::domain::id::{DeliveryId, DutyId, NoticeId, OrganisationId, WebhookId};

/// A message to one endpoint, due at once.
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
    /// The endpoint.
    pub webhook: WebhookId,
    /// Whose endpoint it is.
    pub organisation: OrganisationId,
    /// Which permits it uses.
    pub lane: Lane,
    /// Until when it is tried densely, UTC.
    pub deadline_at: OffsetDateTime,
}

batch::row! {
    InsertRow in "delivery" {
        id: &'a str,
        r#type: &'a str,
        notice_id: Option<&'a str>,
        duty_id: Option<&'a str>,
        step: Option<i32>,
        webhook_id: &'a str,
        organisation_id: &'a str,
        lane: i32,
        state: &'a str,
        next_at: i64,
        deadline_at: i64,
        attempts: i32,
        lease: i64,
        created_at: i64,
    }
}

/// Puts messages into the outbox with one statement.
pub fn enqueue(connection: &mut AnyConnection, new: &[NewDelivery], now: OffsetDateTime) -> Result<(), StoreError> {
    let row = |new| {
        let NewDelivery { id, event, notice, duty, webhook, organisation, lane, deadline_at }: &NewDelivery = new;
        InsertRow {
            id: id.as_str(),
            r#type: event.as_str(),
            notice_id: notice.as_ref().map(NoticeId::as_str),
            duty_id: duty.as_ref().map(|(duty, _)| duty.as_str()),
            step: duty.as_ref().map(|(_, step)| *step),
            webhook_id: webhook.as_str(),
            organisation_id: organisation.as_str(),
            lane: lane.index(),
            state: "open",
            next_at: micros(now),
            deadline_at: micros(*deadline_at),
            attempts: 0,
            lease: 0,
            created_at: micros(now),
        }
    };
    let rows: Vec<_> = new.iter().map(row).collect();
    batch::insert(connection, &rows)?;
    Ok(())
}

/// The notices that `endpoint` may hear of, that have not reached its organisation, and that are not on their way to it.
pub fn notices_to_tell(
    connection: &mut AnyConnection,
    endpoint: &Endpoint,
) -> Result<Vec<(NoticeId, EventType)>, StoreError> {
    let on_its_way = delivery::table
        .filter(delivery::notice_id.eq(notice::id.nullable()))
        .filter(delivery::webhook_id.eq(endpoint.id.as_str()))
        .filter(delivery::state.eq("open"));
    let mut query = notice::table
        .filter(notice::controller_id.eq(endpoint.organisation.as_str()))
        .filter(notice::delivered_at.is_null())
        .filter(not(exists(on_its_way)))
        .into_boxed();
    if endpoint.created_by != endpoint.organisation {
        query = query.filter(notice::processor_id.eq(endpoint.created_by.as_str()));
    }
    let found: Vec<(String, String)> =
        query.order(notice::id).select((notice::id, notice::type_)).load(connection)?;
    let read = |(id, kind): &(String, String)| {
        let door = Door { table: "notice", id };
        Ok((door.parse("id", id)?, EventType::from_code(kind).ok_or_else(|| door.corrupt("type"))?))
    };
    found.iter().map(read).collect()
}
