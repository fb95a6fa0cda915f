//! Endpoints of every channel: whose they are, what they want, how they fare. Opens no secret.

use std::collections::{HashMap, HashSet};

use diesel::dsl::{case_when, not};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use time::{Duration, OffsetDateTime};

use super::among::among;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{endpoint, endpoint_secret};
use crate::domain::delivery_outcome::{FailureKind, Outcome};
use crate::domain::endpoint::{CONFIRM_EVERY, DEGRADED_AFTER, EndpointId, Health, PROBE_EVERY};
use crate::domain::event::Patterns;
use crate::domain::id::OrganisationId;
use crate::domain::vocabulary::Channel;

/// What sending to an endpoint takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The endpoint.
    pub id: EndpointId,
    /// Whose endpoint it is.
    pub organisation_id: OrganisationId,
    /// Who registered it.
    pub created_by: OrganisationId,
    /// Where it is: a URL or a mailbox.
    pub address: String,
    /// The secret, sealed for the context that [`secret_context`] names; empty for a mailbox.
    pub secret_sealed: String,
    /// The secrets before, sealed for the same context, and until when messages are signed with each too, UTC.
    pub secrets_before: Vec<(String, OffsetDateTime)>,
    /// What is known of it.
    pub health: Health,
    /// Whether it has ever proved itself.
    pub verified: bool,
}

/// The context that the secrets of the endpoint `id` are sealed for.
pub fn secret_context(id: &EndpointId) -> String {
    // What was sealed before mailboxes existed carries this name.
    format!("webhook:{id}")
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = endpoint)]
struct TargetRow {
    id: String,
    organisation_id: String,
    created_by: String,
    address: String,
    secret_sealed: String,
    health: String,
    verified_at: Option<i64>,
}

impl TryFrom<TargetRow> for Target {
    type Error = StoreError;

    fn try_from(row: TargetRow) -> Result<Self, StoreError> {
        let door = Door { table: "endpoint", id: &row.id };
        Ok(Self {
            id: door.parse("id", &row.id)?,
            organisation_id: door.parse("organisation_id", &row.organisation_id)?,
            created_by: door.parse("created_by", &row.created_by)?,
            secrets_before: Vec::new(),
            health: Health::from_code(&row.health).ok_or_else(|| door.corrupt("health"))?,
            verified: row.verified_at.is_some(),
            address: row.address,
            secret_sealed: row.secret_sealed,
        })
    }
}

/// The endpoints `ids`, in no order. For the delivery worker, which acts for every tenant.
pub fn targets(connection: &mut AnyConnection, ids: &[String]) -> Result<Vec<Target>, StoreError> {
    let wanted = among(connection, endpoint::id, ids)?;
    let rows: Vec<TargetRow> = endpoint::table.filter(wanted).select(TargetRow::as_select()).load(connection)?;
    let of_these = among(connection, endpoint_secret::endpoint_id, ids)?;
    let columns = (endpoint_secret::endpoint_id, endpoint_secret::secret_sealed, endpoint_secret::valid_until);
    let before: Vec<(String, String, i64)> =
        endpoint_secret::table.filter(of_these).order(endpoint_secret::valid_until).select(columns).load(connection)?;
    let mut secrets: HashMap<String, Vec<(String, OffsetDateTime)>> = HashMap::new();
    for (id, sealed, until) in before {
        let until = Door { table: "endpoint_secret", id: &id }.instant("valid_until", until)?;
        secrets.entry(id).or_default().push((sealed, until));
    }
    let target = |row: TargetRow| {
        let secrets_before = secrets.remove(&row.id).unwrap_or_default();
        Ok(Target { secrets_before, ..Target::try_from(row)? })
    };
    rows.into_iter().map(target).collect()
}

/// Where the endpoints `ids` are now, each a URL or a mailbox, by their ids.
pub fn addresses(connection: &mut AnyConnection, ids: &[&str]) -> Result<HashMap<String, String>, StoreError> {
    let wanted = among(connection, endpoint::id, ids)?;
    let rows: Vec<(String, String)> =
        endpoint::table.filter(wanted).select((endpoint::id, endpoint::address)).load(connection)?;
    Ok(rows.into_iter().collect())
}

/// An endpoint and what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The endpoint.
    pub id: EndpointId,
    /// Whose endpoint it is.
    pub organisation: OrganisationId,
    /// Who registered it: the organisation itself, or a processor for it.
    pub created_by: OrganisationId,
    /// Where it is: a URL or a mailbox.
    pub address: String,
    /// In which country or area it stands, as far as its owner has said so.
    pub location: Option<String>,
    /// Which events it wants.
    pub events: Patterns,
    /// What is known of it.
    pub health: Health,
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
#[diesel(table_name = endpoint)]
pub(super) struct EndpointRow {
    id: String,
    organisation_id: String,
    created_by: String,
    address: String,
    location: Option<String>,
    events: String,
    health: String,
    failures: i32,
}

