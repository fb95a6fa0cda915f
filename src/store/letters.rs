//! What letters to mailboxes have to know of notices and agreements. Composes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;
use serde_json::Value;
use time::OffsetDateTime;

use super::among::among;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::Door;
use super::schema::{agreement, agreement_version, delivery, endpoint, notice};
use super::schema_of_delivery::attempt;
use crate::domain::content::{Known, ShareContent};
use crate::domain::event::EventType;
use crate::domain::fault::Faults;
use crate::domain::id::NoticeId;
use crate::domain::organisation::Contact;
use crate::domain::parse::Place;
use crate::domain::terms::Terms;
use crate::domain::vocabulary::IncidentKind;

/// What the letters about one notice have to know beside the notice itself.
#[derive(Debug, Clone)]
pub struct Told {
    /// What tells it: the type of its event.
    pub kind: String,
    /// What kind of incident it tells of. That of the incident may have moved on, in a version that nobody may see yet.
    pub incident: IncidentKind,
    /// The contact point that it names.
    pub contact: Option<Contact>,
    /// Where it was sent to, reminders included, oldest first.
    pub sent: Vec<Sent>,
    /// When the first notice of the same incident was first sent to the same controller, UTC.
    pub first_sent_at: Option<OffsetDateTime>,
    /// The terms that it was told under.
    pub terms: Arc<Terms>,
    /// The first notice of the same incident to the same controller, and its number.
    pub first: (NoticeId, i32),
    /// Whether a later notice about the same has been made.
    pub superseded: bool,
}

/// The first attempt of a message about a notice to its controller.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The id of the delivery.
    pub delivery: String,
    /// The id of the endpoint.
    pub endpoint: String,
    /// Its address.
    pub address: String,
    /// When, UTC.
    pub at: OffsetDateTime,
}

/// What the letters about the notices `ids` have to know, by the id of the notice.
pub fn told(connection: &mut AnyConnection, ids: &[&str]) -> Result<HashMap<String, Told>, StoreError> {
    type Row = (String, String, String, String, String);
    let terms = terms_of(connection, ids)?;
    let wanted = among(connection, notice::id, ids)?;
    let columns = (notice::id, notice::type_, notice::incident_id, notice::controller_id, notice::content);
    let rows: Vec<Row> = notice::table.filter(wanted).select(columns).load(connection)?;
    let incidents: Vec<&str> = rows.iter().map(|row| row.2.as_str()).collect();
    let controllers: Vec<&str> = rows.iter().map(|row| row.3.as_str()).collect();
    let series = series(connection, &incidents, &controllers)?;
    let of_series: Vec<&str> = series.values().flatten().map(|(id, _)| id.as_str()).collect();
    let sent = sent(connection, &of_series)?;
    let mut told = HashMap::with_capacity(rows.len());
    for (id, kind, incident, controller, content) in &rows {
        let door = Door { table: "notice", id };
        let terms = terms.get(id).cloned().ok_or_else(|| door.corrupt("agreement_version"))?;
        let all = series.get(&(incident.as_str(), controller.as_str()));
        let (first, last) =
            all.and_then(|all| all.first().zip(all.last())).ok_or_else(|| door.corrupt("incident_id"))?;
        let first = (door.parse("id", &first.0)?, first.1);
        let content = ShareContent::from_stored(content).map_err(|_| door.corrupt("content"))?.common;
        let contact = match &content.contact {
            Known::Known(contact) => Some(contact.clone()),
            Known::Unknown(_) | Known::Absent => None,
        };
        let (kind, incident, superseded) = (kind.clone(), content.kind, last.0 != *id);
        let first_sent_at =
            all.into_iter().flatten().filter_map(|(id, _)| Some(sent.get(id.as_str())?.first()?.at)).min();
        let sent = sent.get(id).cloned().unwrap_or_default();
        told.insert(id.clone(), Told { kind, incident, contact, sent, first_sent_at, terms, first, superseded });
    }
    Ok(told)
}

