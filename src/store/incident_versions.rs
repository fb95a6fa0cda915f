//! Versions of incidents: the newest one for whoever files the next, all of them for whoever may see them.

use std::collections::HashMap;

use diesel::prelude::*;
use serde_json::Value;
use time::OffsetDateTime;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::notices::is_out;
use super::row::{Door, micros};
use super::schema::{incident, incident_version, notice};
use crate::domain::content::CommonContent;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::page::PageRequest;
use crate::domain::parse::parse_instant;
use crate::domain::phase::{Change, IncidentVersion, PhaseKind, Release};

/// The newest version of an incident.
#[derive(Debug, Clone)]
pub struct Current {
    /// Its number.
    pub version: i32,
    /// The whole body; none where the incident was filed before versions were kept.
    pub filing: Option<Value>,
    /// When it was filed, UTC.
    pub filed_at: OffsetDateTime,
    /// Whether the incident is a drill.
    pub drill: bool,
    /// Whether it was withdrawn.
    pub is_withdrawn: bool,
    /// Whether the newest version waits for a second person.
    pub is_awaited: bool,
    /// How many controllers were told so far.
    pub affected_count: i32,
}

/// The newest version of the incident `id`, if `processor` filed it.
pub fn current(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    id: &IncidentId,
) -> Result<Option<Current>, StoreError> {
    type Row = (i32, i64, bool, Option<i64>, i32);
    let found: Option<Row> = incident::table
        .find(id.as_str())
        .filter(incident::processor_id.eq(processor.as_str()))
        .select((
            incident::version,
            incident::filed_at,
            incident::drill,
            incident::withdrawn_at,
            incident::affected_count,
        ))
        .first(connection)
        .optional()?;
    let Some((version, first_filed_at, drill, withdrawn_at, affected_count)) = found else { return Ok(None) };
    let newest: Option<(String, i64, String)> = incident_version::table
        .find((id.as_str(), version))
        .select((incident_version::filing, incident_version::filed_at, incident_version::release_state))
        .first(connection)
        .optional()?;
    let door = Door { table: "incident_version", id: id.as_str() };
    let filed_at = newest.as_ref().map_or(first_filed_at, |(_, filed_at, _)| *filed_at);
    let is_awaited = newest.as_ref().is_some_and(|(_, _, state)| state == "awaited");
    Ok(Some(Current {
        version,
        filing: newest.map(|(filing, _, _)| door.json("filing", &filing)).transpose()?,
        filed_at: door.instant("filed_at", filed_at)?,
        drill,
        is_withdrawn: withdrawn_at.is_some(),
        is_awaited,
        affected_count,
    }))
}

/// What the next version makes of the row of an incident.
#[derive(Debug)]
pub(crate) struct Advance<'a> {
    pub(crate) version: i32,
    pub(crate) common: &'a CommonContent,
    pub(crate) content: &'a str,
    pub(crate) affected_count: i32,
    pub(crate) no_duty_reason: Option<&'a str>,
    pub(crate) withdrawn_at: Option<OffsetDateTime>,
}

/// Makes the incident the next version, if it is still the one before; answers whether it was.
pub(crate) fn advance(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    id: &IncidentId,
    next: &Advance<'_>,
) -> Result<bool, StoreError> {
    let before = incident::table
        .find(id.as_str())
        .filter(incident::processor_id.eq(processor.as_str()))
        .filter(incident::version.eq(next.version - 1));
    let common = next.common;
    let changed = diesel::update(before)
        .set((
            incident::version.eq(next.version),
            incident::kind.eq(common.kind.as_str()),
            incident::stage.eq(common.stage.as_str()),
            incident::title.eq(&common.title),
            incident::detected_at.eq(micros(common.detected_at)),
            incident::aware_at.eq(micros(common.aware_at)),
            incident::awareness_reason.eq(common.awareness_reason.as_deref()),
            incident::content.eq(next.content),
            incident::affected_count.eq(next.affected_count),
            incident::no_duty_reason.eq(next.no_duty_reason),
            incident::withdrawn_at.eq(next.withdrawn_at.map(micros)),
        ))
        .execute(connection)?;
    Ok(changed == 1)
}

