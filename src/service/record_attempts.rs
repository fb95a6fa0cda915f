//! Recording what came of sent requests, many at once: attempts, deliveries, notices, the clocks they stop and start, and proof.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use time::OffsetDateTime;

use super::dispatch::{Dispatch, Outgoing};
use super::informed::{self, Arrival};
use super::mailed::MailEvidence;
use super::next_channel::channels_died;
use super::receipts::proof;
use super::verify_endpoint::{echoes, note_verifications};
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::course::{Earlier, Reached, course};
use crate::domain::delivery::{Next, next, next_of_reminder, retry_after};
use crate::domain::delivery_outcome::{FailureKind, Outcome};
use crate::domain::duty_record::Duty;
use crate::domain::event::EventType;
use crate::domain::ledger::NewEntry;
use crate::domain::mail_delivery;
use crate::domain::terms::Ladder;
use crate::domain::vocabulary::Channel;
use crate::store::deliveries::{self, EndedAttempt, FinishedDelivery};
use crate::store::duties::{self, Part};
use crate::store::notices::{self, NoticeFacts};
use crate::store::{AnyConnection, endpoints, ledger, mail_evidence, micros, receipts, tasks};
use crate::telemetry::{self, Timed};

/// A request that was sent, and what came of it.
#[derive(Debug, Clone)]
pub struct Attempted {
    /// What was sent.
    pub sent: Outgoing,
    /// What came of it.
    pub outcome: Outcome,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The address that was reached.
    pub peer: Option<String>,
    /// The header `Retry-After` as it came.
    pub retry_after: Option<String>,
    /// The beginning of the body of the answer.
    pub answer: Vec<u8>,
    /// SHA-256 of what was read of the answer.
    pub response_sha256: Option<String>,
    /// How long it took.
    pub duration: std::time::Duration,
    /// When it ended.
    pub ended_at: OffsetDateTime,
    /// What the relay said, for e-mail.
    pub mail: Option<MailEvidence>,
}

impl Attempted {
    /// The word of an endpoint that has not proved itself is no proof that a notice has arrived. A webhook proves itself by
    /// answering the challenge of its verification, `challenge`, and by nothing less.
    fn judged(mut self, challenge: impl FnOnce(&str) -> String) -> Self {
        if self.outcome == Outcome::Delivered && self.sent.notice.is_some() && !self.sent.verified {
            self.outcome = Outcome::Accepted;
        }
        if self.outcome.is_success() && self.asked_to_echo() {
            let has_echoed = echoes(&self.answer, &challenge(&self.sent.delivery));
            self.outcome = if has_echoed { Outcome::Delivered } else { Outcome::Configuration(FailureKind::NoEcho) };
        }
        self
    }

    /// Whether this endpoint will not get better by itself, so that the next channel of the notice that it was told opens now.
    ///
    /// A webhook gets a second chance, since its answer may come from whatever stands in for it; what a mail server says it means.
    fn died(&self) -> Option<(&str, Channel)> {
        let channel = self.sent.endpoint.channel();
        let is_shut = match self.outcome {
            Outcome::Gone => true,
            outcome if channel == Channel::Email => mail_delivery::is_shut(outcome),
            Outcome::Configuration(_) => self.sent.number >= 2,
            _ => false,
        };
        let notice = self.sent.notice.as_deref().filter(|_| is_shut && self.sent.is_telling());
        notice.map(|notice| (notice, channel))
    }

    /// The delivery, and the number of the attempt.
    fn key(&self) -> (&str, i32) {
        (&self.sent.delivery, self.sent.number)
    }

    /// Whether a webhook was asked to prove itself; a mailbox is confirmed by who reads it.
    pub(super) fn asked_to_echo(&self) -> bool {
        self.sent.event == EventType::EndpointVerify && self.sent.endpoint.channel() == Channel::Webhook
    }
}