/// The terms that each of the notices `ids` was made under, by the id of the notice; also of those that are not out.
pub fn terms_of(connection: &mut AnyConnection, ids: &[&str]) -> Result<HashMap<String, Arc<Terms>>, StoreError> {
    let under = agreement_version::agreement_id
        .eq(notice::agreement_id)
        .and(agreement_version::version.eq(notice::agreement_version));
    let wanted = among(connection, notice::id, ids)?;
    let rows: Vec<(String, String)> = notice::table
        .inner_join(agreement_version::table.on(under))
        .filter(wanted)
        .select((notice::id, agreement_version::terms))
        .load(connection)?;
    let mut known: HashMap<&str, Arc<Terms>> = HashMap::new();
    let mut made = HashMap::with_capacity(rows.len());
    for (id, stored) in &rows {
        let terms = match known.get(stored.as_str()) {
            Some(terms) => Arc::clone(terms),
            None => Arc::clone(known.entry(stored).or_insert(Arc::new(terms(&Door { table: "notice", id }, stored)?))),
        };
        made.insert(id.clone(), terms);
    }
    Ok(made)
}

/// Where the notices `ids` were sent to, oldest first, by the id of the notice.
fn sent(connection: &mut AnyConnection, ids: &[&str]) -> Result<HashMap<String, Vec<Sent>>, StoreError> {
    let wanted = among(connection, delivery::notice_id, ids)?;
    let rows: Vec<(String, String, String, String, i64)> = delivery::table
        .inner_join(attempt::table.on(attempt::delivery_id.eq(delivery::id).and(attempt::number.eq(1))))
        .inner_join(endpoint::table.on(endpoint::id.eq(delivery::endpoint_id)))
        .filter(delivery::notice_id.is_not_null())
        .filter(wanted)
        .filter(delivery::type_.ne(EventType::NoticeEscalated.as_str()))
        .order((attempt::started_at, delivery::id))
        .select((
            delivery::notice_id.assume_not_null(),
            delivery::id,
            endpoint::id,
            endpoint::address,
            attempt::started_at,
        ))
        .load(connection)?;
    let mut sent: HashMap<String, Vec<Sent>> = HashMap::new();
    for (notice, delivery, endpoint, address, started_at) in rows {
        let at = Door { table: "attempt", id: &delivery }.instant("started_at", started_at)?;
        sent.entry(notice).or_default().push(Sent { delivery, endpoint, address, at });
    }
    Ok(sent)
}

/// Notices with their numbers, by incident and controller, oldest first.
type Series<'k> = HashMap<(&'k str, &'k str), Vec<(String, i32)>>;

fn series<'k>(
    connection: &mut AnyConnection,
    incidents: &[&'k str],
    controllers: &[&'k str],
) -> Result<Series<'k>, StoreError> {
    let keys: HashMap<(&str, &str), (&'k str, &'k str)> = incidents
        .iter()
        .zip(controllers)
        .map(|(incident, controller)| ((*incident, *controller), (*incident, *controller)))
        .collect();
    let of_incidents = among(connection, notice::incident_id, incidents)?;
    let of_controllers = among(connection, notice::controller_id, controllers)?;
    let rows: Vec<(String, String, String, i32)> = notice::table
        .filter(of_incidents)
        .filter(of_controllers)
        .filter(super::notices::is_out())
        .order(notice::sequence)
        .select((notice::incident_id, notice::controller_id, notice::id, notice::sequence))
        .load(connection)?;
    let mut series: Series<'k> = HashMap::new();
    for (incident, controller, id, sequence) in rows {
        if let Some(key) = keys.get(&(incident.as_str(), controller.as_str())) {
            series.entry(*key).or_default().push((id, sequence));
        }
    }
    Ok(series)
}

/// The language of the newest agreement of each pair of processor and controller.
pub fn languages(
    connection: &mut AnyConnection,
    processors: &[&str],
    controllers: &[&str],
) -> Result<HashMap<(String, String), String>, StoreError> {
    let of_processors = among(connection, agreement::processor_id, processors)?;
    let of_controllers = among(connection, agreement::controller_id, controllers)?;
    let rows: Vec<(String, String, String)> = agreement::table
        .filter(of_processors)
        .filter(of_controllers)
        .order((agreement::changed_at, agreement::id))
        .select((agreement::processor_id, agreement::controller_id, agreement::terms))
        .load(connection)?;
    let language = |(processor, controller, terms): (String, String, String)| {
        let terms: Value = Door { table: "agreement", id: &controller }.json("terms", &terms)?;
        let language = terms["language"].as_str().unwrap_or_default().to_owned();
        Ok(((processor, controller), language))
    };
    rows.into_iter().map(language).collect()
}

fn terms(door: &Door<'_>, stored: &str) -> Result<Terms, StoreError> {
    let value: Value = door.json("terms", stored)?;
    Terms::parse(&Place::root(&value), &mut Faults::default()).ok_or_else(|| door.corrupt("agreement_version"))
}
