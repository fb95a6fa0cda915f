//! Milestones that somebody reported, such as the classification of an incident; each once per incident and party.

use diesel::prelude::*;

use super::connection::{AnyConnection, on_each};
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::reported_milestone;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::reported::{NewReport, ReportedMilestone};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = reported_milestone)]
struct MilestoneRow {
    incident_id: String,
    controller_id: String,
    milestone: String,
    at: i64,
    by_name: String,
    reason: Option<String>,
    recorded_at: i64,
    recorded_by: String,
}

impl TryFrom<MilestoneRow> for ReportedMilestone {
    type Error = StoreError;

    fn try_from(row: MilestoneRow) -> Result<Self, StoreError> {
        let door = Door { table: "reported_milestone", id: &row.incident_id };
        Ok(Self {
            incident: door.parse("incident_id", &row.incident_id)?,
            party: door.parse("controller_id", &row.controller_id)?,
            content: NewReport {
                milestone: row.milestone,
                at: door.instant("at", row.at)?,
                by: row.by_name,
                reason: row.reason,
            },
            recorded_by: door.parse("recorded_by", &row.recorded_by)?,
            recorded_at: door.instant("recorded_at", row.recorded_at)?,
        })
    }
}

/// Stores a milestone; `false` if it was reported for this party before, which then stays as it is.
pub fn insert(connection: &mut AnyConnection, reported: &ReportedMilestone) -> Result<bool, StoreError> {
    let values = (
        reported_milestone::incident_id.eq(reported.incident.as_str()),
        reported_milestone::controller_id.eq(reported.party.as_str()),
        reported_milestone::milestone.eq(reported.content.milestone.as_str()),
        reported_milestone::at.eq(micros(reported.content.at)),
        reported_milestone::by_name.eq(reported.content.by.as_str()),
        reported_milestone::reason.eq(reported.content.reason.as_deref()),
        reported_milestone::recorded_at.eq(micros(reported.recorded_at)),
        reported_milestone::recorded_by.eq(reported.recorded_by.as_str()),
    );
    let inserted = on_each!(connection, inner => diesel::insert_into(reported_milestone::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(inserted == 1)
}

/// The key of a milestone in a list.
pub fn key(reported: &ReportedMilestone) -> String {
    format!("{}:{}", reported.party, reported.content.milestone)
}

/// One page of the milestones of an incident, of all parties or of one, by party and word.
///
/// Whoever asks for all of them must be the processor of the incident; a controller names itself.
pub fn list(
    connection: &mut AnyConnection,
    incident: &IncidentId,
    party: Option<&OrganisationId>,
    page: &PageRequest,
) -> Result<Page<ReportedMilestone>, StoreError> {
    let mut query =
        reported_milestone::table.filter(reported_milestone::incident_id.eq(incident.as_str())).into_boxed();
    if let Some(party) = party {
        query = query.filter(reported_milestone::controller_id.eq(party.as_str()));
    }
    if let Some((party, word)) = page.after.as_deref().and_then(|after| after.split_once(':')) {
        let same = reported_milestone::controller_id.eq(party.to_owned());
        let later = reported_milestone::controller_id.gt(party.to_owned());
        query = query.filter(later.or(same.and(reported_milestone::milestone.gt(word.to_owned()))));
    }
    let rows: Vec<MilestoneRow> = query
        .order((reported_milestone::controller_id, reported_milestone::milestone))
        .limit(page.limit + 1)
        .select(MilestoneRow::as_select())
        .load(connection)?;
    let items: Result<Vec<_>, _> = rows.into_iter().map(ReportedMilestone::try_from).collect();
    Ok(Page::cut(items?, page.limit, key))
}