impl TryFrom<EndpointRow> for Endpoint {
    type Error = StoreError;

    fn try_from(row: EndpointRow) -> Result<Self, StoreError> {
        let door = Door { table: "endpoint", id: &row.id };
        Ok(Self {
            id: door.parse("id", &row.id)?,
            organisation: door.parse("organisation_id", &row.organisation_id)?,
            created_by: door.parse("created_by", &row.created_by)?,
            address: row.address,
            location: row.location,
            events: patterns(&door, &row.events)?,
            health: Health::from_code(&row.health).ok_or_else(|| door.corrupt("health"))?,
            failures: row.failures,
        })
    }
}

/// What an endpoint wants, out of its row.
pub(super) fn patterns(door: &Door<'_>, stored: &str) -> Result<Patterns, StoreError> {
    Patterns::from_stored(door.json("events", stored)?).ok_or_else(|| door.corrupt("events"))
}

/// Every endpoint of `channel` of `organisations` that is not retired, oldest first.
pub fn of_organisations(
    connection: &mut AnyConnection,
    channel: Channel,
    organisations: &[String],
) -> Result<Vec<Endpoint>, StoreError> {
    in_use(connection, channel, organisations, None)
}

/// Those webhooks among them that want everything or some events of `family`, such as `duty`.
pub fn webhooks_wanting(
    connection: &mut AnyConnection,
    organisations: &[&str],
    family: &str,
) -> Result<Vec<Endpoint>, StoreError> {
    in_use(connection, Channel::Webhook, organisations, Some(family))
}

fn in_use(
    connection: &mut AnyConnection,
    channel: Channel,
    organisations: &[impl serde::Serialize],
    family: Option<&str>,
) -> Result<Vec<Endpoint>, StoreError> {
    let of_these = among(connection, endpoint::organisation_id, organisations)?;
    let mut query = endpoint::table
        .filter(of_these)
        .filter(endpoint::channel.eq(channel.as_str()).and(endpoint::retired_at.is_null()))
        .order(endpoint::id)
        .select(EndpointRow::as_select())
        .into_boxed();
    if let Some(family) = family {
        let everything = endpoint::events.like(r#"%"*"%"#);
        query = query.filter(everything.or(endpoint::events.like(format!("%\"{family}.%"))));
    }
    let rows: Vec<EndpointRow> = query.load(connection)?;
    rows.into_iter().map(Endpoint::try_from).collect()
}

/// The endpoint `id`, if it is one of `tenant` or was registered by it, and is not retired.
pub fn find(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &EndpointId,
) -> Result<Option<Endpoint>, StoreError> {
    let row: Option<EndpointRow> = endpoint::table
        .filter(endpoint::id.eq(id.as_str()).and(endpoint::retired_at.is_null()))
        .filter(endpoint::organisation_id.eq(tenant.as_str()).or(endpoint::created_by.eq(tenant.as_str())))
        .select(EndpointRow::as_select())
        .first(connection)
        .optional()?;
    row.map(TryInto::try_into).transpose()
}

/// An endpoint that has just proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Whose endpoint it is.
    pub organisation: OrganisationId,
    /// Who registered it.
    pub created_by: OrganisationId,
    /// Whether it was known to work before.
    pub was_healthy: bool,
}

/// Notes that the endpoint `id` has proved itself at `now`; `None` if there is none, or if it has moved away from `address`.
pub fn prove(
    connection: &mut AnyConnection,
    id: &EndpointId,
    address: &str,
    now: OffsetDateTime,
) -> Result<Option<Proven>, StoreError> {
    let known = (endpoint::organisation_id, endpoint::created_by, endpoint::health);
    // What was asked at an address before says nothing of the new one.
    let there = endpoint::table.find(id.as_str()).filter(endpoint::address.eq(address));
    let row: Option<(String, String, String)> = there.select(known).first(connection).optional()?;
    let Some((organisation, created_by, health)) = row else { return Ok(None) };
    let first = micros(now).into_sql::<Nullable<BigInt>>();
    let verified = case_when(endpoint::verified_at.is_null(), first).otherwise(endpoint::verified_at);
    let is_mailbox = endpoint::channel.eq(Channel::Email.as_str());
    let later = micros(now + CONFIRM_EVERY).into_sql::<Nullable<BigInt>>();
    let proved = diesel::update(there)
        .set((
            endpoint::health.eq(Health::Healthy.as_str()),
            endpoint::failures.eq(0),
            endpoint::failing_since.eq(None::<i64>),
            endpoint::verified_at.eq(verified),
            endpoint::proven_at.eq(micros(now)),
            endpoint::next_probe_at.eq(case_when(is_mailbox, later).otherwise(endpoint::next_probe_at)),
        ))
        .execute(connection)?;
    if proved == 0 {
        return Ok(None);
    }
    let door = Door { table: "endpoint", id: id.as_str() };
    Ok(Some(Proven {
        organisation: door.parse("organisation_id", &organisation)?,
        created_by: door.parse("created_by", &created_by)?,
        was_healthy: health == Health::Healthy.as_str(),
    }))
}

