//! Incidents: storing one filing, and reading within the caller's scope.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use serde_json::value::RawValue;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::notices::is_out;
use super::origins::{chain, stored_origin};
use super::row::Door;
use super::schema::{incident, notice, organisation};
use crate::domain::content::ShareContent;
use crate::domain::event::EventType;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::incident::{Incident, IncidentState, IncidentSummary, Link, NoticeCounts};
use crate::domain::page::{Page, PageRequest};

batch::row! {
    /// An incident as it is filed.
    NewIncidentRow in "incident" {
        id: &'a str,
        processor_id: &'a str,
        version: i32,
        kind: &'a str,
        stage: &'a str,
        title: &'a str,
        detected_at: i64,
        aware_at: i64,
        awareness_reason: Option<&'a str>,
        filed_at: i64,
        affected_count: i32,
        content: &'a str,
        drill: bool,
        no_duty_reason: Option<&'a str>,
        origin: Option<&'a str>,
    }
}

batch::row! {
    /// A version of an incident as it is filed.
    NewVersionRow in "incident_version" {
        incident_id: &'a str,
        version: i32,
        kind: &'a str,
        stage: &'a str,
        reason: Option<&'a str>,
        filing: &'a str,
        changes: &'a str,
        content_sha256: &'a str,
        filed_at: i64,
        filed_by: &'a str,
        release_state: &'a str,
        release_due_at: Option<i64>,
        on_timeout: Option<&'a str>,
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = incident)]
struct IncidentRow {
    id: String,
    processor_id: String,
    version: i32,
    kind: String,
    stage: String,
    title: String,
    detected_at: i64,
    aware_at: i64,
    awareness_reason: Option<String>,
    filed_at: i64,
    affected_count: i32,
    drill: bool,
    withdrawn_at: Option<i64>,
    no_duty_reason: Option<String>,
    origin: Option<String>,
}

/// Stores an incident.
pub(crate) fn insert(connection: &mut AnyConnection, row: NewIncidentRow<'_>) -> Result<(), StoreError> {
    batch::insert(connection, &[row])?;
    Ok(())
}

/// Stores a version of an incident.
pub(crate) fn insert_version(connection: &mut AnyConnection, row: NewVersionRow<'_>) -> Result<(), StoreError> {
    batch::insert(connection, &[row])?;
    Ok(())
}

/// What has left the house of an incident towards one controller: the newest of it.
struct Share {
    version: i32,
    content: String,
    is_withdrawal: bool,
}

/// What `controller` was told of these incidents.
fn shares(
    connection: &mut AnyConnection,
    controller: &OrganisationId,
    ids: &[&str],
) -> Result<HashMap<String, Share>, StoreError> {
    let rows: Vec<(String, i32, String, String)> = notice::table
        .filter(notice::incident_id.eq_any(ids).and(notice::controller_id.eq(controller.as_str())))
        .filter(is_out())
        .order(notice::sequence)
        .select((notice::incident_id, notice::incident_version, notice::content, notice::type_))
        .load(connection)?;
    let share = |(id, version, content, kind): (String, i32, String, String)| {
        (id, Share { version, content, is_withdrawal: kind == EventType::NoticeWithdrawal.as_str() })
    };
    Ok(rows.into_iter().map(share).collect())
}

/// Which incidents a list shows.
#[derive(Debug, Clone, Default)]
pub struct IncidentFilter {
    /// Only those told this far.
    pub state: Option<IncidentState>,
    /// Only with this in the title, whatever the case.
    pub text: Option<String>,
    /// Only those that affect this controller.
    pub controller: Option<OrganisationId>,
}

fn counts(
    connection: &mut AnyConnection,
    tenant: &str,
    ids: &[&str],
) -> Result<Vec<(String, NoticeCounts)>, StoreError> {
    type Counted = (String, i64, i64, i64);
    let rows: Vec<Counted> = notice::table
        .filter(notice::incident_id.eq_any(ids))
        .filter(notice::processor_id.eq(tenant).or(notice::controller_id.eq(tenant).and(is_out())))
        .group_by(notice::incident_id)
        .select((
            notice::incident_id,
            diesel::dsl::count(notice::id),
            diesel::dsl::count(notice::delivered_at),
            diesel::dsl::count(notice::acknowledged_at),
        ))
        .load(connection)?;
    // An acknowledged notice has arrived, whichever way; the service sets both times then.
    let split = |(id, all, delivered, acknowledged): Counted| {
        (id, NoticeCounts { pending: all - delivered, delivered: delivered - acknowledged, acknowledged })
    };
    Ok(rows.into_iter().map(split).collect())
}

