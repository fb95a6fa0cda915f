//! Endpoints of organisations: where they are, what they want, and their sealed secrets. Opens no secret.

use std::collections::{BTreeSet, HashMap};

use diesel::dsl::case_when;
use diesel::prelude::*;
use time::OffsetDateTime;

use super::among::among;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::organisations::CHUNK;
use super::parties::names;
use super::row::{Door, micros, text};
use super::schema::webhook;
use crate::domain::event::Patterns;
use crate::domain::id::{OrganisationId, WebhookId};
use crate::domain::incident::Link;
use crate::domain::page::PageRequest;
use crate::domain::webhook::{Webhook, WebhookContent};

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
    /// Who registered it: the organisation itself, or a processor for it.
    pub created_by: OrganisationId,
    /// Which events it wants.
    pub events: Patterns,
    /// Failed attempts in a row.
    pub failures: i32,
}

impl Endpoint {
    /// Whether it may be told what `processor` does. One that another processor registered may not: that is between those two.
    pub fn hears(&self, processor: &OrganisationId) -> bool {
        self.created_by == self.organisation || self.created_by == *processor
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook)]
struct EndpointRow {
    id: String,
    organisation_id: String,
    created_by: String,
    events: String,
    failures: i32,
}

impl TryFrom<EndpointRow> for Endpoint {
    type Error = StoreError;

    fn try_from(row: EndpointRow) -> Result<Self, StoreError> {
        let door = Door { table: "webhook", id: &row.id };
        Ok(Self {
            id: door.parse("id", &row.id)?,
            organisation: door.parse("organisation_id", &row.organisation_id)?,
            created_by: door.parse("created_by", &row.created_by)?,
            events: patterns(&door, &row.events)?,
            failures: row.failures,
        })
    }
}

/// Every endpoint of `organisations` and what it wants, oldest first.
pub fn of_organisations(connection: &mut AnyConnection, organisations: &[String]) -> Result<Vec<Endpoint>, StoreError> {
    let wanted = among(connection, webhook::organisation_id, organisations)?;
    let rows: Vec<EndpointRow> =
        webhook::table.filter(wanted).order(webhook::id).select(EndpointRow::as_select()).load(connection)?;
    rows.into_iter().map(Endpoint::try_from).collect()
}