impl Service {
    /// Records the outcome of `attempted` in one transaction. A lost lease changes no schedule, but what arrived has arrived.
    pub async fn record_attempts(&self, attempted: Vec<Attempted>) -> Result<(), ServiceError> {
        if attempted.is_empty() {
            return Ok(());
        }
        let service = self.clone();
        let lenient = self.network.judge(&attempted);
        let told_others = self
            .store
            .write(move |connection| {
                let attempted: Vec<_> =
                    attempted.into_iter().map(|one| one.judged(|delivery| service.challenge(delivery))).collect();
                // Notices are locked before their deliveries, in the order in which an acknowledgement does it.
                let ids: Vec<&str> = attempted.iter().filter_map(|one| one.sent.notice.as_deref()).collect();
                let facts = notices::facts(connection, &ids)?;
                let acknowledged = facts.iter().filter(|fact| fact.acknowledged).map(|fact| fact.id.as_str()).collect();
                let departed = departed(connection, &attempted)?;
                service.record(connection, &attempted, (&acknowledged, &departed), lenient)?;
                note_verifications(connection, &attempted)?;
                let told = service.arrived(connection, &attempted, facts)?;
                let there = attempted.iter().filter(|one| !departed.contains(&one.key()));
                let died: Vec<_> = there.filter_map(Attempted::died).collect();
                channels_died(connection, &died, service.clock.now())?;
                Ok::<_, ServiceError>((told, attempted))
            })
            .await?;
        let (told, attempted) = told_others;
        for one in &attempted {
            telemetry::delivery_attempted(one.outcome.as_str(), one.sent.endpoint.channel().as_str());
            telemetry::late_by(Timed::Delivery, one.sent.started_at - one.sent.due_at);
        }
        // What is recorded must not be recorded again because of this.
        if let Err(error) = self.record_network().await {
            tracing::error!(%error, "the state of our network could not be written down; trying again");
        }
        if told {
            self.nudge.notify_waiters();
        }
        Ok(())
    }

