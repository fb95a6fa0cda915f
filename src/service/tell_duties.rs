//! Events about duties: their clocks looked at, their steps told to the endpoints of those concerned, each once.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::duty_facts::duty_facts;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::delivery::Lane;
use crate::domain::duty::{DutyState, Fired, Step};
use crate::domain::duty_record::Duty;
use crate::domain::event::EventType;
use crate::domain::ledger::{NewEntry, Stream};
use crate::store::outbox::{self, NewDelivery};
use crate::store::{AnyConnection, duties, endpoints, ledger, standing};
use crate::telemetry::{self, Timed};

/// How many clocks are looked at in one transaction.
const BATCH: i64 = 500;
/// Where the outbox keeps the telling of a fulfilment; beyond the steps of the clock.
const MET: i32 = 9;
/// The window of retries for events about duties.
const WINDOW: Duration = Duration::DAY;

/// What all events about duties are called before the dot.
const FAMILY: &str = "duty";

/// How many steps of one clock the outbox tells apart; the next clock of the same duty begins behind them.
const STEPS: i32 = 16;

/// The step as the outbox keeps it: an event is told once for each clock of a duty.
fn stored(duty: &Duty, step: i32) -> i32 {
    step + (duty.clock_version - 1) * STEPS
}

/// The step of a clock that the outbox keeps as `stored`; none for the telling of a fulfilment.
pub(super) fn step_of(stored: i32) -> Option<Step> {
    Step::from_index(stored % STEPS)
}

/// An event about a duty and those who are told.
struct Telling<'d> {
    duty: &'d Duty,
    event: EventType,
    step: i32,
}

impl Service {
    /// Fires the alarms that have come, up to a batch; answers how many duties were looked at.
    ///
    /// The condition is looked at again inside the transaction. After a standstill only the highest step of each duty is told.
    pub async fn fire_alarms(&self) -> Result<usize, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let looked = self.store.write(move |connection| service.fire(connection, now)).await?;
        if looked > 0 {
            self.nudge.notify_waiters();
        }
        Ok(looked)
    }

    /// When the next alarm comes, UTC.
    pub async fn next_alarm_at(&self) -> Result<Option<OffsetDateTime>, ServiceError> {
        let next: Option<i64> =
            self.store.read(|connection| Ok::<_, ServiceError>(duties::next_alarm(connection)?)).await?;
        Ok(next.and_then(|micros| OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()))
    }

    fn fire(&self, connection: &mut AnyConnection, now: OffsetDateTime) -> Result<usize, ServiceError> {
        let alarmed = duties::alarmed(connection, now, BATCH)?;
        let mut changed = Vec::with_capacity(alarmed.len());
        let mut fired = Vec::with_capacity(alarmed.len());
        for duty in alarmed {
            let from = duty.next.map_or(Step::Half, |(step, _)| step);
            let looked = duty.look(now);
            let next = looked.as_ref().and_then(|fired| fired.next);
            let state = looked.as_ref().map_or_else(|| duty.state.clone(), |fired| fired.state.clone());
            changed.push(Duty { state, next, ..duty });
            fired.push(looked.map(|looked| (from, looked)));
        }
        duties::update(connection, &changed)?;
        let mut entries = Vec::new();
        let mut tellings = Vec::new();
        for (duty, fired) in changed.iter().zip(&fired) {
            let Some((from, fired)) = fired else { continue };
            telemetry::late_by(Timed::Alarm, lateness(duty, fired, now));
            entries.push(entry(duty, fired, now));
            tellings.extend(telling(duty, *from, fired.step));
        }
        ledger::append(connection, &entries)?;
        self.tell(connection, &tellings, now)?;
        let overdue: Vec<Duty> =
            tellings.iter().filter(|one| one.event == EventType::DutyOverdue).map(|one| one.duty.clone()).collect();
        self.end_waiting(connection, &overdue, now)?;
        Ok(changed.len())
    }

    /// Tells that duties were fulfilled; answers whether there is anybody who wants to know.
    pub(super) fn tell_met(
        &self,
        connection: &mut AnyConnection,
        duties: &[Duty],
        now: OffsetDateTime,
    ) -> Result<bool, ServiceError> {
        let met = duties.iter().filter(|duty| matches!(duty.state, DutyState::Met { .. }));
        let tellings: Vec<_> = met.map(|duty| Telling { duty, event: EventType::DutyMet, step: MET }).collect();
        self.tell(connection, &tellings, now)
    }

    fn tell(
        &self,
        connection: &mut AnyConnection,
        tellings: &[Telling<'_>],
        now: OffsetDateTime,
    ) -> Result<bool, ServiceError> {
        let concerned: BTreeSet<&str> = tellings.iter().flat_map(Telling::concerned).collect();
        if concerned.is_empty() {
            return Ok(false);
        }
        let endpoints = endpoints::webhooks_wanting(connection, &Vec::from_iter(concerned), FAMILY)?;
        if endpoints.is_empty() {
            return Ok(false);
        }
        let told = told(connection, tellings)?;
        let mut of_owner: HashMap<&str, Vec<&endpoints::Endpoint>> = HashMap::new();
        for endpoint in &endpoints {
            of_owner.entry(endpoint.organisation.as_str()).or_default().push(endpoint);
        }
        let mut rows = Vec::new();
        for telling in tellings {
            let hears = |id: &&str| telling.is_house(id) || told.contains(&telling.pair(id));
            let owned = telling.concerned().filter(hears).filter_map(|id| of_owner.get(id)).flatten();
            let wanting =
                owned.filter(|endpoint| endpoint.events.want(telling.event) && endpoint.hears(&telling.duty.processor));
            rows.extend(wanting.map(|endpoint| self.telling_delivery(telling, endpoint, now)));
        }
        outbox::enqueue(connection, &rows, now)?;
        Ok(!rows.is_empty())
    }

    fn telling_delivery(
        &self,
        telling: &Telling<'_>,
        endpoint: &endpoints::Endpoint,
        now: OffsetDateTime,
    ) -> NewDelivery {
        NewDelivery {
            id: self.id(now),
            event: telling.event,
            notice: None,
            duty: Some((telling.duty.id.clone(), stored(telling.duty, telling.step))),
            rung: None,
            endpoint: endpoint.id.clone(),
            organisation: endpoint.organisation.clone(),
            tenant: telling.duty.processor.clone(),
            lane: Lane::after(endpoint.failures),
            deadline_at: now + WINDOW,
            due_at: now,
            held: false,
        }
    }
}

