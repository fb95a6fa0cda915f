//! Everything that happened to one notice, in order of time, out of the tables that hold it. A controller sees what concerns itself.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use serde::Serialize;
use time::OffsetDateTime;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::notices::seen_by;
use super::row::Door;
use super::schema::notice;
use crate::domain::endpoint::EndpointId;
use crate::domain::id::{NoticeId, OrganisationId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::vocabulary::Channel;

/// Something that happened to a notice.
#[derive(Debug, Clone, Serialize)]
pub struct HistoryItem {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    kind: &'static str,
    object: String,
    number: Option<i32>,
    endpoint: Option<EndpointId>,
    channel: Option<Channel>,
    what: Option<String>,
    result: Option<String>,
    reason: Option<String>,
    status: Option<i32>,
    by: Option<String>,
    #[serde(skip)]
    key: String,
}

/// A source of the history: what it is called, and whether it is the processor's own business.
struct Source {
    kind: &'static str,
    internal: bool,
    sql: &'static str,
}

/// In the order in which they stand where two things happened at the same instant. All have the columns of the first one.
const SOURCES: [Source; 9] = [
    Source {
        kind: "made",
        internal: false,
        sql: "SELECT n.created_at AS at, 0 AS place, n.id AS object, n.sequence AS number, CAST(NULL AS TEXT) AS endpoint, \
              n.type AS what, CAST(NULL AS TEXT) AS result, CAST(NULL AS TEXT) AS reason, \
              CAST(NULL AS INTEGER) AS status, CAST(NULL AS TEXT) AS by_name FROM notice n WHERE n.id = $1",
    },
    Source {
        kind: "released",
        internal: true,
        sql: "SELECT v.released_at, 1, v.incident_id, v.version, NULL, NULL, v.release_state, NULL, NULL, v.released_by \
              FROM notice n JOIN incident_version v ON v.incident_id = n.incident_id AND v.version = n.incident_version \
              WHERE n.id = $1 AND v.released_at IS NOT NULL AND v.release_state IN ('released', 'sent_without')",
    },
    Source {
        kind: "redelivery_requested",
        internal: false,
        sql: "SELECT l.at, 2, l.object, CAST(l.sequence AS INTEGER), NULL, NULL, NULL, NULL, NULL, l.subject \
              FROM ledger l WHERE l.stream = $1 AND l.kind = 'notice.redelivery_requested'",
    },
    Source {
        kind: "attempted",
        internal: false,
        sql: "SELECT a.started_at, 3, d.id, a.number, d.endpoint_id, d.type, a.outcome, a.kind, a.status, NULL \
              FROM notice n JOIN delivery d ON d.notice_id = n.id JOIN attempt a ON a.delivery_id = d.id \
              WHERE n.id = $1 AND ($2 = n.processor_id OR d.organisation_id = n.controller_id)",
    },
    Source {
        kind: "mail_reported",
        internal: false,
        sql: "SELECT m.received_at, 4, m.id, m.number, d.endpoint_id, d.type, m.action, m.status, NULL, NULL \
              FROM notice n JOIN delivery d ON d.notice_id = n.id JOIN mail_report m ON m.delivery_id = d.id \
              WHERE n.id = $1 AND ($2 = n.processor_id OR d.organisation_id = n.controller_id)",
    },
    Source {
        kind: "receipt",
        internal: false,
        sql: "SELECT r.at, 5, r.id, 0, NULL, r.level, NULL, r.means, NULL, r.by_name FROM receipt r WHERE r.notice_id = $1",
    },
    Source {
        kind: "escalated",
        internal: true,
        sql: "SELECT e.fired_at, 6, e.ladder, e.step + 1, NULL, e.action, e.state, e.outcome, NULL, NULL \
              FROM escalation e WHERE e.notice_id = $1 AND e.fired_at IS NOT NULL",
    },
    Source {
        kind: "task_created",
        internal: true,
        sql: "SELECT t.created_at, 7, t.id, 0, NULL, t.means, NULL, t.role, NULL, NULL FROM task t WHERE t.notice_id = $1",
    },
    Source {
        kind: "task_result",
        internal: true,
        sql: "SELECT o.at, 8, t.id, o.number, NULL, t.means, o.outcome, o.spoke_to, NULL, o.by_name \
              FROM task t JOIN task_result o ON o.task_id = t.id WHERE t.notice_id = $1",
    },
];

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    at: i64,
    #[diesel(sql_type = Integer)]
    place: i32,
    #[diesel(sql_type = Text)]
    object: String,
    #[diesel(sql_type = Integer)]
    number: i32,
    #[diesel(sql_type = Nullable<Text>)]
    endpoint: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    what: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    result: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    status: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    by_name: Option<String>,
}

