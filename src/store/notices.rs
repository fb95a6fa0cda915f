//! Notices and receipts: immutable bytes, and what became of them.

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::among::among;
use super::batch;
use super::connection::AnyConnection;
use super::duties::Part;
use super::error::StoreError;
use super::parties::names;
use super::receipts;
use super::row::{Door, micros};
use super::schema::{incident_version, notice};
use crate::domain::id::{IncidentId, NoticeId, OrganisationId};
use crate::domain::incident::{Link, Notice, NoticeState, NoticeSummary};
use crate::domain::page::{Page, PageRequest};
use crate::domain::receipt::DisputeReason;
use crate::domain::vocabulary::InformedBy;

batch::row! {
    /// A notice as it is made.
    NewNoticeRow in "notice" {
        id: &'a str,
        incident_id: &'a str,
        processor_id: &'a str,
        controller_id: &'a str,
        agreement_id: &'a str,
        agreement_version: i32,
        sequence: i32,
        r#type: &'a str,
        supersedes: Option<&'a str>,
        content: &'a str,
        content_sha256: &'a str,
        created_at: i64,
        incident_version: i32,
        complete: bool,
        drill: bool,
        deadline_at: i64,
        informed_by: &'a str,
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = notice)]
struct NoticeRow {
    id: String,
    incident_id: String,
    processor_id: String,
    controller_id: String,
    sequence: i32,
    type_: String,
    supersedes: Option<String>,
    content_sha256: String,
    created_at: i64,
    delivered_at: Option<i64>,
    acknowledged_at: Option<i64>,
    incident_version: i32,
    complete: bool,
    deadline_at: i64,
    informed_by: String,
    disputed_at: Option<i64>,
}

/// Stores notices.
pub(crate) fn insert(connection: &mut AnyConnection, rows: &[NewNoticeRow<'_>]) -> Result<(), StoreError> {
    batch::insert(connection, rows)?;
    Ok(())
}

/// Which notices a list shows.
#[derive(Debug, Clone, Default)]
pub struct NoticeFilter {
    /// Only of this incident.
    pub incident: Option<IncidentId>,
    /// Only those that stand there.
    pub state: Option<NoticeState>,
}

/// Notices that `tenant` sent or got; those of a drill, and those that wait for a release, are seen by their processor alone.
#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn seen_by<'t>(tenant: &'t OrganisationId) -> _ {
    let tenant: &'t str = tenant.as_str();
    notice::processor_id
        .eq(tenant)
        .or(notice::controller_id.eq(tenant).and(notice::drill.eq(false)).and(not(is_awaited())))
}

/// Whether the version that a notice tells waits for a second person.
#[diesel::dsl::auto_type]
fn is_awaited() -> _ {
    let its = incident_version::incident_id
        .eq(notice::incident_id)
        .and(incident_version::version.eq(notice::incident_version));
    exists(incident_version::table.filter(its).filter(incident_version::release_state.eq("awaited")))
}

/// Notices that controllers can see by now.
#[diesel::dsl::auto_type]
pub(super) fn is_out() -> _ {
    notice::drill.eq(false).and(not(is_awaited()))
}

/// One page of the inbox (`as_controller`) or outbox of `tenant`, newest first.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    filter: &NoticeFilter,
    page: &PageRequest,
) -> Result<Page<NoticeSummary>, StoreError> {
    let mut query = notice::table.filter(seen_by(tenant)).into_boxed();
    if let Some(incident) = &filter.incident {
        query = query.filter(notice::incident_id.eq(incident.as_str()));
    }
    query = match filter.state {
        None => query,
        Some(NoticeState::Pending) => query.filter(notice::delivered_at.is_null()),
        Some(NoticeState::Delivered) => {
            query.filter(notice::delivered_at.is_not_null()).filter(notice::acknowledged_at.is_null())
        }
        Some(NoticeState::Acknowledged) => query.filter(notice::acknowledged_at.is_not_null()),
    };
    if let Some(after) = &page.after {
        query = query.filter(notice::id.lt(after.clone()));
    }
    let rows: Vec<NoticeRow> =
        query.order(notice::id.desc()).limit(page.limit + 1).select(NoticeRow::as_select()).load(connection)?;
    let items = summaries(connection, rows)?;
    Ok(Page::cut(items, page.limit, |item| item.id.to_string()))
}