    fn record(
        &self,
        connection: &mut AnyConnection,
        attempted: &[Attempted],
        (acknowledged, departed): (&HashSet<&str>, &Departed<'_>),
        lenient: bool,
    ) -> Result<(), ServiceError> {
        let ended: Vec<_> = attempted.iter().map(ended).collect();
        deliveries::close_attempts(connection, &ended)?;
        mail_evidence::keep_dialogues(
            connection,
            &attempted.iter().filter_map(Attempted::dialogue).collect::<Vec<_>>(),
        )?;
        let has_departed = |one: &Attempted| departed.contains(&one.key());
        let speaking = attempted.iter().filter(|one| !one.is_spared(lenient) && one.speaks_of_the_endpoint());
        let speaking = speaking.filter(|one| !has_departed(one));
        let outcomes: Vec<_> = speaking.map(|one| (one.sent.endpoint.clone(), one.outcome)).collect();
        let recovered = endpoints::note_outcomes(connection, &outcomes, self.clock.now())?;
        let pairs: Vec<_> = attempted.iter().map(|one| (one.sent.delivery.as_str(), one.sent.lease)).collect();
        let held: HashSet<String> = deliveries::still_held(connection, &pairs)?.into_iter().collect();
        let still_held = attempted.iter().filter(|one| held.contains(&one.sent.delivery));
        // Whoever says that it has the notice gets it once more if somebody asks for that, and is owed nothing.
        let is_owed = |one: &Attempted| {
            one.sent.is_telling() && !one.sent.notice.as_deref().is_some_and(|id| acknowledged.contains(id))
        };
        let finish = |one: &Attempted| {
            if one.is_spared(lenient) {
                return self.put_off(one);
            }
            let finished = self.finished(one, is_owed(one));
            // What is no more is the address of before; the one of now has not been asked, and is at once.
            let state = if has_departed(one) && finished.state == "gone" { "open" } else { finished.state };
            FinishedDelivery { state, ..finished }
        };
        let finished: Vec<_> = still_held.map(finish).collect();
        deliveries::finish(connection, &finished)?;
        // Not before what was sent just now is finished, or it would go out again.
        deliveries::hasten(connection, &recovered, self.clock.now())?;
        let mailed = attempted.iter().filter(|one| one.sent.endpoint.channel() == Channel::Email);
        let mailed: Vec<_> = mailed.filter_map(|one| one.sent.notice.as_deref()).collect();
        Ok(mail_evidence::close_taken(connection, &mailed)?)
    }

    fn finished(&self, one: &Attempted, is_owed: bool) -> FinishedDelivery {
        let wish = one.retry_after.as_deref().and_then(|header| retry_after(header, one.ended_at));
        let window = (one.sent.created_at, one.sent.deadline_at);
        let chance = self.entropy.unit();
        let next = if is_owed { next } else { next_of_reminder };
        let next = match one.sent.endpoint.channel() {
            Channel::Email => one.next_mail(is_owed, chance),
            _ => next(one.outcome, one.sent.charged(), window, wish, one.ended_at, chance),
        };
        let (state, next_at) = match next {
            Next::Done => ("delivered", one.ended_at),
            Next::Gone => ("gone", one.ended_at),
            Next::Closed => ("closed", one.ended_at),
            Next::Again(at) => ("open", at),
        };
        FinishedDelivery {
            id: one.sent.delivery.clone(),
            lease: one.sent.lease,
            state,
            lane: one.sent.lane.later().index(),
            next_at: micros(next_at),
            uncharged: one.sent.uncharged,
            due_at: 0,
        }
    }

    /// Records which notices arrived and writes the ledger. Answers whether others are told.
    fn arrived(
        &self,
        connection: &mut AnyConnection,
        attempted: &[Attempted],
        facts: Vec<NoticeFacts>,
    ) -> Result<bool, ServiceError> {
        if facts.is_empty() {
            return Ok(false);
        }
        let facts: HashMap<String, NoticeFacts> = facts.into_iter().map(|fact| (fact.id.to_string(), fact)).collect();
        let mut first: HashMap<&str, &Attempted> = HashMap::new();
        for one in attempted.iter().filter(|one| one.outcome == Outcome::Delivered) {
            let Some(fact) = one.sent.notice.as_deref().and_then(|id| facts.get(id)) else { continue };
            if !fact.delivered {
                let earliest = first.entry(fact.id.as_str()).or_insert(one);
                if one.ended_at < earliest.ended_at {
                    *earliest = one;
                }
            }
        }
        let arrivals: Vec<_> = first.iter().filter_map(|(id, one)| Some(arrival(facts.get(*id)?, one))).collect();
        let mut entries: Vec<_> = attempted.iter().filter_map(|one| attempt_entry(one, &facts)).collect();
        let told = self.arrive(connection, &arrivals, &facts, &mut entries)?;
        ledger::append(connection, &entries)?;
        Ok(told)
    }

    /// Marks notices as delivered that were not before, stops and starts the clocks that hang on it, and makes receipts and ledger
    /// entries of it; the caller holds their locks and writes the ledger. Answers whether others are told.
    pub(super) fn arrive(
        &self,
        connection: &mut AnyConnection,
        arrivals: &[Arrival],
        facts: &HashMap<String, NoticeFacts>,
        entries: &mut Vec<NewEntry>,
    ) -> Result<bool, ServiceError> {
        let delivered: Vec<_> = arrivals.iter().map(|one| (one.notice.as_str(), one.at)).collect();
        notices::mark_delivered(connection, &delivered)?;
        let ids: Vec<&str> = delivered.iter().map(|(id, _)| *id).collect();
        mail_evidence::close_taken(connection, &ids)?;
        tasks::close(connection, &ids, &[Ladder::Delivered], self.clock.now())?;
        let parts: Vec<Part<'_>> = ids.iter().filter_map(|id| facts.get(*id)).map(NoticeFacts::part).collect();
        let changed = self.informed(duties::of_parts(connection, &parts)?, &delivered, facts);
        let mut of_part: HashMap<Part<'_>, Vec<&Duty>> = HashMap::new();
        for duty in &changed {
            of_part.entry((&duty.incident, &duty.party)).or_default().push(duty);
        }
        let known = receipts::of(connection, &ids)?;
        let mut made = Vec::with_capacity(arrivals.len());
        for one in arrivals {
            let Some(fact) = facts.get(one.notice.as_str()) else { continue };
            let receipt = self.receipt(fact, one.stage(), &known);
            let duties = of_part.remove(&fact.part()).unwrap_or_default();
            entries.push(proof(fact, &Actor::service(fact.processor.clone()), &receipt, duties));
            made.push(receipt);
        }
        receipts::insert(connection, &made)?;
        self.settle(connection, &changed, self.clock.now())
    }

    /// The duties that move because notices arrived, as they are then.
    fn informed(
        &self,
        duties: Vec<Duty>,
        delivered: &[(&str, OffsetDateTime)],
        facts: &HashMap<String, NoticeFacts>,
    ) -> Vec<Duty> {
        let mut places: HashMap<Part<'_>, usize> = HashMap::new();
        let mut shares: Vec<(Vec<Duty>, Vec<Reached>)> = Vec::new();
        for (id, at) in delivered {
            let Some(fact) = facts.get(*id) else { continue };
            let place = *places.entry(fact.part()).or_insert(shares.len());
            if place == shares.len() {
                shares.push(Default::default());
            }
            shares[place].1.extend(informed::by_delivery(fact, *at));
        }
        for duty in duties {
            if let Some(place) = places.get(&(&duty.incident, &duty.party)).copied() {
                shares[place].0.push(duty);
            }
        }
        let moved = shares.into_iter().flat_map(|(duties, mut reached)| {
            reached.sort_by_key(|reached| reached.at);
            course(duties, reached, Earlier::default(), &self.law.calendar)
        });
        moved.collect()
    }
}

fn arrival(notice: &NoticeFacts, one: &Attempted) -> Arrival {
    Arrival {
        notice: notice.id.clone(),
        at: one.ended_at,
        means: one.sent.endpoint.channel().into(),
        evidence_sha256: one.response_sha256.clone(),
    }
}

/// Attempts at addresses where their endpoints are no more.
type Departed<'a> = HashSet<(&'a str, i32)>;