impl Telling<'_> {
    /// Those who are told: the debtor always, the recipient once it is too late by law or contract, or done.
    ///
    /// A warning to the debtor is no news for others, nor is a target that the debtor has set itself.
    fn concerned(&self) -> impl Iterator<Item = &str> {
        let is_news = match self.event {
            EventType::DutyOverdue => self.duty.state.due().is_some_and(|due| due.legal_due_at.is_some()),
            event => event != EventType::DutyDueSoon,
        };
        let debtor = self.duty.debtor.as_str();
        let recipient = is_news.then_some(self.duty.recipient.as_str());
        let is_other = |recipient: &&str| recipient.starts_with("org_") && *recipient != debtor;
        std::iter::once(debtor).chain(recipient.filter(is_other))
    }

    /// Whether it is the processor itself, whose incident it is.
    fn is_house(&self, organisation: &str) -> bool {
        self.duty.processor.as_str() == organisation
    }

    fn pair(&self, organisation: &str) -> (String, String) {
        (self.duty.incident.to_string(), organisation.to_owned())
    }
}

/// The controllers towards whom something of these incidents has left the house. Others must not hear that somebody is late with
/// telling them, or in time.
fn told(connection: &mut AnyConnection, tellings: &[Telling<'_>]) -> Result<HashSet<(String, String)>, ServiceError> {
    let (mut incidents, mut controllers) = (BTreeSet::new(), BTreeSet::new());
    for telling in tellings {
        for outside in telling.concerned().filter(|id| !telling.is_house(id)) {
            incidents.insert(telling.duty.incident.as_str());
            controllers.insert(outside);
        }
    }
    if controllers.is_empty() {
        return Ok(HashSet::new());
    }
    let (incidents, controllers) = (Vec::from_iter(incidents), Vec::from_iter(controllers));
    Ok(standing::told(connection, &incidents, &controllers)?)
}

/// The event that a fired step means. The breach itself is told only where the alarm before it was not.
fn telling(duty: &Duty, from: Step, step: Step) -> Option<Telling<'_>> {
    let (event, step) = match step {
        Step::Half | Step::ThreeQuarters | Step::NineTenths => (EventType::DutyDueSoon, step),
        Step::Overdue | Step::Breach if from <= Step::Overdue => (EventType::DutyOverdue, Step::Overdue),
        Step::Overdue | Step::Breach => return None,
    };
    Some(Telling { duty, event, step: step.index() })
}

/// How long after its time a step is fired.
fn lateness(duty: &Duty, fired: &Fired, now: OffsetDateTime) -> Duration {
    let due = duty.state.due().and_then(|due| due.at(fired.step)).unwrap_or(now);
    now - due
}

fn entry(duty: &Duty, fired: &Fired, now: OffsetDateTime) -> NewEntry {
    let skipped: Vec<_> = fired.skipped.iter().map(|step| step.as_str()).collect();
    NewEntry {
        stream: Stream::Incident(duty.incident.clone()),
        tenant: duty.processor.clone(),
        counterpart: None,
        kind: "duty.alarm",
        object: duty.id.to_string(),
        facts: json!({
            "step": fired.step.as_str(),
            "skipped": skipped,
            "late_ms": i64::try_from(lateness(duty, fired, now).whole_milliseconds()).unwrap_or(i64::MAX),
            "duty": duty_facts(duty),
        }),
        actor: Actor::service(duty.processor.clone()),
        at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_events_about_duties_are_of_one_family() {
        for event in [EventType::DutyDueSoon, EventType::DutyOverdue, EventType::DutyMet] {
            assert_eq!(event.as_str().split('.').next(), Some(FAMILY));
        }
    }
}