/// How seldom the proof of an endpoint that works is written anew.
const PROOF_EVERY: Duration = Duration::DAY;

/// Writes what attempts say of the health of endpoints; answers those that work again after trouble.
///
/// Of several outcomes of one endpoint one success is enough. An endpoint that worked and works is written once a day only.
pub fn note_outcomes(
    connection: &mut AnyConnection,
    outcomes: &[(EndpointId, Outcome)],
    now: OffsetDateTime,
) -> Result<Vec<String>, StoreError> {
    let worked: HashSet<&str> =
        outcomes.iter().filter(|(_, outcome)| outcome.is_success()).map(|(id, _)| id.as_str()).collect();
    let failed: Vec<_> = outcomes.iter().filter(|(id, _)| !worked.contains(id.as_str())).collect();
    for (code, ids) in by_code(&failed) {
        note_failures(connection, &ids, code, now)?;
    }
    note_successes(connection, &worked.into_iter().collect::<Vec<_>>(), now)
}

fn by_code<'o>(failed: &[&'o (EndpointId, Outcome)]) -> Vec<(&'static str, Vec<&'o str>)> {
    let mut groups: Vec<(&'static str, Vec<&str>)> = Vec::new();
    for (id, outcome) in failed {
        let code = outcome.kind().map_or(outcome.as_str(), FailureKind::as_str);
        match groups.iter_mut().find(|(known, _)| *known == code) {
            Some((_, ids)) => ids.push(id.as_str()),
            None => groups.push((code, vec![id.as_str()])),
        }
    }
    groups
}

fn note_failures(
    connection: &mut AnyConnection,
    ids: &[&str],
    code: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let text = |health: Health| health.as_str().into_sql::<Text>();
    let is_gone = code == Outcome::Gone.as_str();
    let often = endpoint::failures.ge(DEGRADED_AFTER - 1).and(endpoint::health.eq(Health::Healthy.as_str()));
    let soon = micros(now + PROBE_EVERY);
    diesel::update(endpoint::table.filter(endpoint::id.eq_any(ids)))
        .set((
            endpoint::failures.eq(endpoint::failures + 1),
            // A mailbox that was confirmed is asked seldom, until it fails.
            endpoint::next_probe_at.eq(case_when(
                endpoint::next_probe_at.gt(soon),
                soon.into_sql::<Nullable<BigInt>>(),
            )
            .otherwise(endpoint::next_probe_at)),
            endpoint::failing_since.eq(case_when(
                endpoint::failing_since.is_null(),
                micros(now).into_sql::<Nullable<BigInt>>(),
            )
            .otherwise(endpoint::failing_since)),
            endpoint::last_failure.eq(code),
            endpoint::health.eq(case_when(is_gone.into_sql::<diesel::sql_types::Bool>(), text(Health::Gone))
                .when(often, text(Health::Degraded))
                .otherwise(endpoint::health)),
        ))
        .execute(connection)?;
    Ok(())
}

fn note_successes(
    connection: &mut AnyConnection,
    ids: &[&str],
    now: OffsetDateTime,
) -> Result<Vec<String>, StoreError> {
    let text = |health: Health| health.as_str().into_sql::<Text>();
    let troubled = endpoint::failures.gt(0).or(endpoint::health.eq(Health::Gone.as_str()));
    let these = among(connection, endpoint::id, ids)?;
    let recovered: Vec<String> =
        endpoint::table.filter(these.clone()).filter(troubled).select(endpoint::id).load(connection)?;
    if !recovered.is_empty() {
        let unproven = endpoint::verified_at.is_null();
        diesel::update(endpoint::table.filter(endpoint::id.eq_any(&recovered)))
            .set((
                endpoint::failures.eq(0),
                endpoint::failing_since.eq(None::<i64>),
                endpoint::health.eq(case_when(unproven, text(Health::Unverified)).otherwise(text(Health::Healthy))),
            ))
            .execute(connection)?;
    }
    let stale = endpoint::proven_at.lt(micros(now - PROOF_EVERY)).and(not(endpoint::verified_at.is_null()));
    diesel::update(endpoint::table.filter(these).filter(stale))
        .set(endpoint::proven_at.eq(micros(now)))
        .execute(connection)?;
    Ok(recovered)
}