/// Notes that the incident is withdrawn, once the withdrawal has left the house.
pub(crate) fn withdraw(connection: &mut AnyConnection, id: &IncidentId, at: OffsetDateTime) -> Result<(), StoreError> {
    diesel::update(incident::table.find(id.as_str())).set(incident::withdrawn_at.eq(micros(at))).execute(connection)?;
    Ok(())
}

/// A version as it was filed.
#[derive(Debug)]
pub struct Filed {
    /// What it is to the one before.
    pub kind: PhaseKind,
    /// Why it was filed.
    pub reason: Option<String>,
    /// The whole body.
    pub filing: Value,
    /// When, UTC.
    pub filed_at: OffsetDateTime,
    /// Who filed it.
    pub filed_by: String,
}

/// `version` of the incident `id`, for the service's own bookkeeping.
pub fn filed_version(
    connection: &mut AnyConnection,
    id: &IncidentId,
    version: i32,
) -> Result<Option<Filed>, StoreError> {
    type Row = (String, Option<String>, String, i64, String);
    let found: Option<Row> = incident_version::table
        .find((id.as_str(), version))
        .select((
            incident_version::kind,
            incident_version::reason,
            incident_version::filing,
            incident_version::filed_at,
            incident_version::filed_by,
        ))
        .first(connection)
        .optional()?;
    let door = Door { table: "incident_version", id: id.as_str() };
    let read = |(kind, reason, filing, filed_at, filed_by): Row| {
        Ok(Filed {
            kind: PhaseKind::from_code(&kind).ok_or_else(|| door.corrupt("kind"))?,
            reason,
            filing: door.json("filing", &filing)?,
            filed_at: door.instant("filed_at", filed_at)?,
            filed_by,
        })
    };
    found.map(read).transpose()
}

/// When it became known of each controller found late that it is affected, UTC.
pub fn known_late(
    connection: &mut AnyConnection,
    id: &IncidentId,
) -> Result<HashMap<OrganisationId, OffsetDateTime>, StoreError> {
    let joined: Vec<String> = incident_version::table
        .filter(incident_version::incident_id.eq(id.as_str()))
        .filter(incident_version::kind.eq(PhaseKind::Joined.as_str()))
        .select(incident_version::changes)
        .load(connection)?;
    let door = Door { table: "incident_version", id: id.as_str() };
    let mut known = HashMap::new();
    for changes in joined {
        let kept: Kept = door.json("changes", &changes)?;
        for entry in kept.affected {
            let controller = entry["controller"].as_str().and_then(|id| id.parse().ok());
            let at = entry["known_at"].as_str().and_then(parse_instant);
            known
                .insert(controller.ok_or_else(|| door.corrupt("changes"))?, at.ok_or_else(|| door.corrupt("changes"))?);
        }
    }
    Ok(known)
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = incident_version)]
struct VersionRow {
    incident_id: String,
    version: i32,
    kind: String,
    stage: String,
    reason: Option<String>,
    changes: String,
    filed_at: i64,
    filed_by: String,
    release_state: String,
    content_sha256: String,
    release_due_at: Option<i64>,
    released_at: Option<i64>,
    released_by: Option<String>,
}

/// What a version changed, as it is stored.
#[derive(Debug, Default, serde::Deserialize)]
struct Kept {
    changes: Vec<Change>,
    affected: Vec<Value>,
}

/// What a later notice says first.
#[derive(Debug, Default, serde::Deserialize)]
struct Told {
    #[serde(default)]
    changes: Vec<Change>,
}

