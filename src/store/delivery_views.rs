//! Deliveries of a notice with their attempts, as they are shown. Changes nothing.

use diesel::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::mail_evidence::{self, MailView};
use super::row::{Door, micros};
use super::schema::{attempt, delivery, notice};
use crate::domain::endpoint::EndpointId;
use crate::domain::id::{NoticeId, OrganisationId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::vocabulary::Channel;

/// One attempt as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptView {
    /// From 1.
    pub number: i32,
    /// UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// UTC; absent while it is under way or if it was cut off: it may have been sent.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// Outcome.
    pub outcome: Option<String>,
    /// Reason of a failure.
    pub kind: Option<String>,
    /// HTTP status.
    pub status: Option<i32>,
    /// Where it was sent.
    pub url: String,
    /// The address that was reached.
    pub peer: Option<String>,
    /// SHA-256 of the request body.
    pub request_sha256: Option<String>,
    /// SHA-256 of what was read of the answer.
    pub response_sha256: Option<String>,
    /// How long it took, milliseconds.
    pub duration_ms: Option<f64>,
    /// For e-mail: the dialogue and what was reported later.
    pub mail: Option<MailView>,
}

/// One delivery with its attempts as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryView {
    /// The id, which is also the `webhook-id`.
    pub id: String,
    /// The notice.
    pub notice: NoticeId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The way to it.
    pub channel: Channel,
    /// Type of event.
    #[serde(rename = "type")]
    pub kind: String,
    /// `open`, `delivered` or `gone`.
    pub state: String,
    /// Whether the time of the notice has passed and it has not arrived; it is still owed.
    pub overdue: bool,
    /// When it is tried again, UTC; absent when finished.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_at: Option<OffsetDateTime>,
    /// Oldest first.
    pub attempts: Vec<AttemptView>,
}

/// One page of the deliveries of a notice with all their attempts. The caller has checked that the notice is in its scope.
pub fn of_notice(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    told: &NoticeId,
    page: &PageRequest,
    now: OffsetDateTime,
) -> Result<Page<DeliveryView>, StoreError> {
    let mine = notice::table.filter(notice::id.eq(told.as_str()).and(notice::processor_id.eq(tenant.as_str())));
    let due: Option<(i64, bool)> =
        mine.select((notice::deadline_at, notice::delivered_at.is_null())).first(connection).optional()?;
    let Some((deadline_at, not_there)) = due else { return Ok(Page::cut(Vec::new(), page.limit, |_| String::new())) };
    let is_late = not_there && deadline_at <= micros(now);
    let mut query = delivery::table.filter(delivery::notice_id.eq(told.as_str())).into_boxed();
    if let Some(after) = &page.after {
        query = query.filter(delivery::id.gt(after.clone()));
    }
    let rows: Vec<(String, String, String, String, i64)> = query
        .order(delivery::id)
        .limit(page.limit + 1)
        .select((delivery::id, delivery::endpoint_id, delivery::type_, delivery::state, delivery::next_at))
        .load(connection)?;
    let ids: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    let mut attempts = attempts(connection, &ids)?;
    let mut views = Vec::new();
    for (id, endpoint, kind, state, next_at) in rows {
        let door = Door { table: "delivery", id: &id };
        let next_at = if state == "open" { Some(door.instant("next_at", next_at)?) } else { None };
        let attempts = attempts.remove(&id).unwrap_or_default();
        let endpoint: EndpointId = door.parse("endpoint_id", &endpoint)?;
        let channel = endpoint.channel();
        let overdue = is_late && ["open", "gone"].contains(&state.as_str());
        let notice = told.clone();
        views.push(DeliveryView { id, notice, endpoint, channel, kind, state, overdue, next_at, attempts });
    }
    Ok(Page::cut(views, page.limit, |view| view.id.clone()))
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = attempt)]
struct AttemptRow {
    delivery_id: String,
    number: i32,
    started_at: i64,
    ended_at: Option<i64>,
    url: String,
    outcome: Option<String>,
    kind: Option<String>,
    status: Option<i32>,
    peer: Option<String>,
    request_sha256: Option<String>,
    response_sha256: Option<String>,
    duration_us: Option<i64>,
}

/// The attempts of deliveries, oldest first.
fn attempts(
    connection: &mut AnyConnection,
    ids: &[&str],
) -> Result<std::collections::HashMap<String, Vec<AttemptView>>, StoreError> {
    let rows: Vec<AttemptRow> = attempt::table
        .filter(attempt::delivery_id.eq_any(ids))
        .order((attempt::delivery_id, attempt::number))
        .select(AttemptRow::as_select())
        .load(connection)?;
    let mut mails = mail_evidence::views(connection, ids)?;
    let mut views: std::collections::HashMap<String, Vec<AttemptView>> = std::collections::HashMap::new();
    for row in rows {
        let door = Door { table: "attempt", id: &row.delivery_id };
        #[expect(clippy::cast_precision_loss, reason = "durations of seconds keep every microsecond in f64")]
        let duration_ms = row.duration_us.map(|micros| micros as f64 / 1000.0);
        let view = AttemptView {
            number: row.number,
            started_at: door.instant("started_at", row.started_at)?,
            ended_at: door.instant_option("ended_at", row.ended_at)?,
            outcome: row.outcome,
            kind: row.kind,
            status: row.status,
            url: row.url,
            peer: row.peer,
            request_sha256: row.request_sha256,
            response_sha256: row.response_sha256,
            duration_ms,
            mail: mails.remove(&(row.delivery_id.clone(), row.number)),
        };
        views.entry(row.delivery_id).or_default().push(view);
    }
    Ok(views)
}
