//! What is sent again because somebody asks for it: one notice whole, or all that failed in a span of time.

use diesel::dsl::{case_when, exists, not};
use diesel::prelude::*;
use diesel::sql_types::Integer;
use time::OffsetDateTime;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::notices::is_out;
use super::row::{Door, micros};
use super::schema::{attempt, delivery, endpoint, mail_report, notice};
use crate::domain::delivery::Lane;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::id::{NoticeId, OrganisationId};
use crate::domain::redelivery::Redelivery;

/// Makes every delivery that told a notice due at once, whatever became of it, but not at the endpoints `forbidden`; answers
/// their ids. The same `webhook-id` goes out again.
pub fn reopen(
    connection: &mut AnyConnection,
    notice: &NoticeId,
    forbidden: &[EndpointId],
    now: OffsetDateTime,
) -> Result<Vec<String>, StoreError> {
    // Neither what reminded of the notice, nor what told the processor itself of it.
    let telling = EventType::NOTICES.iter().map(|event| event.as_str());
    let elsewhere: Vec<&str> = forbidden.iter().map(EndpointId::as_str).collect();
    let told = delivery::notice_id
        .eq(notice.as_str())
        .and(delivery::type_.eq_any(telling.collect::<Vec<_>>()))
        .and(delivery::endpoint_id.ne_all(elsewhere));
    let retired = endpoint::table.filter(endpoint::retired_at.is_not_null()).select(endpoint::id);
    let told = told.and(delivery::endpoint_id.ne_all(retired));
    let ids: Vec<String> = delivery::table.filter(told.clone()).select(delivery::id).load(connection)?;
    let by_mail = delivery::lane.eq(Lane::Mail.index());
    let replay = Lane::Replay.index().into_sql::<Integer>();
    // A new lease value takes the work from whoever is at it, so that its late result changes nothing.
    diesel::update(delivery::table.filter(told))
        .set((
            delivery::state.eq("open"),
            delivery::lane.eq(case_when(by_mail, delivery::lane).otherwise(replay)),
            delivery::next_at.eq(micros(now)),
            delivery::due_at.eq(0),
            delivery::lease.eq(delivery::lease + 1),
        ))
        .execute(connection)?;
    Ok(ids)
}

/// A delivery that failed and has not arrived since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The delivery.
    pub delivery: String,
    /// Its notice.
    pub notice: NoticeId,
    /// The controller whom the notice tells.
    pub controller: OrganisationId,
    lease: i64,
    lane: Lane,
}

/// Attempts that failed, as codes of their outcome.
const FAILURES: [&str; 3] = ["transient", "configuration", "gone"];

/// The deliveries of the notices of `processor` that are wanted, by notice. Not what somebody is at, nor what waits for a release.
pub fn failed(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    wanted: &Redelivery,
) -> Result<Vec<Failed>, StoreError> {
    let until = wanted.until.map_or(i64::MAX, micros);
    let failures = attempt::table
        .filter(attempt::delivery_id.eq(delivery::id))
        .filter(attempt::outcome.eq_any(FAILURES))
        .filter(attempt::ended_at.between(micros(wanted.since), until));
    let bounces = mail_report::table
        .filter(mail_report::delivery_id.eq(delivery::id))
        .filter(mail_report::action.eq("failed"))
        .filter(mail_report::received_at.between(micros(wanted.since), until));
    let under_way = diesel::alias!(attempt as running);
    let under_way = under_way
        .filter(under_way.field(attempt::delivery_id).eq(delivery::id))
        .filter(under_way.field(attempt::number).eq(delivery::attempts))
        .filter(under_way.field(attempt::ended_at).is_null());
    let mut query = delivery::table
        .inner_join(notice::table.on(notice::id.nullable().eq(delivery::notice_id)))
        .filter(notice::processor_id.eq(processor.as_str()).and(is_out()))
        .filter(notice::acknowledged_at.is_null().and(notice::disputed_at.is_null()))
        .filter(delivery::state.eq_any(["open", "gone"]))
        .filter(delivery::type_.eq_any(EventType::NOTICES.iter().map(|event| event.as_str())))
        .filter(exists(failures).or(exists(bounces)))
        .filter(not(exists(under_way)))
        .into_boxed();
    if let Some(endpoint) = &wanted.endpoint {
        query = query.filter(delivery::endpoint_id.eq(endpoint.as_str()));
    }
    if let Some(controller) = &wanted.controller {
        query = query.filter(notice::controller_id.eq(controller.as_str()));
    }
    if let Some(incident) = &wanted.incident {
        query = query.filter(notice::incident_id.eq(incident.as_str()));
    }
    let rows: Vec<(String, String, String, i64, i32)> = query
        .order((notice::id, delivery::id))
        .select((delivery::id, notice::id, notice::controller_id, delivery::lease, delivery::lane))
        .load(connection)?;
    let failed = rows.into_iter().map(|(delivery, notice, controller, lease, lane)| {
        let door = Door { table: "delivery", id: &delivery };
        Ok(Failed {
            notice: door.parse("notice_id", &notice)?,
            controller: door.parse("notice_id", &controller)?,
            lane: Lane::from_index(lane).ok_or_else(|| door.corrupt("lane"))?,
            lease,
            delivery,
        })
    });
    failed.collect()
}

batch::row! {
    AgainRow in "delivery" {
        id: &'a str,
        lease: i64,
        state: &'static str,
        lane: i32,
        next_at: i64,
    }
}

/// Makes `failed` due at once. Whatever was claimed or closed since it was read is left alone.
pub fn send_again(connection: &mut AnyConnection, failed: &[Failed], now: OffsetDateTime) -> Result<(), StoreError> {
    let row = |one| {
        let Failed { delivery, lease, lane, .. }: &Failed = one;
        AgainRow { id: delivery, lease: *lease, state: "open", lane: lane.replayed().index(), next_at: micros(now) }
    };
    let rows: Vec<_> = failed.iter().map(row).collect();
    batch::update(connection, &["id", "lease"], &["state", "lane", "next_at"], &rows)?;
    Ok(())
}
