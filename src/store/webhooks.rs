//! Webhooks as they are registered, changed and shown. How they fare is in `endpoints`.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use time::OffsetDateTime;

use super::connection::AnyConnection;
use super::endpoints::patterns;
use super::error::StoreError;
use super::organisations::CHUNK;
use super::parties::names;
use super::row::{Door, micros, text};
use super::schema::{endpoint, endpoint_secret};
use crate::domain::endpoint::{Health, PROBE_EVERY};
use crate::domain::id::{OrganisationId, WebhookId};
use crate::domain::incident::Link;
use crate::domain::page::PageRequest;
use crate::domain::vocabulary::Channel;
use crate::domain::webhook::{Webhook, WebhookContent};

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
    diesel::insert_into(endpoint::table)
        .values((
            endpoint::id.eq(id.as_str()),
            endpoint::organisation_id.eq(organisation.as_str()),
            endpoint::created_by.eq(created_by.as_str()),
            endpoint::address.eq(content.url.as_str()),
            endpoint::events.eq(text(&content.events)?),
            endpoint::secret_sealed.eq(secret_sealed),
            endpoint::channel.eq(Channel::Webhook.as_str()),
            endpoint::location.eq(content.location.as_deref()),
            endpoint::health.eq(Health::Unverified.as_str()),
            endpoint::failures.eq(0),
            endpoint::next_probe_at.eq(micros(now + PROBE_EVERY)),
            endpoint::version.eq(1),
            endpoint::created_at.eq(micros(now)),
            endpoint::changed_at.eq(micros(now)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Replaces address and events of `version`; `false` if that is not the current version. An endpoint that has `moved` has to prove
/// itself, and starts without failures.
pub fn replace(
    connection: &mut AnyConnection,
    id: &WebhookId,
    version: i32,
    content: &WebhookContent,
    moved: bool,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let changed = diesel::update(endpoint::table.find(id.as_str()).filter(endpoint::version.eq(version)))
        .set((
            endpoint::address.eq(content.url.as_str()),
            endpoint::events.eq(text(&content.events)?),
            endpoint::location.eq(content.location.as_deref()),
            endpoint::version.eq(version.saturating_add(1)),
            endpoint::changed_at.eq(micros(now)),
        ))
        .execute(connection)?;
    if changed == 1 && moved {
        diesel::update(endpoint::table.find(id.as_str()))
            .set((
                endpoint::health.eq(Health::Unverified.as_str()),
                endpoint::failures.eq(0),
                endpoint::failing_since.eq(None::<i64>),
                endpoint::last_failure.eq(None::<String>),
                endpoint::verified_at.eq(None::<i64>),
                endpoint::proven_at.eq(None::<i64>),
                endpoint::next_probe_at.eq(micros(now + PROBE_EVERY)),
            ))
            .execute(connection)?;
    }
    Ok(changed == 1)
}

/// Lets no secret that an endpoint had before be good for longer than `valid_until`; answers how many are good after `now`.
pub fn shorten_overlap(
    connection: &mut AnyConnection,
    id: &WebhookId,
    valid_until: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<i64, StoreError> {
    let of_endpoint = endpoint_secret::table.filter(endpoint_secret::endpoint_id.eq(id.as_str()));
    let until = micros(valid_until);
    diesel::update(of_endpoint.filter(endpoint_secret::valid_until.gt(until)))
        .set(endpoint_secret::valid_until.eq(until))
        .execute(connection)?;
    diesel::delete(of_endpoint.filter(endpoint_secret::valid_until.le(micros(now)))).execute(connection)?;
    Ok(of_endpoint.count().get_result(connection)?)
}

/// Makes the secret of an endpoint one of those before, good until `valid_until`, and `secret_sealed` the new one.
pub fn rotate(
    connection: &mut AnyConnection,
    id: &WebhookId,
    secret_sealed: &str,
    valid_until: OffsetDateTime,
) -> Result<(), StoreError> {
    let this = endpoint::table.find(id.as_str());
    let before: String = this.select(endpoint::secret_sealed).first(connection)?;
    diesel::insert_into(endpoint_secret::table)
        .values((
            endpoint_secret::endpoint_id.eq(id.as_str()),
            endpoint_secret::secret_sealed.eq(before),
            endpoint_secret::valid_until.eq(micros(valid_until)),
        ))
        .execute(connection)?;
    diesel::update(this).set(endpoint::secret_sealed.eq(secret_sealed)).execute(connection)?;
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = endpoint)]
struct WebhookRow {
    id: String,
    organisation_id: String,
    address: String,
    location: Option<String>,
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
    let row: Option<WebhookRow> = endpoint::table
        .filter(endpoint::id.eq(id.as_str()).and(endpoint::channel.eq(Channel::Webhook.as_str())))
        .filter(endpoint::organisation_id.eq(tenant.as_str()).or(endpoint::created_by.eq(tenant.as_str())))
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
    let mut query = endpoint::table
        .filter(endpoint::channel.eq(Channel::Webhook.as_str()))
        .filter(endpoint::organisation_id.eq(tenant.as_str()).or(endpoint::created_by.eq(tenant.as_str())))
        .into_boxed();
    if let Some(after) = &page.after {
        query = query.filter(endpoint::id.gt(after.as_str()));
    }
    let rows = query.order(endpoint::id).limit(page.limit + 1).select(WebhookRow::as_select()).load(connection)?;
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
        let rows: Vec<(String, String)> = endpoint::table
            .filter(endpoint::id.eq_any(ids))
            .filter(endpoint::created_by.eq(endpoint::organisation_id).or(endpoint::created_by.eq(processor.as_str())))
            .select((endpoint::id, endpoint::organisation_id))
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
            let door = Door { table: "endpoint", id: &row.id };
            let name = names.get(&row.organisation_id).ok_or_else(|| door.corrupt("organisation_id"))?;
            Ok(Webhook {
                id: door.parse("id", &row.id)?,
                organisation: Link { id: door.parse("organisation_id", &row.organisation_id)?, name: name.clone() },
                events: patterns(&door, &row.events)?,
                created_at: door.instant("created_at", row.created_at)?,
                changed_at: door.instant("changed_at", row.changed_at)?,
                url: row.address,
                location: row.location,
                version: row.version,
            })
        })
        .collect()
}
