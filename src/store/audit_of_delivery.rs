//! What an audit of delivery reads. Shares no query with what claims, fires or shows: a fault there must not hide itself here.
//!
//! Looks at every tenant, for the operator alone, and answers ids, counts and times only.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use time::{Duration, OffsetDateTime};

use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use crate::domain::id::NoticeId;
use crate::domain::terms::Ladders;

/// A delivery that is due later than that will never be tried: no wait is that long.
const HORIZON: Duration = Duration::days(2);

/// A part of the queue.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Waiting {
    /// The lane, as the database keeps it.
    #[diesel(sql_type = Integer)]
    pub lane: i32,
    /// Messages that are owed.
    #[diesel(sql_type = BigInt)]
    pub owed: i64,
    /// When the first of them is due, microseconds.
    #[diesel(sql_type = BigInt)]
    pub first_at: i64,
}

/// How many endpoints have something in common.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Counted {
    /// Their channel.
    #[diesel(sql_type = Text)]
    pub channel: String,
    /// Their health, a code.
    #[diesel(sql_type = Text)]
    pub code: String,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
}

/// Open notices that are out: neither acknowledged nor disputed as not its own, no drill, not held back, not withdrawn, and with no later notice out.
const OPEN: &str = "FROM notice AS n JOIN incident AS i ON i.id = n.incident_id \
    WHERE n.acknowledged_at IS NULL AND NOT n.drill AND coalesce(n.dispute_reason, '') <> 'not_ours' AND i.withdrawn_at IS NULL \
    AND NOT EXISTS (SELECT 1 FROM incident_version AS v WHERE v.incident_id = n.incident_id \
        AND v.version = n.incident_version AND v.release_state = 'awaited') \
    AND NOT EXISTS (SELECT 1 FROM notice AS l WHERE l.incident_id = n.incident_id AND l.controller_id = n.controller_id \
        AND l.sequence > n.sequence AND NOT l.drill \
        AND NOT EXISTS (SELECT 1 FROM incident_version AS w WHERE w.incident_id = l.incident_id \
            AND w.version = l.incident_version AND w.release_state = 'awaited'))";

/// Not arrived, and nobody tries: no delivery that will be due, no step of a ladder, no task. `$1` is the horizon.
const LOST: &str = "n.delivered_at IS NULL \
    AND NOT EXISTS (SELECT 1 FROM delivery AS d WHERE d.notice_id = n.id AND d.state = 'open' AND d.next_at < $1) \
    AND NOT EXISTS (SELECT 1 FROM escalation AS e WHERE e.notice_id = n.id AND e.state = 'open') \
    AND NOT EXISTS (SELECT 1 FROM task AS t WHERE t.notice_id = n.id AND t.state = 'open' AND t.step IS NOT NULL)";

/// Arrived, not acknowledged, still within its time (`$2`), and the ladder broke off: its last step has no successor although the
/// agreement has one, by default as many as `$3`.
fn forgotten(connection: &AnyConnection) -> String {
    let steps = match connection {
        AnyConnection::Sqlite(_) => "json_array_length(a.terms, '$.escalation.until_acknowledged')",
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(_) => "json_array_length(a.terms::json -> 'escalation' -> 'until_acknowledged')",
    };
    format!(
        "n.delivered_at IS NOT NULL AND n.deadline_at > $2 \
         AND NOT EXISTS (SELECT 1 FROM escalation AS e WHERE e.notice_id = n.id AND e.ladder = 'acknowledged' \
             AND e.state IN ('open', 'not_needed')) \
         AND (SELECT coalesce(max(e.step), -1) + 1 FROM escalation AS e \
             WHERE e.notice_id = n.id AND e.ladder = 'acknowledged') \
         < coalesce((SELECT {steps} FROM agreement_version AS a \
             WHERE a.agreement_id = n.agreement_id AND a.version = n.agreement_version), $3)"
    )
}

/// The open notices that nothing will happen to any more, although they need it: how many, and the first `limit` of them.
pub fn without_next_step(
    connection: &mut AnyConnection,
    now: OffsetDateTime,
    limit: i64,
) -> Result<(i64, Vec<NoticeId>), StoreError> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Text)]
        id: String,
        #[diesel(sql_type = BigInt)]
        total: i64,
    }
    let forgotten = forgotten(connection);
    let sql =
        format!("SELECT n.id, count(*) OVER () AS total {OPEN} AND (({LOST}) OR ({forgotten})) ORDER BY n.id LIMIT $4");
    let default = i64::try_from(Ladders::default().until_acknowledged.len()).unwrap_or(i64::MAX);
    let found: Vec<Found> = sql_query(sql)
        .bind::<BigInt, _>(micros(now + HORIZON))
        .bind::<BigInt, _>(micros(now))
        .bind::<BigInt, _>(default)
        .bind::<BigInt, _>(limit)
        .load(connection)?;
    let total = found.first().map_or(0, |found| found.total);
    let id = |found: &Found| Door { table: "notice", id: &found.id }.parse("id", &found.id);
    Ok((total, found.iter().map(id).collect::<Result<_, _>>()?))
}

