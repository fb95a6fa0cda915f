//! Watching our own network: when it is down, attempts that found no way are not charged, and the operators are told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use time::{Duration, OffsetDateTime};
use url::Position;

use super::dispatch::{Dispatch, Outgoing};
use super::record::Deed;
use super::record_attempts::Attempted;
use super::{Service, ServiceError, operator_id};
use crate::clock::Clock;
use crate::domain::actor::Actor;
use crate::domain::network_outage::{Change, LENIENCE, NetworkOutage, WINDOW, Way};
use crate::store::deliveries::FinishedDelivery;
use crate::store::{AnyConnection, ledger, micros};
use crate::telemetry;

/// How long an attempt that is not charged waits, spread by a fifth either way.
const AGAIN: Duration = Duration::seconds(30);

/// What this process knows of its own network; clones share it. A hint for retries, nothing that must survive a restart.
#[derive(Clone, Debug)]
pub struct NetworkWatch {
    known: Arc<Mutex<Known>>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Known {
    outage: NetworkOutage,
    /// Changes that the ledger does not hold yet.
    unwritten: Vec<(Change, OffsetDateTime)>,
}

impl NetworkWatch {
    /// A watch that knows nothing yet.
    pub fn new(clock: Clock) -> Self {
        Self { known: Arc::default(), clock }
    }

    /// Takes in that `sent` are on their way: where many are tried at once, the few that refuse at once are not all there is.
    pub(super) fn trying<'o>(&self, sent: impl Iterator<Item = &'o Outgoing>, now: OffsetDateTime) {
        let hosts: Vec<String> = sent.filter_map(host).collect();
        let mut known = self.known();
        for host in &hosts {
            known.outage.trying(host, now);
        }
    }

    /// Takes in what came of `attempted`; answers whether those of them that found no way are not to be charged.
    pub fn judge(&self, attempted: &[Attempted]) -> bool {
        let words = attempted.iter().filter_map(|one| Some((host(&one.sent)?, Way::of(one.outcome), one.ended_at)));
        let words: Vec<_> = words.collect();
        let mut known = self.known();
        for (host, way, at) in &words {
            known.outage.note(host, *way, *at);
        }
        let now = self.clock.now();
        self.look(&mut known, now);
        let is_spared = known.outage.spares(now, self.clock.passes_in(LENIENCE));
        for (host, way, _) in &words {
            if *way == Way::Shut && !is_spared {
                known.outage.blame(host);
            }
        }
        is_spared
    }

    /// Whether our network is taken to be down now.
    pub fn is_down(&self) -> bool {
        let mut known = self.known();
        let now = self.clock.now();
        self.look(&mut known, now);
        known.outage.is_down()
    }

    fn look(&self, known: &mut Known, now: OffsetDateTime) {
        let Some(change) = known.outage.judge(now, self.clock.passes_in(WINDOW)) else { return };
        telemetry::network_outage(change == Change::Down);
        match change {
            Change::Down => tracing::error!("most hosts are out of reach: our own network seems to be down"),
            Change::Up => tracing::error!("hosts are reached again: our own network is up"),
        }
        known.unwritten.push((change, now));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// Writes down when our network went down and came back, if that has not been done yet.
    pub async fn record_network(&self) -> Result<(), ServiceError> {
        let unwritten = std::mem::take(&mut self.network.known().unwritten);
        if unwritten.is_empty() {
            return Ok(());
        }
        let changes = unwritten.clone();
        let work = move |connection: &mut AnyConnection| {
            let (owner, actor) = (operator_id(), Actor::service(operator_id()));
            let entry = |(change, at): &(Change, OffsetDateTime)| {
                let kind = if *change == Change::Down { "service.network_down" } else { "service.network_up" };
                let deed = Deed { actor: &actor, owner: &owner, at: *at };
                deed.entry(kind, owner.as_str(), None, json!({}))
            };
            Ok::<_, ServiceError>(ledger::append(connection, &changes.iter().map(entry).collect::<Vec<_>>())?)
        };
        let written = self.store.write(work).await;
        if written.is_err() {
            let mut known = self.network.known();
            let later = std::mem::replace(&mut known.unwritten, unwritten);
            known.unwritten.extend(later);
        }
        written
    }

    /// What becomes of a delivery whose attempt is not charged: the same again soon, in the same lane.
    pub(super) fn put_off(&self, one: &Attempted) -> FinishedDelivery {
        FinishedDelivery {
            id: one.sent.delivery.clone(),
            lease: one.sent.lease,
            state: "open",
            lane: one.sent.lane.index(),
            next_at: micros(one.ended_at + AGAIN * (0.8 + 0.4 * self.entropy.unit())),
            uncharged: one.sent.uncharged + 1,
            due_at: 0,
        }
    }
}

impl Attempted {
    /// Whether it is not charged while our own network is down: it found no way, and is owed still.
    pub(super) fn is_spared(&self, is_lenient: bool) -> bool {
        let is_owed = self.sent.notice.is_some() || self.ended_at < self.sent.deadline_at;
        is_lenient && is_owed && Way::of(self.outcome) == Way::Shut
    }
}

/// Host and port that a message goes to.
fn host(sent: &Outgoing) -> Option<String> {
    // Mail goes to one relay, which says nothing about the network as a whole.
    let Dispatch::Post { url, .. } = &sent.dispatch else { return None };
    let host = &url[Position::BeforeHost..Position::AfterPort];
    (!host.is_empty()).then(|| host.to_owned())
}