/// One page of what happened to the notice `id`, oldest first; `None` if `tenant` neither sent nor got it.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &NoticeId,
    page: &PageRequest,
) -> Result<Option<Page<HistoryItem>>, StoreError> {
    let seen = notice::table.find(id.as_str()).filter(seen_by(tenant));
    let processor: Option<String> = seen.select(notice::processor_id).first(connection).optional()?;
    let Some(processor) = processor else { return Ok(None) };
    let is_processor = processor == tenant.as_str();
    let sources = SOURCES.iter().filter(|source| is_processor || !source.internal);
    let union = sources.map(|source| source.sql).collect::<Vec<_>>().join(" UNION ALL ");
    let sql = format!(
        "SELECT * FROM ({union}) AS events WHERE (at, place, object, number) > ($3, $4, $5, $6) \
         ORDER BY at, place, object, number LIMIT $7"
    );
    let (at, place, number, object) = place_after(page.after.as_deref());
    let rows: Vec<Row> = diesel::sql_query(sql)
        .bind::<Text, _>(id.as_str())
        .bind::<Text, _>(tenant.as_str())
        .bind::<BigInt, _>(at)
        .bind::<Integer, _>(place)
        .bind::<Text, _>(object)
        .bind::<Integer, _>(number)
        .bind::<BigInt, _>(page.limit + 1)
        .load(connection)?;
    let items = rows.into_iter().map(HistoryItem::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Page::cut(items, page.limit, |item| item.key.clone())))
}

/// What a cursor says: time, source, number and object of the last item seen; the beginning for one that says nothing.
fn place_after(cursor: Option<&str>) -> (i64, i32, i32, &str) {
    let read = |cursor: &'_ str| -> Option<(i64, i32, i32)> {
        let mut parts = cursor.splitn(4, ':');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let object = cursor.and_then(|cursor| cursor.splitn(4, ':').nth(3)).unwrap_or_default();
    cursor.and_then(read).map_or((-1, 0, 0, ""), |(at, place, number)| (at, place, number, object))
}

impl TryFrom<Row> for HistoryItem {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let door = Door { table: "notice", id: &row.object };
        let source = usize::try_from(row.place).ok().and_then(|place| SOURCES.get(place));
        let endpoint: Option<EndpointId> = row.endpoint.map(|id| door.parse("endpoint_id", &id)).transpose()?;
        Ok(Self {
            at: door.instant("at", row.at)?,
            kind: source.ok_or_else(|| door.corrupt("kind"))?.kind,
            number: Some(row.number).filter(|number| *number > 0),
            channel: endpoint.as_ref().map(EndpointId::channel),
            key: format!("{}:{}:{}:{}", row.at, row.place, row.number, row.object),
            endpoint,
            object: row.object,
            what: row.what,
            result: row.result,
            reason: row.reason,
            status: row.status,
            by: row.by_name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_where_the_next_page_begins() {
        assert_eq!(place_after(None), (-1, 0, 0, ""));
        assert_eq!(place_after(Some("17:3:2:dlv_x")), (17, 3, 2, "dlv_x"));
        for nonsense in ["", "x", "1:2", "1:x:2:y"] {
            assert_eq!(place_after(Some(nonsense)).0, -1, "{nonsense}");
        }
    }

    #[test]
    fn every_source_stands_at_its_own_place() {
        for (place, source) in SOURCES.iter().enumerate() {
            assert!(source.sql.contains(&format!(", {place}")), "{}", source.kind);
        }
    }
}