/// The attempts, by delivery and number, that went to a URL which their endpoint has left since: they say nothing of the new one.
fn departed<'a>(connection: &mut AnyConnection, attempted: &'a [Attempted]) -> Result<Departed<'a>, ServiceError> {
    let ids: Vec<&str> = attempted.iter().map(|one| one.sent.endpoint.as_str()).collect();
    let now = endpoints::addresses(connection, &ids)?;
    let has_departed = |one: &&Attempted| match (&one.sent.dispatch, now.get(one.sent.endpoint.as_str())) {
        (Dispatch::Post { url, .. }, Some(address)) => url.as_str() != address,
        // A mailbox stays what it is.
        _ => false,
    };
    let departed = attempted.iter().filter(has_departed);
    Ok(departed.map(Attempted::key).collect())
}

fn ended(one: &Attempted) -> EndedAttempt {
    EndedAttempt {
        delivery_id: one.sent.delivery.clone(),
        number: one.sent.number,
        ended_at: micros(one.ended_at),
        outcome: one.outcome.as_str(),
        kind: one.outcome.kind().map(FailureKind::as_str),
        status: one.status.map(i32::from),
        peer: one.peer.clone(),
        response_sha256: one.response_sha256.clone(),
        duration_us: i64::try_from(one.duration.as_micros()).unwrap_or(i64::MAX),
    }
}

/// The attempt in the ledger of its notice.
fn attempt_entry(one: &Attempted, facts: &HashMap<String, NoticeFacts>) -> Option<NewEntry> {
    let fact = facts.get(one.sent.notice.as_deref()?)?;
    let said = json!({
        "number": one.sent.number,
        "endpoint": one.sent.endpoint,
        "outcome": one.outcome.as_str(),
        "kind": one.outcome.kind().map(FailureKind::as_str),
        "status": one.status,
        "request_sha256": one.sent.request_sha256,
        "response_sha256": one.response_sha256,
    });
    let deed = (Actor::service(fact.processor.clone()), one.ended_at);
    Some(fact.sides().entry("delivery.attempted", &one.sent.delivery, said, deed))
}
