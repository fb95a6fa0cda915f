//! Incidents: storing one filing, and reading within the caller's scope.

use diesel::prelude::*;
use serde_json::value::RawValue;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::notices::is_out;
use super::row::Door;
use super::schema::{incident, notice, organisation};
use crate::domain::course::Earlier;
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

/// When the processor knew of the incident, and when `party` was informed of it, for the outer limits of its clocks.
pub fn known_since(
    connection: &mut AnyConnection,
    id: &IncidentId,
    party: &OrganisationId,
) -> Result<Earlier, StoreError> {
    let aware: Option<i64> =
        incident::table.find(id.as_str()).select(incident::aware_at).first(connection).optional()?;
    let informed: Option<i64> = notice::table
        .filter(notice::incident_id.eq(id.as_str()).and(notice::controller_id.eq(party.as_str())))
        .select(diesel::dsl::min(notice::delivered_at))
        .first(connection)?;
    let door = Door { table: "incident", id: id.as_str() };
    Ok(Earlier {
        processor_aware: door.instant_option("aware_at", aware)?,
        controller_informed: door.instant_option("delivered_at", informed)?,
    })
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

fn summary(row: &IncidentRow, tenant: &OrganisationId, counts: NoticeCounts) -> Result<IncidentSummary, StoreError> {
    let door = Door { table: "incident", id: &row.id };
    Ok(IncidentSummary {
        id: door.parse("id", &row.id)?,
        version: row.version,
        kind: row.kind.clone(),
        stage: row.stage.clone(),
        title: row.title.clone(),
        state: if row.withdrawn_at.is_some() { IncidentState::Withdrawn } else { IncidentState::of(counts) },
        drill: row.drill,
        detected_at: door.instant("detected_at", row.detected_at)?,
        aware_at: door.instant("aware_at", row.aware_at)?,
        filed_at: door.instant("filed_at", row.filed_at)?,
        affected_count: (row.processor_id == tenant.as_str()).then_some(row.affected_count),
    })
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
        let pattern =
            format!("%{}%", text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        let title = diesel::dsl::sql::<diesel::sql_types::Bool>("lower(title) LIKE ")
            .bind::<diesel::sql_types::Text, _>(pattern)
            .sql(" ESCAPE '\\'");
        query = query.filter(title);
    }
    if let Some(controller) = &filter.controller {
        query = query.filter(incident::id.eq_any(concerning(controller.as_str())));
    }
    if let Some(state) = filter.state {
        let told = |which: &str| {
            let open = format!(
                "NOT EXISTS (SELECT 1 FROM notice AS open WHERE open.incident_id = incident.id AND open.{which} IS NULL"
            );
            diesel::dsl::sql::<diesel::sql_types::Bool>(&format!("{open} AND (open.processor_id = "))
                .bind::<diesel::sql_types::Text, _>(tenant.as_str())
                .sql(" OR open.controller_id = ")
                .bind::<diesel::sql_types::Text, _>(tenant.as_str())
                .sql("))")
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
        if state != IncidentState::Withdrawn {
            query = query.filter(incident::withdrawn_at.is_null());
        }
    }
    if let Some(after) = &page.after {
        query = query.filter(incident::id.lt(after.clone()));
    }
    let rows: Vec<IncidentRow> =
        query.order(incident::id.desc()).limit(page.limit + 1).select(IncidentRow::as_select()).load(connection)?;
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    let counts: std::collections::HashMap<_, _> = counts(connection, tenant.as_str(), &ids)?.into_iter().collect();
    let items: Result<Vec<_>, _> =
        rows.iter().map(|row| summary(row, tenant, counts.get(&row.id).copied().unwrap_or_default())).collect();
    Ok(Page::cut(items?, page.limit, |item| item.id.to_string()))
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
    let content = if is_processor { Some(whole) } else { own_share(connection, tenant, id)? };
    let Some(content) = content else { return Ok(None) };
    let counts = counts(connection, tenant.as_str(), &[id.as_str()])?;
    let door = Door { table: "incident", id: &row.id };
    let notices = counts.into_iter().next().map(|(_, counts)| counts).unwrap_or_default();
    Ok(Some(Incident {
        summary: summary(&row, tenant, notices)?,
        processor: Link { id: door.parse("processor_id", &row.processor_id)?, name: processor },
        awareness_reason: row.awareness_reason.clone(),
        withdrawn_at: door.instant_option("withdrawn_at", row.withdrawn_at)?,
        no_duty_reason: row.no_duty_reason.clone(),
        // Whose sub-processor it was is told by the processor, in its own words.
        origin: row
            .origin
            .clone()
            .filter(|_| is_processor)
            .map(RawValue::from_string)
            .transpose()
            .map_err(|_| door.corrupt("origin"))?,
        content: RawValue::from_string(content).map_err(|_| door.corrupt("content"))?,
        notices,
    }))
}

/// The content of the newest notice of the incident to `controller`.
fn own_share(
    connection: &mut AnyConnection,
    controller: &OrganisationId,
    id: &IncidentId,
) -> Result<Option<String>, StoreError> {
    Ok(notice::table
        .filter(notice::incident_id.eq(id.as_str()).and(notice::controller_id.eq(controller.as_str())))
        .filter(is_out())
        .order(notice::sequence.desc())
        .select(notice::content)
        .first(connection)
        .optional()?)
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