/// What is owed in each lane that is not empty; what waits for a release is not.
pub fn waiting(connection: &mut AnyConnection, now: OffsetDateTime) -> Result<Vec<Waiting>, StoreError> {
    let sql = "SELECT lane, count(*) AS owed, min(next_at) AS first_at FROM delivery \
               WHERE state = 'open' AND next_at < $1 GROUP BY lane";
    Ok(sql_query(sql).bind::<BigInt, _>(micros(now + HORIZON)).load(connection)?)
}

/// How many open deliveries were claimed `times` times in a row and nothing is known of it: they cannot be made ready, their results
/// cannot be written, or whoever is at them dies.
pub fn stuck(connection: &mut AnyConnection, times: i32) -> Result<i64, StoreError> {
    #[derive(QueryableByName)]
    struct Stuck {
        #[diesel(sql_type = BigInt)]
        stuck: i64,
    }
    let sql = "SELECT count(*) AS stuck FROM delivery AS d WHERE d.state = 'open' AND d.attempts >= $1 AND NOT EXISTS (SELECT 1 \
               FROM attempt AS a WHERE a.delivery_id = d.id AND a.number > d.attempts - $1 AND a.ended_at IS NOT NULL)";
    let found: Stuck = sql_query(sql).bind::<Integer, _>(times).get_result(connection)?;
    Ok(found.stuck)
}

/// When the first open step of a ladder is due, UTC.
pub fn first_step_at(connection: &mut AnyConnection) -> Result<Option<OffsetDateTime>, StoreError> {
    earliest(connection, "escalation", "SELECT min(due_at) AS at FROM escalation WHERE state = 'open'")
}

/// When the first alarm of a duty is due, UTC.
pub fn first_alarm_at(connection: &mut AnyConnection) -> Result<Option<OffsetDateTime>, StoreError> {
    earliest(connection, "duty", "SELECT min(next_alarm_at) AS at FROM duty WHERE next_alarm_at IS NOT NULL")
}

fn earliest(
    connection: &mut AnyConnection,
    table: &'static str,
    sql: &str,
) -> Result<Option<OffsetDateTime>, StoreError> {
    #[derive(QueryableByName)]
    struct Earliest {
        #[diesel(sql_type = Nullable<BigInt>)]
        at: Option<i64>,
    }
    let earliest: Earliest = sql_query(sql).get_result(connection)?;
    Door { table, id: "" }.instant_option("at", earliest.at)
}

/// Endpoints that are not retired, by channel and health.
pub fn endpoints(connection: &mut AnyConnection) -> Result<Vec<Counted>, StoreError> {
    let sql = "SELECT channel, health AS code, count(*) AS count FROM endpoint WHERE retired_at IS NULL GROUP BY channel, health";
    Ok(sql_query(sql).load(connection)?)
}

/// One walk through the index of the board; grouped, a million rows would be sorted first.
const BY_STATE: &str = "SELECT count(*) FILTER (WHERE state = 'not_started') AS not_started, \
    count(*) FILTER (WHERE state = 'running') AS running, \
    count(*) FILTER (WHERE state = 'breached') AS breached FROM duty WHERE is_open";

/// How many duties are open, by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct OpenDuties {
    /// Their clock has not begun.
    #[diesel(sql_type = BigInt)]
    pub not_started: i64,
    /// Their clock runs.
    #[diesel(sql_type = BigInt)]
    pub running: i64,
    /// They are overdue.
    #[diesel(sql_type = BigInt)]
    pub breached: i64,
}

/// Counts the open duties of all tenants.
pub fn open_duties(connection: &mut AnyConnection) -> Result<OpenDuties, StoreError> {
    Ok(sql_query(BY_STATE).get_result(connection)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::connection::{Target, migrate};

    #[derive(QueryableByName)]
    struct Plan {
        #[diesel(sql_type = Text)]
        detail: String,
    }

    #[test]
    fn open_duties_are_counted_without_a_look_at_them() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = Target::Sqlite(directory.path().join("art33.db")).open().unwrap();
        migrate(&mut connection).unwrap();
        let plan: Vec<Plan> = sql_query(format!("EXPLAIN QUERY PLAN {BY_STATE}")).load(&mut connection).unwrap();
        let plan: Vec<&str> = plan.iter().map(|step| step.detail.as_str()).collect();
        assert_eq!(plan, ["SCAN duty USING COVERING INDEX duty_board_processor"]);
    }
}