/// The endpoint `id`, if it is one of `tenant` or was registered by it.
pub fn endpoint(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &WebhookId,
) -> Result<Option<Endpoint>, StoreError> {
    let row: Option<EndpointRow> = webhook::table
        .filter(webhook::id.eq(id.as_str()))
        .filter(webhook::organisation_id.eq(tenant.as_str()).or(webhook::created_by.eq(tenant.as_str())))
        .select(EndpointRow::as_select())
        .first(connection)
        .optional()?;
    row.map(TryInto::try_into).transpose()
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

/// Stores a new endpoint.
pub fn insert(
    connection: &mut AnyConnection,
    id: &WebhookId,
    organisation: &OrganisationId,
    created_by: &OrganisationId,
    content: &WebhookContent,
    secret_sealed: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    diesel::insert_into(webhook::table)
        .values((
            webhook::id.eq(id.as_str()),
            webhook::organisation_id.eq(organisation.as_str()),
            webhook::created_by.eq(created_by.as_str()),
            webhook::url.eq(content.url.as_str()),
            webhook::events.eq(text(&content.events)?),
            webhook::secret_sealed.eq(secret_sealed),
            webhook::failures.eq(0),
            webhook::version.eq(1),
            webhook::created_at.eq(micros(now)),
            webhook::changed_at.eq(micros(now)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Replaces address and events of `version`; `false` if that is not the current version. A new address starts without failures.
pub fn replace(
    connection: &mut AnyConnection,
    id: &WebhookId,
    version: i32,
    content: &WebhookContent,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let changed = diesel::update(webhook::table.find(id.as_str()).filter(webhook::version.eq(version)))
        .set((
            webhook::url.eq(content.url.as_str()),
            webhook::events.eq(text(&content.events)?),
            webhook::failures.eq(0),
            webhook::version.eq(version.saturating_add(1)),
            webhook::changed_at.eq(micros(now)),
        ))
        .execute(connection)?;
    Ok(changed == 1)
}

/// Makes the secret of an endpoint its secret before, good until `previous_valid_until`, and `secret_sealed` the new one.
pub fn rotate(
    connection: &mut AnyConnection,
    id: &WebhookId,
    secret_sealed: &str,
    previous_valid_until: OffsetDateTime,
) -> Result<(), StoreError> {
    diesel::update(webhook::table.find(id.as_str()))
        .set((
            webhook::previous_secret_sealed.eq(webhook::secret_sealed.nullable()),
            webhook::previous_valid_until.eq(micros(previous_valid_until)),
            webhook::secret_sealed.eq(secret_sealed),
        ))
        .execute(connection)?;
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook)]
struct WebhookRow {
    id: String,
    organisation_id: String,
    url: String,
    events: String,
    version: i32,
    created_at: i64,
    changed_at: i64,
}

/// The endpoint `id`, if it is one of `tenant` or was registered by it.
pub fn find(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &WebhookId,
) -> Result<Option<Webhook>, StoreError> {
    let row: Option<WebhookRow> = webhook::table
        .filter(webhook::id.eq(id.as_str()))
        .filter(webhook::organisation_id.eq(tenant.as_str()).or(webhook::created_by.eq(tenant.as_str())))
        .select(WebhookRow::as_select())
        .first(connection)
        .optional()?;
    Ok(read(connection, row.into_iter().collect())?.pop())
}

/// Up to `limit` + 1 endpoints that are of `tenant` or were registered by it, oldest first.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    page: &PageRequest,
) -> Result<Vec<Webhook>, StoreError> {
    let mut query = webhook::table
        .filter(webhook::organisation_id.eq(tenant.as_str()).or(webhook::created_by.eq(tenant.as_str())))
        .into_boxed();
    if let Some(after) = &page.after {
        query = query.filter(webhook::id.gt(after.as_str()));
    }
    let rows = query.order(webhook::id).limit(page.limit + 1).select(WebhookRow::as_select()).load(connection)?;
    read(connection, rows)
}

/// Whose endpoints `ids` are, as far as `processor` may send notices there; the others are left out.
pub fn owners(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    ids: &BTreeSet<&str>,
) -> Result<HashMap<String, String>, StoreError> {
    let ids: Vec<&str> = ids.iter().copied().collect();
    let mut owners = HashMap::new();
    for ids in ids.chunks(CHUNK) {
        let rows: Vec<(String, String)> = webhook::table
            .filter(webhook::id.eq_any(ids))
            .filter(webhook::created_by.eq(webhook::organisation_id).or(webhook::created_by.eq(processor.as_str())))
            .select((webhook::id, webhook::organisation_id))
            .load(connection)?;
        owners.extend(rows);
    }
    Ok(owners)
}

fn read(connection: &mut AnyConnection, rows: Vec<WebhookRow>) -> Result<Vec<Webhook>, StoreError> {
    let organisations: Vec<String> = rows.iter().map(|row| row.organisation_id.clone()).collect();
    let names = names(connection, &organisations)?;
    rows.into_iter()
        .map(|row| {
            let door = Door { table: "webhook", id: &row.id };
            let name = names.get(&row.organisation_id).ok_or_else(|| door.corrupt("organisation_id"))?;
            Ok(Webhook {
                id: door.parse("id", &row.id)?,
                organisation: Link { id: door.parse("organisation_id", &row.organisation_id)?, name: name.clone() },
                events: patterns(&door, &row.events)?,
                created_at: door.instant("created_at", row.created_at)?,
                changed_at: door.instant("changed_at", row.changed_at)?,
                url: row.url,
                version: row.version,
            })
        })
        .collect()
}

fn patterns(door: &Door<'_>, stored: &str) -> Result<Patterns, StoreError> {
    Patterns::from_stored(door.json("events", stored)?).ok_or_else(|| door.corrupt("events"))
}
