//! The outbox: claiming work by lease, writing results, reading the history. `next_at` is due time and end of the lease in one.

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use serde::Serialize;
use time::OffsetDateTime;

use super::among::among;
use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::mail_evidence::{self, MailView};
use super::row::{Door, micros};
use super::schema::{attempt, delivery, notice};
use crate::domain::delivery::Lane;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::id::{NoticeId, OrganisationId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::vocabulary::Channel;

batch::row! {
    /// An attempt as it is opened with the claim.
    NewAttemptRow in "attempt" {
        delivery_id: &'a str,
        number: i32,
        started_at: i64,
        url: &'a str,
        request_sha256: Option<&'a str>,
    }
}

/// A delivery that this worker holds until its lease ends.
#[derive(Debug, Clone, QueryableByName)]
pub struct Claimed {
    /// The delivery; also the `webhook-id`.
    #[diesel(sql_type = Text)]
    pub id: String,
    /// Type of event.
    #[diesel(sql_type = Text, column_name = "type")]
    pub kind: String,
    /// The notice, for notice events.
    #[diesel(sql_type = Nullable<Text>)]
    pub notice_id: Option<String>,
    /// The duty, for duty events.
    #[diesel(sql_type = Nullable<Text>)]
    pub duty_id: Option<String>,
    /// The step of the duty's clock.
    #[diesel(sql_type = Nullable<Integer>)]
    pub step: Option<i32>,
    /// The endpoint.
    #[diesel(sql_type = Text)]
    pub endpoint_id: String,
    /// Whose endpoint it is.
    #[diesel(sql_type = Text)]
    pub organisation_id: String,
    /// The lane it was claimed in.
    #[diesel(sql_type = Integer)]
    pub lane: i32,
    /// Number of this attempt.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// How many attempts before it are not charged.
    #[diesel(sql_type = Integer)]
    pub uncharged: i32,
    /// When it was due, microseconds.
    #[diesel(sql_type = BigInt)]
    pub due_at: i64,
    /// The token without which nothing may be written.
    #[diesel(sql_type = BigInt)]
    pub lease: i64,
    /// When it was put into the outbox, microseconds.
    #[diesel(sql_type = BigInt)]
    pub created_at: i64,
    /// End of the window, microseconds.
    #[diesel(sql_type = BigInt)]
    pub deadline_at: i64,
}

/// Whose messages of `lane` are due at `now`, in the order of their ids; one look into the index for each tenant.
pub fn tenants_due(connection: &mut AnyConnection, lane: Lane, now: OffsetDateTime) -> Result<Vec<String>, StoreError> {
    #[derive(QueryableByName)]
    struct Turn {
        #[diesel(sql_type = Text)]
        tenant: String,
    }
    let open = "FROM delivery WHERE state = 'open' AND lane = $1";
    let sql = format!(
        "WITH RECURSIVE turn (tenant) AS (SELECT min(tenant_id) {open} UNION ALL \
         SELECT (SELECT min(tenant_id) {open} AND tenant_id > turn.tenant) FROM turn WHERE turn.tenant IS NOT NULL) \
         SELECT tenant FROM turn WHERE tenant IS NOT NULL AND EXISTS (SELECT 1 {open} AND tenant_id = turn.tenant AND next_at <= $2)"
    );
    let query = diesel::sql_query(sql).bind::<Integer, _>(lane.index()).bind::<BigInt, _>(micros(now));
    let turns: Vec<Turn> = query.load(connection)?;
    Ok(turns.into_iter().map(|turn| turn.tenant).collect())
}

/// Claims up to `limit` deliveries of one tenant in a lane that are due at `now`, until `lease_end`; replicas never claim the same ones.
pub fn claim(
    connection: &mut AnyConnection,
    lane: Lane,
    tenant: &str,
    limit: i64,
    now: OffsetDateTime,
    lease_end: OffsetDateTime,
) -> Result<Vec<Claimed>, StoreError> {
    let skip = match connection {
        AnyConnection::Sqlite(_) => "",
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(_) => "FOR UPDATE SKIP LOCKED",
    };
    let sql = format!(
        "WITH due AS MATERIALIZED (SELECT id FROM delivery \
         WHERE state = 'open' AND lane = $1 AND tenant_id = $2 AND next_at <= $3 \
         ORDER BY next_at, deadline_at LIMIT $4 {skip}) \
         UPDATE delivery SET attempts = attempts + 1, lease = lease + 1, due_at = next_at, next_at = $5 \
         WHERE id IN (SELECT id FROM due) \
         RETURNING id, type, notice_id, duty_id, step, endpoint_id, organisation_id, lane, attempts, uncharged, due_at, lease, \
         created_at, deadline_at"
    );
    Ok(diesel::sql_query(sql)
        .bind::<Integer, _>(lane.index())
        .bind::<Text, _>(tenant)
        .bind::<BigInt, _>(micros(now))
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(micros(lease_end))
        .load(connection)?)
}

/// A claimed delivery that cannot go now, for its row.
#[derive(Debug, Clone, Serialize)]
pub struct PutBack {
    /// The delivery.
    pub id: String,
    /// The lease under which it was claimed.
    pub lease: i64,
    /// The attempts that were made, without this one.
    pub attempts: i32,
    /// When it is due again, microseconds.
    pub next_at: i64,
}

/// Puts claimed deliveries back without charging an attempt, in one statement.
pub fn put_back(connection: &mut AnyConnection, rows: &[PutBack]) -> Result<(), StoreError> {
    batch::update(connection, "delivery", &["id", "lease"], &["attempts", "next_at"], rows)?;
    Ok(())
}

/// Opens the attempts of claimed deliveries: from now on each may have been sent.
pub(crate) fn open_attempts(connection: &mut AnyConnection, rows: &[NewAttemptRow<'_>]) -> Result<(), StoreError> {
    batch::insert(connection, rows)?;
    Ok(())
}

/// How an attempt ended, for its row.
#[derive(Debug, Clone, Serialize)]
pub struct EndedAttempt {
    /// The delivery.
    pub delivery_id: String,
    /// Its attempt.
    pub number: i32,
    /// Microseconds since 1970 UTC.
    pub ended_at: i64,
    /// Outcome, a code.
    pub outcome: &'static str,
    /// Reason of a failure, a code.
    pub kind: Option<&'static str>,
    /// HTTP status.
    pub status: Option<i32>,
    /// Address that was reached.
    pub peer: Option<String>,
    /// SHA-256 of what was read of the answer.
    pub response_sha256: Option<String>,
    /// How long it took.
    pub duration_us: i64,
}

/// What becomes of a delivery after an attempt, for its row.
#[derive(Debug, Clone, Serialize)]
pub struct FinishedDelivery {
    /// The delivery.
    pub id: String,
    /// The lease under which it was attempted.
    pub lease: i64,
    /// `open`, `delivered` or `gone`.
    pub state: &'static str,
    /// Lane of the next attempt.
    pub lane: i32,
    /// Time of the next attempt, microseconds.
    pub next_at: i64,
    /// How many attempts are not charged.
    pub uncharged: i32,
}

/// Closes attempts, in one statement; also those whose lease was lost, since they happened.
pub fn close_attempts(connection: &mut AnyConnection, ended: &[EndedAttempt]) -> Result<(), StoreError> {
    const SET: &[&str] = &["ended_at", "outcome", "kind", "status", "peer", "response_sha256", "duration_us"];
    batch::update(connection, "attempt", &["delivery_id", "number"], SET, ended)?;
    Ok(())
}

/// Of the given (delivery, lease) pairs the deliveries that are still held, locked until the transaction ends.
pub fn still_held(connection: &mut AnyConnection, pairs: &[(&str, i64)]) -> Result<Vec<String>, StoreError> {
    let ids: Vec<&str> = pairs.iter().map(|(id, _)| *id).collect();
    let wanted = among(connection, delivery::id, &ids)?;
    let columns = (delivery::id, delivery::lease);
    let rows: Vec<(String, i64)> = match connection {
        AnyConnection::Sqlite(inner) => {
            delivery::table.filter(wanted).filter(delivery::state.eq("open")).select(columns).load(inner)?
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => {
            let open = delivery::table.filter(wanted).filter(delivery::state.eq("open"));
            open.order(delivery::id).select(columns).for_update().load(inner)?
        }
    };
    let held: std::collections::HashSet<(&str, i64)> = pairs.iter().copied().collect();
    Ok(rows.into_iter().filter(|(id, lease)| held.contains(&(id.as_str(), *lease))).map(|(id, _)| id).collect())
}

/// Writes what becomes of deliveries, fenced by their lease, in one statement.
pub fn finish(connection: &mut AnyConnection, finished: &[FinishedDelivery]) -> Result<(), StoreError> {
    batch::update(connection, "delivery", &["id", "lease"], &["state", "lane", "next_at", "uncharged"], finished)?;
    Ok(())
}

/// The due time of the next open delivery of a lane; one look into the index.
pub fn next_due(connection: &mut AnyConnection, lane: Lane) -> Result<Option<i64>, StoreError> {
    Ok(delivery::table
        .filter(delivery::state.eq("open").and(delivery::lane.eq(lane.index())))
        .order(delivery::next_at)
        .select(delivery::next_at)
        .first(connection)
        .optional()?)
}

/// The notice of a delivery, if it is neither delivered nor acknowledged.
#[diesel::dsl::auto_type]
fn not_arrived() -> _ {
    let open = notice::delivered_at.is_null().and(notice::acknowledged_at.is_null());
    notice::table.filter(notice::id.nullable().eq(delivery::notice_id).and(open))
}

/// Makes everything that is still owed to endpoints that work again due at once, also what was given up as gone of notices that
/// have not arrived by another way.
///
/// Not what waits for a release, nor what somebody is at.
pub fn hasten(connection: &mut AnyConnection, endpoints: &[String], now: OffsetDateTime) -> Result<(), StoreError> {
    if endpoints.is_empty() {
        return Ok(());
    }
    let under_way = attempt::table
        .filter(attempt::delivery_id.eq(delivery::id).and(attempt::number.eq(delivery::attempts)))
        .filter(attempt::ended_at.is_null());
    let waiting = delivery::next_at.gt(micros(now)).and(delivery::next_at.lt(super::outbox::HELD));
    let owed = delivery::state.eq("open").and(waiting).and(not(exists(under_way)));
    let told = delivery::state.eq("gone").and(exists(not_arrived()));
    diesel::update(delivery::table.filter(delivery::endpoint_id.eq_any(endpoints)).filter(owed.or(told)))
        .set((delivery::state.eq("open"), delivery::next_at.eq(micros(now)), delivery::lease.eq(delivery::lease + 1)))
        .execute(connection)?;
    Ok(())
}

/// Ends the open deliveries of a notice that was acknowledged: whoever says that it has the notice need not be asked again.
pub fn close(connection: &mut AnyConnection, notice: &NoticeId) -> Result<(), StoreError> {
    let open = delivery::table.filter(delivery::notice_id.eq(notice.as_str()).and(delivery::state.eq("open")));
    diesel::update(open)
        .set((delivery::state.eq("closed"), delivery::lease.eq(delivery::lease + 1)))
        .execute(connection)?;
    Ok(())
}

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

/// The code of an event type in the outbox, back as a type.
pub fn event_type(claimed: &Claimed) -> Result<EventType, StoreError> {
    let door = Door { table: "delivery", id: &claimed.id };
    EventType::from_code(&claimed.kind).ok_or_else(|| door.corrupt("type"))
}
