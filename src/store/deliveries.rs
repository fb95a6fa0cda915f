//! The outbox: claiming work by lease, writing results, reading the history. `next_at` is due time and end of the lease in one.

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use time::OffsetDateTime;

use super::among::among;
use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{attempt, delivery, notice};
use crate::domain::delivery::Lane;
use crate::domain::event::EventType;
use crate::domain::id::NoticeId;

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
         UPDATE delivery SET attempts = attempts + 1, lease = lease + 1, next_at = $5, \
         due_at = CASE WHEN due_at > 0 THEN due_at ELSE next_at END \
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
#[derive(Debug, Clone)]
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

batch::columns!(PutBack, "delivery", id lease attempts next_at);

/// Puts claimed deliveries back without charging an attempt.
pub fn put_back(connection: &mut AnyConnection, rows: &[PutBack]) -> Result<(), StoreError> {
    batch::update(connection, &["id", "lease"], &["attempts", "next_at"], rows)?;
    Ok(())
}

/// Opens the attempts of claimed deliveries: from now on each may have been sent.
pub(crate) fn open_attempts(connection: &mut AnyConnection, rows: &[NewAttemptRow<'_>]) -> Result<(), StoreError> {
    batch::insert(connection, rows)?;
    Ok(())
}

/// How an attempt ended, for its row.
#[derive(Debug, Clone)]
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

batch::columns!(
    EndedAttempt, "attempt",
    delivery_id number ended_at outcome kind status peer response_sha256 duration_us
);

/// What becomes of a delivery after an attempt, for its row.
#[derive(Debug, Clone)]
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
    /// Nothing: the time that it was due is kept from the first claim until something came of it.
    pub due_at: i64,
}

batch::columns!(FinishedDelivery, "delivery", id lease state lane next_at uncharged due_at);

/// Closes attempts; also those whose lease was lost, since they happened.
pub fn close_attempts(connection: &mut AnyConnection, ended: &[EndedAttempt]) -> Result<(), StoreError> {
    const SET: &[&str] = &["ended_at", "outcome", "kind", "status", "peer", "response_sha256", "duration_us"];
    batch::update(connection, &["delivery_id", "number"], SET, ended)?;
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

/// Writes what becomes of deliveries, fenced by their lease.
pub fn finish(connection: &mut AnyConnection, finished: &[FinishedDelivery]) -> Result<(), StoreError> {
    batch::update(connection, &["id", "lease"], &["state", "lane", "next_at", "uncharged", "due_at"], finished)?;
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

/// The code of an event type in the outbox, back as a type.
pub fn event_type(claimed: &Claimed) -> Result<EventType, StoreError> {
    let door = Door { table: "delivery", id: &claimed.id };
    EventType::from_code(&claimed.kind).ok_or_else(|| door.corrupt("type"))
}