/// An incident in a list: as it stands for its processor, as it was told for a controller, whose share is given.
fn summary(row: &IncidentRow, share: Option<&Share>, counts: NoticeCounts) -> Result<IncidentSummary, StoreError> {
    let door = Door { table: "incident", id: &row.id };
    let is_withdrawn = share.map_or(row.withdrawn_at.is_some(), |share| share.is_withdrawal);
    let whole = IncidentSummary {
        id: door.parse("id", &row.id)?,
        version: row.version,
        kind: row.kind.clone(),
        stage: row.stage.clone(),
        title: row.title.clone(),
        state: if is_withdrawn { IncidentState::Withdrawn } else { IncidentState::of(counts) },
        drill: row.drill,
        detected_at: door.instant("detected_at", row.detected_at)?,
        aware_at: door.instant("aware_at", row.aware_at)?,
        filed_at: door.instant("filed_at", row.filed_at)?,
        affected_count: share.is_none().then_some(row.affected_count),
    };
    let Some(share) = share else { return Ok(whole) };
    let told = told(&door, share)?.common;
    Ok(IncidentSummary {
        version: share.version,
        kind: told.kind.as_str().to_owned(),
        stage: told.stage.as_str().to_owned(),
        title: told.title.clone(),
        detected_at: told.detected_at,
        aware_at: told.aware_at,
        ..whole
    })
}

fn told(door: &Door<'_>, share: &Share) -> Result<ShareContent, StoreError> {
    ShareContent::from_stored(&share.content).map_err(|_| door.corrupt("content"))
}

fn summaries(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    rows: &[IncidentRow],
) -> Result<Vec<IncidentSummary>, StoreError> {
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    let counts: HashMap<_, _> = counts(connection, tenant.as_str(), &ids)?.into_iter().collect();
    let foreign = rows.iter().filter(|row| row.processor_id != tenant.as_str());
    let foreign: Vec<_> = foreign.map(|row| row.id.as_str()).collect();
    let shares = shares(connection, tenant, &foreign)?;
    let counted = |row: &IncidentRow| counts.get(&row.id).copied().unwrap_or_default();
    rows.iter().map(|row| summary(row, shares.get(&row.id), counted(row))).collect()
}

/// That the version which a notice tells does not wait for a release; the same as `is_out` for raw conditions, drills apart.
fn let_go(notice: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM incident_version AS its WHERE its.incident_id = {notice}.incident_id \
         AND its.version = {notice}.incident_version AND its.release_state = 'awaited')"
    )
}

type Condition =
    Box<dyn BoxableExpression<incident::table, <AnyConnection as diesel::Connection>::Backend, SqlType = Bool>>;

/// That `text` stands in the title as `tenant` sees it: the present one for the processor, the one last told for a controller.
fn titled(connection: &AnyConnection, tenant: &OrganisationId, text: &str) -> Condition {
    let title = match connection {
        AnyConnection::Sqlite(_) => "told.content ->> '$.title'",
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(_) => "told.content::json ->> 'title'",
    };
    let pattern = format!("%{}%", text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
    let (told, newer) = (let_go("told"), let_go("newer"));
    let condition = diesel::dsl::sql::<Bool>("((processor_id = ")
        .bind::<Text, _>(tenant.to_string())
        .sql(" AND lower(title) LIKE ")
        .bind::<Text, _>(pattern.clone())
        .sql(" ESCAPE '\\') OR EXISTS (SELECT 1 FROM notice AS told WHERE told.incident_id = incident.id AND told.controller_id = ")
        .bind::<Text, _>(tenant.to_string())
        .sql(&format!(" AND {told} AND lower({title}) LIKE "))
        .bind::<Text, _>(pattern)
        .sql(&format!(
            " ESCAPE '\\' AND NOT EXISTS (SELECT 1 FROM notice AS newer WHERE newer.incident_id = told.incident_id \
             AND newer.controller_id = told.controller_id AND newer.sequence > told.sequence AND {newer})))"
        ));
    Box::new(condition)
}

/// One page of the incidents that `tenant` filed or is affected by, newest first.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    filter: &IncidentFilter,
    page: &PageRequest,
) -> Result<Page<IncidentSummary>, StoreError> {
    // A controller who asks for another one must not learn that the same incident affects both.
    let concerning = |controller: &str| {
        notice::table
            .filter(notice::controller_id.eq(controller.to_owned()))
            .filter(notice::processor_id.eq(tenant.as_str()).or(notice::controller_id.eq(tenant.as_str())))
            .filter(is_out().or(notice::processor_id.eq(tenant.as_str())))
            .select(notice::incident_id)
    };
    let mine = incident::processor_id.eq(tenant.as_str()).or(incident::id.eq_any(concerning(tenant.as_str())));
    let mut query = incident::table.filter(mine).into_boxed();
    if let Some(text) = &filter.text {
        query = query.filter(titled(connection, tenant, text));
    }
    if let Some(controller) = &filter.controller {
        query = query.filter(incident::id.eq_any(concerning(controller.as_str())));
    }
    if let Some(state) = filter.state {
        // Whether every notice that the tenant may see has that time.
        let told = |which: &str| {
            let open = format!(
                "NOT EXISTS (SELECT 1 FROM notice AS open WHERE open.incident_id = incident.id AND open.{which} IS NULL"
            );
            let awaited = let_go("open");
            diesel::dsl::sql::<Bool>(&format!("{open} AND (open.processor_id = "))
                .bind::<Text, _>(tenant.as_str())
                .sql(" OR open.controller_id = ")
                .bind::<Text, _>(tenant.as_str())
                .sql(&format!(" AND {awaited}))"))
        };
        query = match state {
            IncidentState::Telling => query.filter(diesel::dsl::not(told("delivered_at"))),
            IncidentState::Told => query.filter(told("delivered_at")).filter(diesel::dsl::not(told("acknowledged_at"))),
            IncidentState::Acknowledged => query.filter(told("acknowledged_at")),
            IncidentState::Kept => query.filter(incident::affected_count.eq(0)),
            IncidentState::Withdrawn => query.filter(incident::withdrawn_at.is_not_null()),
        };
        if state != IncidentState::Kept {
            query = query.filter(incident::affected_count.gt(0));
        }
        // A withdrawal that still waits for its release has not been told to anybody.
        let told = concerning(tenant.as_str()).filter(notice::type_.eq(EventType::NoticeWithdrawal.as_str()));
        let is_known = incident::processor_id.eq(tenant.as_str()).or(incident::id.eq_any(told));
        query = match state {
            IncidentState::Withdrawn => query.filter(is_known),
            _ => query.filter(incident::withdrawn_at.is_null().or(diesel::dsl::not(is_known))),
        };
    }
    if let Some(after) = &page.after {
        query = query.filter(incident::id.lt(after.clone()));
    }
    let rows: Vec<IncidentRow> =
        query.order(incident::id.desc()).limit(page.limit + 1).select(IncidentRow::as_select()).load(connection)?;
    let items = summaries(connection, tenant, &rows)?;
    Ok(Page::cut(items, page.limit, |item| item.id.to_string()))
}

