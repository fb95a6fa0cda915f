//! Controllers that no proven channel leads to. Counts no endpoint that its processor may not use.

use std::collections::HashMap;

use diesel::dsl::{count_star, exists, not};
use diesel::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::among::among;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::parties::names;
use super::row::Door;
use super::schema::{agreement, endpoint};
use crate::domain::endpoint::{EndpointId, Health, Unproven};
use crate::domain::id::OrganisationId;
use crate::domain::incident::Link;
use crate::domain::page::{Page, PageRequest};
use crate::domain::vocabulary::Channel;

/// A controller that no proven channel leads to.
#[derive(Debug, Clone, Serialize)]
pub struct UnprovenController {
    organisation: Link,
    agreements: i64,
    reason: Unproven,
    endpoints: Vec<UnprovenEndpoint>,
}

/// An endpoint that is no proven channel.
#[derive(Debug, Clone, Serialize)]
pub struct UnprovenEndpoint {
    id: EndpointId,
    channel: Channel,
    health: Health,
    #[serde(with = "time::serde::rfc3339::option")]
    failing_since: Option<OffsetDateTime>,
    last_failure: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    proven_at: Option<OffsetDateTime>,
    #[serde(skip)]
    verified: bool,
}

/// Endpoints that may be told what `processor` does; the same rule as `Endpoint::hears`. What is retired is told nothing.
#[diesel::dsl::auto_type(no_type_alias)]
fn hears<'t>(processor: &'t OrganisationId) -> _ {
    let processor: &'t str = processor.as_str();
    let is_between = endpoint::created_by.eq(endpoint::organisation_id).or(endpoint::created_by.eq(processor));
    endpoint::retired_at.is_null().and(is_between)
}

/// One page of the controllers that have an agreement with `processor` in force on `day` (ISO 8601) and no proven channel.
pub fn list(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    day: &str,
    page: &PageRequest,
) -> Result<Page<UnprovenController>, StoreError> {
    let proven = endpoint::table
        .filter(endpoint::organisation_id.eq(agreement::controller_id))
        .filter(hears(processor))
        .filter(endpoint::verified_at.is_not_null().and(endpoint::health.eq(Health::Healthy.as_str())));
    let after = page.after.as_deref().unwrap_or_default();
    let counted: Vec<(String, i64)> = agreement::table
        .filter(agreement::processor_id.eq(processor.as_str()))
        .filter(agreement::valid_from.le(day))
        .filter(agreement::valid_until.is_null().or(agreement::valid_until.ge(day)))
        .filter(agreement::controller_id.gt(after))
        .filter(not(exists(proven)))
        .group_by(agreement::controller_id)
        .order(agreement::controller_id)
        .limit(page.limit + 1)
        .select((agreement::controller_id, count_star()))
        .load(connection)?;
    let ids: Vec<String> = counted.iter().map(|(id, _)| id.clone()).collect();
    let names = names(connection, &ids)?;
    let mut endpoints = endpoints(connection, processor, &ids)?;
    let shown = counted.into_iter().map(|(id, agreements)| {
        let door = Door { table: "agreement", id: &id };
        let name = names.get(&id).cloned().ok_or_else(|| door.corrupt("controller_id"))?;
        let endpoints = endpoints.remove(&id).unwrap_or_default();
        let reason = Unproven::of(endpoints.iter().map(|one| (one.health, one.verified)));
        let organisation = Link { id: door.parse("controller_id", &id)?, name };
        Ok(UnprovenController { organisation, agreements, reason, endpoints })
    });
    let shown = shown.collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Page::cut(shown, page.limit, |one| one.organisation.id.to_string()))
}

/// The endpoints of `controllers` that may be told what `processor` does, oldest first.
fn endpoints(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    controllers: &[String],
) -> Result<HashMap<String, Vec<UnprovenEndpoint>>, StoreError> {
    type Row = (String, String, String, Option<i64>, Option<String>, Option<i64>, bool);
    let wanted = among(connection, endpoint::organisation_id, controllers)?;
    let rows: Vec<Row> = endpoint::table
        .filter(wanted)
        .filter(hears(processor))
        .order(endpoint::id)
        .select((
            endpoint::id,
            endpoint::organisation_id,
            endpoint::health,
            endpoint::failing_since,
            endpoint::last_failure,
            endpoint::proven_at,
            endpoint::verified_at.is_not_null(),
        ))
        .load(connection)?;
    let mut found: HashMap<String, Vec<UnprovenEndpoint>> = HashMap::new();
    for (id, owner, health, failing_since, last_failure, proven_at, verified) in rows {
        let door = Door { table: "endpoint", id: &id };
        let endpoint: EndpointId = door.parse("id", &id)?;
        found.entry(owner).or_default().push(UnprovenEndpoint {
            channel: endpoint.channel(),
            health: Health::from_code(&health).ok_or_else(|| door.corrupt("health"))?,
            failing_since: door.instant_option("failing_since", failing_since)?,
            proven_at: door.instant_option("proven_at", proven_at)?,
            id: endpoint,
            last_failure,
            verified,
        });
    }
    Ok(found)
}