/// Versions of the incident `id`, oldest first, one more than the page holds; `None` if `tenant` may not see the incident.
///
/// The processor sees all; a controller those of which it got a notice, each with what changed for it alone.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &IncidentId,
    page: &PageRequest,
) -> Result<Option<Vec<IncidentVersion>>, StoreError> {
    let processor: Option<String> =
        incident::table.find(id.as_str()).select(incident::processor_id).first(connection).optional()?;
    let Some(processor) = processor else { return Ok(None) };
    let after: i32 = page.after.as_deref().and_then(|after| after.parse().ok()).unwrap_or(0);
    if processor == tenant.as_str() {
        let rows: Vec<VersionRow> = incident_version::table
            .filter(incident_version::incident_id.eq(id.as_str()).and(incident_version::version.gt(after)))
            .order(incident_version::version)
            .limit(page.limit + 1)
            .select(VersionRow::as_select())
            .load(connection)?;
        return rows.into_iter().map(for_processor).collect::<Result<_, _>>().map(Some);
    }
    let is_told =
        notice::incident_id.eq(id.as_str()).and(notice::controller_id.eq(tenant.as_str())).and(notice::drill.eq(false));
    let told = notice::table.filter(is_told).filter(is_out());
    let told: bool = diesel::select(diesel::dsl::exists(told)).get_result(connection)?;
    if !told {
        return Ok(None);
    }
    let its = notice::incident_id
        .eq(incident_version::incident_id)
        .and(notice::incident_version.eq(incident_version::version));
    let rows: Vec<(VersionRow, String, String)> = incident_version::table
        .inner_join(notice::table.on(its))
        .filter(notice::incident_id.eq(id.as_str()).and(notice::controller_id.eq(tenant.as_str())))
        // What still waits for a second person has not been told to anybody.
        .filter(incident_version::release_state.ne("awaited"))
        .filter(incident_version::version.gt(after))
        .order(incident_version::version)
        .limit(page.limit + 1)
        .select((VersionRow::as_select(), notice::id, notice::content))
        .load(connection)?;
    let shown = rows.into_iter().map(|(row, notice, content)| for_controller(row, &notice, &content, tenant));
    shown.collect::<Result<_, _>>().map(Some)
}

fn kept(row: &VersionRow, door: &Door<'_>) -> Result<Kept, StoreError> {
    // The filing itself changed nothing.
    if row.changes == "[]" { Ok(Kept::default()) } else { door.json("changes", &row.changes) }
}

fn for_processor(row: VersionRow) -> Result<IncidentVersion, StoreError> {
    let door = Door { table: "incident_version", id: &row.incident_id };
    let kept = kept(&row, &door)?;
    let release = Release {
        state: row.release_state.clone(),
        due_at: door.instant_option("release_due_at", row.release_due_at)?,
        released_at: door.instant_option("released_at", row.released_at)?,
        released_by: row.released_by.clone(),
    };
    Ok(IncidentVersion {
        version: row.version,
        phase: PhaseKind::from_code(&row.kind).ok_or_else(|| door.corrupt("kind"))?,
        filed_at: door.instant("filed_at", row.filed_at)?,
        stage: row.stage,
        reason: row.reason,
        changes: kept.changes,
        affected: Some(kept.affected),
        filed_by: Some(row.filed_by),
        content_sha256: Some(row.content_sha256),
        notice: None,
        release: Some(release),
    })
}

fn for_controller(
    row: VersionRow,
    notice: &str,
    content: &str,
    controller: &OrganisationId,
) -> Result<IncidentVersion, StoreError> {
    let door = Door { table: "incident_version", id: &row.incident_id };
    let phase = PhaseKind::from_code(&row.kind).ok_or_else(|| door.corrupt("kind"))?;
    let told: Told = Door { table: "notice", id: notice }.json("content", content)?;
    let mut reason = row.reason.clone();
    if phase == PhaseKind::Joined {
        // Each of those found late has a reason of its own.
        let affected = kept(&row, &door)?.affected;
        let own = affected.iter().find(|entry| entry["controller"] == controller.as_str());
        reason = own.and_then(|entry| entry["reason"].as_str()).map(str::to_owned);
    }
    Ok(IncidentVersion {
        version: row.version,
        phase,
        filed_at: door.instant("filed_at", row.filed_at)?,
        stage: row.stage,
        reason,
        changes: told.changes,
        affected: None,
        filed_by: None,
        content_sha256: None,
        notice: Some(Door { table: "notice", id: notice }.parse("id", notice)?),
        release: None,
    })
}

/// The digests of the content and of the body that a version was filed with, for checking them against the ledger. Operators only.
pub fn filed(connection: &mut AnyConnection, id: &str, version: i32) -> Result<Option<(String, String)>, StoreError> {
    Ok(incident_version::table
        .find((id, version))
        .select((incident_version::content_sha256, incident_version::filing))
        .first(connection)
        .optional()?)
}
