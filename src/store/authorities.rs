//! Authorities that were chosen by hand for one controller's part of an incident.

use std::collections::HashMap;

use diesel::prelude::*;
use time::OffsetDateTime;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::authority_choice;
use crate::domain::authority::{AuthorityChoice, NewChoice};
use crate::domain::id::{IncidentId, OrganisationId};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = authority_choice)]
struct ChoiceRow {
    controller_id: String,
    authority: String,
    reason: String,
    by_name: String,
    recorded_at: i64,
}

batch::row! {
    NewChoiceRow in "authority_choice" {
        incident_id: &'a str,
        controller_id: &'a str,
        authority: &'a str,
        reason: &'a str,
        by_name: &'a str,
        recorded_by: &'a str,
        recorded_at: i64,
    }
}

/// Stores the choice for one controller's part of an incident; an earlier one is replaced.
pub fn choose(
    connection: &mut AnyConnection,
    incident: &IncidentId,
    controller: &OrganisationId,
    choice: &NewChoice,
    recorded_by: &OrganisationId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let row = NewChoiceRow {
        incident_id: incident.as_str(),
        controller_id: controller.as_str(),
        authority: &choice.authority,
        reason: &choice.reason,
        by_name: &choice.by,
        recorded_by: recorded_by.as_str(),
        recorded_at: micros(now),
    };
    batch::upsert(connection, &["incident_id", "controller_id"], &[row])?;
    Ok(())
}

/// What was chosen for one controller's part of an incident. The caller has checked who may ask.
pub fn chosen(
    connection: &mut AnyConnection,
    incident: &IncidentId,
    controller: &OrganisationId,
) -> Result<Option<AuthorityChoice>, StoreError> {
    let row: Option<ChoiceRow> = authority_choice::table
        .find((incident.as_str(), controller.as_str()))
        .select(ChoiceRow::as_select())
        .first(connection)
        .optional()?;
    row.map(|row| choice(row).map(|(_, choice)| choice)).transpose()
}

/// What was chosen in an incident, by controller; for its processor.
pub fn all_chosen(
    connection: &mut AnyConnection,
    incident: &IncidentId,
) -> Result<HashMap<String, AuthorityChoice>, StoreError> {
    let rows: Vec<ChoiceRow> = authority_choice::table
        .filter(authority_choice::incident_id.eq(incident.as_str()))
        .select(ChoiceRow::as_select())
        .load(connection)?;
    rows.into_iter().map(choice).collect()
}

fn choice(row: ChoiceRow) -> Result<(String, AuthorityChoice), StoreError> {
    let door = Door { table: "authority_choice", id: &row.controller_id };
    let at = door.instant("recorded_at", row.recorded_at)?;
    let choice = AuthorityChoice { authority: row.authority, reason: row.reason, by: row.by_name, at };
    Ok((row.controller_id, choice))
}
