//! Endpoints of organisations: where they are, what they want, and their sealed secrets. Opens no secret.

use diesel::dsl::case_when;
use diesel::prelude::*;
use time::OffsetDateTime;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::Door;
use super::schema::webhook;
use crate::domain::event::Patterns;
use crate::domain::id::{OrganisationId, WebhookId};

/// The most ids in one statement; both databases take more.
const CHUNK: usize = 10_000;

/// What sending to an endpoint takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The endpoint.
    pub id: WebhookId,
    /// Whose endpoint it is.
    pub organisation_id: OrganisationId,
    /// Where it is.
    pub url: String,
    /// The secret, sealed for the context that [`secret_context`] names.
    pub secret_sealed: String,
    /// The secret before, sealed for the same context.
    pub previous_secret_sealed: Option<String>,
    /// Until when messages are signed with the secret before too, UTC.
    pub previous_valid_until: Option<OffsetDateTime>,
    /// Failed attempts in a row.
    pub failures: i32,
}

/// The context that the secrets of the endpoint `id` are sealed for.
pub fn secret_context(id: &WebhookId) -> String {
    format!("webhook:{id}")
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook)]
struct TargetRow {
    id: String,
    organisation_id: String,
    url: String,
    secret_sealed: String,
    previous_secret_sealed: Option<String>,
    previous_valid_until: Option<i64>,
    failures: i32,
}

impl TryFrom<TargetRow> for Target {
    type Error = StoreError;

    fn try_from(row: TargetRow) -> Result<Self, StoreError> {
        let door = Door { table: "webhook", id: &row.id };
        Ok(Self {
            id: door.parse("id", &row.id)?,
            organisation_id: door.parse("organisation_id", &row.organisation_id)?,
            previous_valid_until: door.instant_option("previous_valid_until", row.previous_valid_until)?,
            url: row.url,
            secret_sealed: row.secret_sealed,
            previous_secret_sealed: row.previous_secret_sealed,
            failures: row.failures,
        })
    }
}

/// The endpoints `ids`, in no order. For the delivery worker, which acts for every tenant.
pub fn targets(connection: &mut AnyConnection, ids: &[String]) -> Result<Vec<Target>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        let rows: Vec<TargetRow> =
            webhook::table.filter(webhook::id.eq_any(ids)).select(TargetRow::as_select()).load(connection)?;
        for row in rows {
            found.push(row.try_into()?);
        }
    }
    Ok(found)
}

/// An endpoint and what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The endpoint.
    pub id: WebhookId,
    /// Whose endpoint it is.
    pub organisation: OrganisationId,
    /// Which events it wants.
    pub events: Patterns,
    /// Failed attempts in a row.
    pub failures: i32,
}

/// Every endpoint of `organisations` and what it wants, oldest first.
pub fn of_organisations(
    connection: &mut AnyConnection,
    organisations: &[String],
) -> Result<Vec<Endpoint>, StoreError> {
    let mut found = Vec::new();
    for organisations in organisations.chunks(CHUNK) {
        let rows: Vec<(String, String, String, i32)> = webhook::table
            .filter(webhook::organisation_id.eq_any(organisations))
            .order(webhook::id)
            .select((webhook::id, webhook::organisation_id, webhook::events, webhook::failures))
            .load(connection)?;
        for (id, organisation, events, failures) in &rows {
            let door = Door { table: "webhook", id };
            found.push(Endpoint {
                id: door.parse("id", id)?,
                organisation: door.parse("organisation_id", organisation)?,
                events: patterns(&door, events)?,
                failures: *failures,
            });
        }
    }
    Ok(found)
}

/// Counts what became of one attempt each: `true` for success, which ends a row of failures.
///
/// Of several outcomes of one endpoint one success is enough. An endpoint that worked and works is not written.
pub fn note_outcomes(connection: &mut AnyConnection, outcomes: &[(WebhookId, bool)]) -> Result<(), StoreError> {
    let ids = |succeeded: bool| -> Vec<&str> {
        outcomes.iter().filter(|(_, success)| *success == succeeded).map(|(id, _)| id.as_str()).collect()
    };
    let (worked, failed) = (ids(true), ids(false));
    let changed = webhook::id.eq_any(&failed).or(webhook::id.eq_any(&worked).and(webhook::failures.gt(0)));
    let none = 0.into_sql::<diesel::sql_types::Integer>();
    diesel::update(webhook::table.filter(changed))
        .set(webhook::failures.eq(case_when(webhook::id.eq_any(&worked), none).otherwise(webhook::failures + 1)))
        .execute(connection)?;
    Ok(())
}

fn patterns(door: &Door<'_>, stored: &str) -> Result<Patterns, StoreError> {
    Patterns::from_stored(door.json("events", stored)?).ok_or_else(|| door.corrupt("events"))
}