fn summaries(connection: &mut AnyConnection, rows: Vec<NoticeRow>) -> Result<Vec<NoticeSummary>, StoreError> {
    let parties: Vec<_> = rows.iter().flat_map(|row| [row.processor_id.clone(), row.controller_id.clone()]).collect();
    let names = names(connection, &parties)?;
    rows.into_iter()
        .map(|row| {
            let door = Door { table: "notice", id: &row.id };
            let link = |column, id: &str| {
                Ok::<_, StoreError>(Link {
                    id: door.parse(column, id)?,
                    name: names.get(id).cloned().unwrap_or_default(),
                })
            };
            let informed_by = InformedBy::from_code(&row.informed_by).ok_or_else(|| door.corrupt("informed_by"))?;
            let informed_at = informed_by.counted(row.delivered_at, row.acknowledged_at);
            Ok(NoticeSummary {
                id: door.parse("id", &row.id)?,
                incident: door.parse("incident_id", &row.incident_id)?,
                sequence: row.sequence,
                version: row.incident_version,
                complete: row.complete,
                supersedes: row.supersedes.as_deref().map(|id| door.parse("supersedes", id)).transpose()?,
                processor: link("processor_id", &row.processor_id)?,
                controller: link("controller_id", &row.controller_id)?,
                state: NoticeState::of(row.delivered_at.is_some(), row.acknowledged_at.is_some()),
                created_at: door.instant("created_at", row.created_at)?,
                delivered_at: door.instant_option("delivered_at", row.delivered_at)?,
                acknowledged_at: door.instant_option("acknowledged_at", row.acknowledged_at)?,
                disputed_at: door.instant_option("disputed_at", row.disputed_at)?,
                informed_by,
                informed_at: door.instant_option("delivered_at", informed_at)?,
                kind: row.type_.clone(),
                content_sha256: row.content_sha256.clone(),
            })
        })
        .collect()
}

/// The notice `id` with its content and receipts, if `tenant` sent or got it.
pub fn find(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &NoticeId,
) -> Result<Option<Notice>, StoreError> {
    let found: Option<(NoticeRow, String)> = notice::table
        .find(id.as_str())
        .filter(seen_by(tenant))
        .select((NoticeRow::as_select(), notice::content))
        .first(connection)
        .optional()?;
    let Some((row, content)) = found else { return Ok(None) };
    let corrupt = StoreError::Corrupt { table: "notice", column: "content", id: row.id.clone() };
    let Some(summary) = summaries(connection, vec![row])?.pop() else { return Ok(None) };
    let content = RawValue::from_string(content).map_err(|_| corrupt)?;
    let receipts = receipts::of(connection, &[id.as_str()])?;
    Ok(Some(Notice { summary, content, receipts }))
}

/// The notices of one controller in one incident, oldest first; `tenant` is the processor or that controller.
pub fn of_party(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    incident: &IncidentId,
    controller: &OrganisationId,
) -> Result<Vec<(NoticeSummary, String, String, i32)>, StoreError> {
    let rows: Vec<(NoticeRow, String, String, i32)> = notice::table
        .filter(notice::incident_id.eq(incident.as_str()).and(notice::controller_id.eq(controller.as_str())))
        .filter(seen_by(tenant))
        .order(notice::sequence)
        .select((NoticeRow::as_select(), notice::content, notice::agreement_id, notice::agreement_version))
        .load(connection)?;
    let mut rest = Vec::new();
    let mut plain = Vec::new();
    for (row, content, agreement, version) in rows {
        plain.push(row);
        rest.push((content, agreement, version));
    }
    let summaries = summaries(connection, plain)?;
    Ok(summaries
        .into_iter()
        .zip(rest)
        .map(|(summary, (content, agreement, version))| (summary, content, agreement, version))
        .collect())
}

batch::row! {
    DeliveredRow in "notice" {
        id: &'a str,
        delivered_at: i64,
    }
}

/// Marks notices as delivered at their time. The caller has made sure that none was at an earlier one.
pub(crate) fn mark_delivered(
    connection: &mut AnyConnection,
    delivered: &[(&str, OffsetDateTime)],
) -> Result<(), StoreError> {
    let rows: Vec<_> = delivered.iter().map(|(id, at)| DeliveredRow { id, delivered_at: micros(*at) }).collect();
    batch::update(connection, &["id"], &["delivered_at"], &rows)?;
    Ok(())
}

/// Marks one notice as acknowledged, and as delivered if that was not known yet: whoever acknowledges has it.
pub fn mark_acknowledged(connection: &mut AnyConnection, id: &NoticeId, at: OffsetDateTime) -> Result<(), StoreError> {
    diesel::update(notice::table.find(id.as_str()).filter(notice::acknowledged_at.is_null()))
        .set(notice::acknowledged_at.eq(micros(at)))
        .execute(connection)?;
    diesel::update(notice::table.find(id.as_str()).filter(notice::delivered_at.is_null()))
        .set(notice::delivered_at.eq(micros(at)))
        .execute(connection)?;
    Ok(())
}