/// The incident `id`, if `tenant` filed it or is affected: the whole for the processor, the own share for a controller.
pub fn find(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &IncidentId,
) -> Result<Option<Incident>, StoreError> {
    let found: Option<(IncidentRow, String, String)> = incident::table
        .inner_join(organisation::table.on(organisation::id.eq(incident::processor_id)))
        .filter(incident::id.eq(id.as_str()))
        .select((IncidentRow::as_select(), incident::content, organisation::name))
        .first(connection)
        .optional()?;
    let Some((row, whole, processor)) = found else { return Ok(None) };
    let is_processor = row.processor_id == tenant.as_str();
    let share = if is_processor { None } else { shares(connection, tenant, &[id.as_str()])?.into_values().next() };
    if !is_processor && share.is_none() {
        return Ok(None);
    }
    let counts = counts(connection, tenant.as_str(), &[id.as_str()])?;
    let door = Door { table: "incident", id: &row.id };
    let notices = counts.into_iter().next().map(|(_, counts)| counts).unwrap_or_default();
    let awareness_reason = match &share {
        Some(share) => told(&door, share)?.common.awareness_reason.clone(),
        None => row.awareness_reason.clone(),
    };
    let is_told = share.as_ref().is_none_or(|share| share.is_withdrawal);
    // Whose sub-processor it was, and why nobody had to be told at first, is said by the processor in its own words.
    let chain = match &row.origin {
        Some(origin) if is_processor => {
            let origin = stored_origin(&door, origin, row.filed_at)?;
            chain(connection, id, &origin, door.instant("aware_at", row.aware_at)?, &processor)?
        }
        _ => Vec::new(),
    };
    let origin = row.origin.clone().filter(|_| is_processor).map(RawValue::from_string).transpose();
    Ok(Some(Incident {
        summary: summary(&row, share.as_ref(), notices)?,
        processor: Link { id: door.parse("processor_id", &row.processor_id)?, name: processor },
        awareness_reason,
        withdrawn_at: door.instant_option("withdrawn_at", row.withdrawn_at.filter(|_| is_told))?,
        no_duty_reason: row.no_duty_reason.filter(|_| is_processor),
        origin: origin.map_err(|_| door.corrupt("origin"))?,
        chain,
        content: RawValue::from_string(share.map_or(whole, |share| share.content))
            .map_err(|_| door.corrupt("content"))?,
        notices,
    }))
}

/// The newest version of `id` and its content, for checking it against the ledger. Operators only.
pub fn content(connection: &mut AnyConnection, id: &str) -> Result<Option<(i32, String)>, StoreError> {
    Ok(incident::table.find(id).select((incident::version, incident::content)).first(connection).optional()?)
}

/// Up to two controllers affected by the incident: enough to know whether there is just one.
pub fn some_controllers(connection: &mut AnyConnection, id: &IncidentId) -> Result<Vec<String>, StoreError> {
    Ok(notice::table
        .filter(notice::incident_id.eq(id.as_str()))
        .select(notice::controller_id)
        .distinct()
        .limit(2)
        .load(connection)?)
}
