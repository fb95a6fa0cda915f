//! Decisions of controllers: every one is kept, the newest counts.

use std::collections::HashSet;

use diesel::prelude::*;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::decision;
use crate::domain::decision::{Decision, NewDecision, PersonsDecision};
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::page::{Page, PageRequest};

batch::row! {
    NewDecisionRow in "decision" {
        id: &'a str,
        incident_id: &'a str,
        processor_id: &'a str,
        controller_id: &'a str,
        notify_authority: bool,
        notify_persons: &'a str,
        reason: &'a str,
        by_name: &'a str,
        decided_at: i64,
        recorded_by: &'a str,
        recorded_at: i64,
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = decision)]
struct DecisionRow {
    id: String,
    incident_id: String,
    controller_id: String,
    notify_authority: bool,
    notify_persons: String,
    reason: String,
    by_name: String,
    decided_at: i64,
    recorded_at: i64,
}

impl DecisionRow {
    fn read(self, current: bool) -> Result<Decision, StoreError> {
        let door = Door { table: "decision", id: &self.id };
        let persons = PersonsDecision::from_code(&self.notify_persons);
        Ok(Decision {
            content: NewDecision {
                notify_authority: self.notify_authority,
                notify_persons: persons.ok_or_else(|| door.corrupt("notify_persons"))?,
                decided_at: door.instant("decided_at", self.decided_at)?,
                reason: self.reason,
                by: self.by_name,
            },
            incident: door.parse("incident_id", &self.incident_id)?,
            controller: door.parse("controller_id", &self.controller_id)?,
            recorded_at: door.instant("recorded_at", self.recorded_at)?,
            id: door.parse("id", &self.id)?,
            current,
        })
    }
}

/// Stores a decision about an incident of `processor`.
pub fn insert(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    decision: &Decision,
) -> Result<(), StoreError> {
    let row = NewDecisionRow {
        id: decision.id.as_str(),
        incident_id: decision.incident.as_str(),
        processor_id: processor.as_str(),
        controller_id: decision.controller.as_str(),
        notify_authority: decision.content.notify_authority,
        notify_persons: decision.content.notify_persons.as_str(),
        reason: &decision.content.reason,
        by_name: &decision.content.by,
        decided_at: micros(decision.content.decided_at),
        recorded_by: decision.controller.as_str(),
        recorded_at: micros(decision.recorded_at),
    };
    batch::insert(connection, &[row])?;
    Ok(())
}

/// One page of the decisions about an incident that `tenant` filed or made itself, newest first.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    incident: &IncidentId,
    controller: Option<&OrganisationId>,
    page: &PageRequest,
) -> Result<Page<Decision>, StoreError> {
    let mine = decision::processor_id.eq(tenant.as_str()).or(decision::controller_id.eq(tenant.as_str()));
    let mut query = decision::table.filter(decision::incident_id.eq(incident.as_str())).filter(mine).into_boxed();
    if let Some(controller) = controller {
        query = query.filter(decision::controller_id.eq(controller.as_str()));
    }
    if let Some(after) = &page.after {
        query = query.filter(decision::id.lt(after.as_str()));
    }
    let rows: Vec<DecisionRow> =
        query.order(decision::id.desc()).limit(page.limit + 1).select(DecisionRow::as_select()).load(connection)?;
    let newest: Vec<Option<String>> = decision::table
        .filter(decision::incident_id.eq(incident.as_str()))
        .group_by(decision::controller_id)
        .select(diesel::dsl::max(decision::id))
        .load(connection)?;
    let newest: HashSet<String> = newest.into_iter().flatten().collect();
    let items = rows.into_iter().map(|row| {
        let current = newest.contains(&row.id);
        row.read(current)
    });
    Ok(Page::cut(items.collect::<Result<_, _>>()?, page.limit, |item| item.id.to_string()))
}