/// Marks one notice as disputed by its controller.
pub fn mark_disputed(
    connection: &mut AnyConnection,
    id: &NoticeId,
    reason: DisputeReason,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    diesel::update(notice::table.find(id.as_str()))
        .set((notice::disputed_at.eq(micros(at)), notice::dispute_reason.eq(reason.as_str())))
        .execute(connection)?;
    Ok(())
}

/// What the delivery of a notice has to know.
#[derive(Debug, Clone)]
pub struct NoticeFacts {
    /// The notice.
    pub id: NoticeId,
    /// Its incident.
    pub incident: IncidentId,
    /// Who tells.
    pub processor: OrganisationId,
    /// Who is told.
    pub controller: OrganisationId,
    /// Number within (incident, controller).
    pub sequence: i32,
    /// The notice that it replaces.
    pub supersedes: Option<String>,
    /// SHA-256 of the content.
    pub content_sha256: String,
    /// The version of the incident that it tells.
    pub version: i32,
    /// Whether nothing is open of what the agreement demands.
    pub complete: bool,
    /// Whether it was delivered before.
    pub delivered: bool,
    /// Whether it was acknowledged before.
    pub acknowledged: bool,
    /// When it was made, UTC.
    pub created_at: OffsetDateTime,
    /// Until when it is tried densely, UTC.
    pub deadline_at: OffsetDateTime,
    /// What starts the clocks of the controller.
    pub informed_by: InformedBy,
    /// When it was informed by that, UTC.
    pub informed_at: Option<OffsetDateTime>,
}

impl NoticeFacts {
    /// The share that it tells of: that of its controller in its incident.
    pub fn part(&self) -> Part<'_> {
        (&self.incident, &self.controller)
    }
}

/// The facts of the notices `ids`, locked until the transaction ends, for the service's own bookkeeping.
pub fn facts(connection: &mut AnyConnection, ids: &[&str]) -> Result<Vec<NoticeFacts>, StoreError> {
    let wanted = among(connection, notice::id, ids)?;
    match connection {
        AnyConnection::Sqlite(_) => facts_unlocked(connection, ids),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => {
            let wanted = notice::table.filter(wanted).order(notice::id);
            let rows: Vec<NoticeRow> = wanted.select(NoticeRow::as_select()).for_update().load(inner)?;
            rows.into_iter().map(NoticeFacts::try_from).collect()
        }
    }
}

/// The same without a lock, for what only reads them.
pub fn facts_unlocked(connection: &mut AnyConnection, ids: &[&str]) -> Result<Vec<NoticeFacts>, StoreError> {
    let wanted = among(connection, notice::id, ids)?;
    let rows: Vec<NoticeRow> = notice::table.filter(wanted).select(NoticeRow::as_select()).load(connection)?;
    rows.into_iter().map(NoticeFacts::try_from).collect()
}

impl TryFrom<NoticeRow> for NoticeFacts {
    type Error = StoreError;

    fn try_from(row: NoticeRow) -> Result<Self, StoreError> {
        let door = Door { table: "notice", id: &row.id };
        let informed_by = InformedBy::from_code(&row.informed_by).ok_or_else(|| door.corrupt("informed_by"))?;
        Ok(Self {
            id: door.parse("id", &row.id)?,
            incident: door.parse("incident_id", &row.incident_id)?,
            processor: door.parse("processor_id", &row.processor_id)?,
            controller: door.parse("controller_id", &row.controller_id)?,
            sequence: row.sequence,
            version: row.incident_version,
            complete: row.complete,
            delivered: row.delivered_at.is_some(),
            acknowledged: row.acknowledged_at.is_some(),
            created_at: door.instant("created_at", row.created_at)?,
            deadline_at: door.instant("deadline_at", row.deadline_at)?,
            informed_at: door
                .instant_option("delivered_at", informed_by.counted(row.delivered_at, row.acknowledged_at))?,
            informed_by,
            supersedes: row.supersedes,
            content_sha256: row.content_sha256,
        })
    }
}

/// The contents of the notices `ids`, for checking them against the ledger. Operators only.
pub fn contents(
    connection: &mut AnyConnection,
    ids: &[&str],
) -> Result<std::collections::HashMap<String, String>, StoreError> {
    let rows: Vec<(String, String)> =
        notice::table.filter(notice::id.eq_any(ids)).select((notice::id, notice::content)).load(connection)?;
    Ok(rows.into_iter().collect())
}
