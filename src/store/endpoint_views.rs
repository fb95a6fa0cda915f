//! How endpoints fare, as those may see it who own or registered them. Shows of a URL only where it leads: the rest may hold a secret.

use diesel::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;
use url::Url;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::parties::names;
use super::row::Door;
use super::schema::{attempt, delivery, endpoint};
use crate::domain::endpoint::{EndpointId, Health};
use crate::domain::id::OrganisationId;
use crate::domain::incident::Link;
use crate::domain::page::{Page, PageRequest};
use crate::domain::vocabulary::Channel;

/// Which endpoints a list shows.
#[derive(Debug, Clone, Default)]
pub struct EndpointFilter {
    /// Only those of this organisation.
    pub organisation: Option<OrganisationId>,
    /// Only those that fare so.
    pub health: Option<Health>,
    /// Only those of this channel.
    pub channel: Option<Channel>,
}

/// An endpoint and how it fares.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointView {
    id: EndpointId,
    channel: Channel,
    organisation: Link,
    registered_by: Link,
    address: String,
    location: Option<String>,
    health: Health,
    failures: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    failing_since: Option<OffsetDateTime>,
    last_failure: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    verified_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    proven_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    next_probe_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    retired_at: Option<OffsetDateTime>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = endpoint)]
struct ViewRow {
    id: String,
    organisation_id: String,
    created_by: String,
    address: String,
    location: Option<String>,
    health: String,
    failures: i32,
    failing_since: Option<i64>,
    last_failure: Option<String>,
    verified_at: Option<i64>,
    proven_at: Option<i64>,
    next_probe_at: Option<i64>,
    retired_at: Option<i64>,
}

/// Endpoints that are of `tenant` or were registered by it.
#[diesel::dsl::auto_type(no_type_alias)]
fn seen_by<'t>(tenant: &'t OrganisationId) -> _ {
    let tenant: &'t str = tenant.as_str();
    endpoint::organisation_id.eq(tenant).or(endpoint::created_by.eq(tenant))
}

/// One page of the endpoints that `tenant` owns or registered, oldest first.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    filter: &EndpointFilter,
    page: &PageRequest,
) -> Result<Page<EndpointView>, StoreError> {
    let mut query = endpoint::table.filter(seen_by(tenant)).into_boxed();
    if let Some(organisation) = &filter.organisation {
        query = query.filter(endpoint::organisation_id.eq(organisation.as_str()));
    }
    if let Some(health) = filter.health {
        query = query.filter(endpoint::health.eq(health.as_str()));
    }
    if let Some(channel) = filter.channel {
        query = query.filter(endpoint::channel.eq(channel.as_str()));
    }
    if let Some(after) = &page.after {
        query = query.filter(endpoint::id.gt(after.as_str()));
    }
    let rows = query.order(endpoint::id).limit(page.limit + 1).select(ViewRow::as_select()).load(connection)?;
    Ok(Page::cut(views(connection, rows)?, page.limit, |view| view.id.to_string()))
}

/// The endpoint `id`, if `tenant` owns or registered it.
pub fn find(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &EndpointId,
) -> Result<Option<EndpointView>, StoreError> {
    let row = endpoint::table
        .filter(endpoint::id.eq(id.as_str()))
        .filter(seen_by(tenant))
        .select(ViewRow::as_select())
        .first(connection)
        .optional()?;
    Ok(views(connection, row.into_iter().collect())?.pop())
}

fn views(connection: &mut AnyConnection, rows: Vec<ViewRow>) -> Result<Vec<EndpointView>, StoreError> {
    let known: Vec<String> =
        rows.iter().flat_map(|row| [row.organisation_id.clone(), row.created_by.clone()]).collect();
    let names = names(connection, &known)?;
    rows.into_iter()
        .map(|row| {
            let door = Door { table: "endpoint", id: &row.id };
            let link = |column, id: &str| {
                let name = names.get(id).ok_or_else(|| door.corrupt(column))?;
                Ok::<_, StoreError>(Link { id: door.parse(column, id)?, name: name.clone() })
            };
            let id: EndpointId = door.parse("id", &row.id)?;
            Ok(EndpointView {
                channel: id.channel(),
                organisation: link("organisation_id", &row.organisation_id)?,
                registered_by: link("created_by", &row.created_by)?,
                address: shown(id.channel(), &row.address).ok_or_else(|| door.corrupt("address"))?,
                health: Health::from_code(&row.health).ok_or_else(|| door.corrupt("health"))?,
                failing_since: door.instant_option("failing_since", row.failing_since)?,
                verified_at: door.instant_option("verified_at", row.verified_at)?,
                proven_at: door.instant_option("proven_at", row.proven_at)?,
                // What is retired is asked nothing.
                next_probe_at: door
                    .instant_option("next_probe_at", row.next_probe_at.filter(|_| row.retired_at.is_none()))?,
                retired_at: door.instant_option("retired_at", row.retired_at)?,
                location: row.location,
                failures: row.failures,
                last_failure: row.last_failure,
                id,
            })
        })
        .collect()
}

/// Where an address leads: a mailbox whole, of a URL scheme, host and port.
fn shown(channel: Channel, address: &str) -> Option<String> {
    match channel {
        Channel::Email => Some(address.to_owned()),
        _ => Url::parse(address).ok().map(|url| url.origin().ascii_serialization()),
    }
}

/// A try to reach an endpoint, as its owner and whoever registered it may see it: no more of a failure than its kind.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointAttempt {
    delivery: String,
    #[serde(rename = "type")]
    kind_of_event: String,
    number: i32,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    outcome: Option<String>,
    kind: Option<String>,
    status: Option<i32>,
    duration_ms: Option<f64>,
}

/// The last `limit` attempts at the endpoint `id`, newest first. The caller has checked that it may see the endpoint.
pub fn last_attempts(
    connection: &mut AnyConnection,
    id: &EndpointId,
    limit: i64,
) -> Result<Vec<EndpointAttempt>, StoreError> {
    type Row = (String, String, i32, i64, Option<String>, Option<String>, Option<i32>, Option<i64>);
    let rows: Vec<Row> = attempt::table
        .inner_join(delivery::table.on(delivery::id.eq(attempt::delivery_id)))
        .filter(delivery::endpoint_id.eq(id.as_str()))
        .order((attempt::started_at.desc(), attempt::delivery_id.desc(), attempt::number.desc()))
        .limit(limit)
        .select((
            attempt::delivery_id,
            delivery::type_,
            attempt::number,
            attempt::started_at,
            attempt::outcome,
            attempt::kind,
            attempt::status,
            attempt::duration_us,
        ))
        .load(connection)?;
    rows.into_iter()
        .map(|(delivery, kind_of_event, number, started_at, outcome, kind, status, took)| {
            let started_at = Door { table: "attempt", id: &delivery }.instant("started_at", started_at)?;
            #[expect(clippy::cast_precision_loss, reason = "durations of seconds keep every microsecond in f64")]
            let duration_ms = took.map(|micros| micros as f64 / 1000.0);
            Ok(EndpointAttempt { delivery, kind_of_event, number, started_at, outcome, kind, status, duration_ms })
        })
        .collect()
}
