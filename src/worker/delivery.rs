//! Sends what is due. Claims as many deliveries as there are free permits, so that no lease runs out while it waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::gate::{Gate, Limits, Pass};
use crate::clock::Clock;
use crate::domain::delivery::Lane;
use crate::domain::delivery_outcome::FailureKind;
use crate::outbound::{Mail, Outbound};
use crate::service::{Attempted, Claims, Dispatch, MailEvidence, Outgoing, Service, ServiceError};

/// The longest sleep between two looks, whatever the clock says.
const POLL: Duration = Duration::from_secs(1);
/// How many results are written in one transaction.
const BATCH: usize = 512;
/// The most deliveries that one look claims.
const CLAIM: usize = 512;

/// Sends one message by its way and says what came of it.
async fn attempt(outbound: &Outbound, clock: &Clock, outgoing: Outgoing) -> Attempted {
    match outgoing.dispatch.clone() {
        Dispatch::Post { url, headers } => post(outbound, clock, outgoing, (&url, headers)).await,
        Dispatch::Mail { return_path, recipient, envelope_id, .. } => {
            let mail = Mail { return_path, recipient, envelope_id, message: outgoing.body.clone() };
            hand_over(outbound, clock, outgoing, &mail).await
        }
        Dispatch::Unsent { kind, reason, .. } => Attempted::unsent(outgoing, kind, reason, clock.now()),
    }
}

/// Hands a mail to the relay.
async fn hand_over(outbound: &Outbound, clock: &Clock, outgoing: Outgoing, mail: &Mail) -> Attempted {
    let Some(relay) = outbound.relay() else {
        let reason = "not sent: there is no relay".to_owned();
        return Attempted::unsent(outgoing, FailureKind::Connect, reason, clock.now());
    };
    let exchange = relay.send(mail).await;
    let evidence = MailEvidence {
        dialogue: exchange.dialogue,
        reply_code: exchange.reply_code,
        enhanced_code: exchange.enhanced_code,
        queue_reply: exchange.queue_reply,
        tls: exchange.tls,
        dsn_requested: exchange.dsn_requested,
        may_have_been_sent: exchange.may_have_been_sent,
    };
    Attempted::mailed(outgoing, exchange.outcome, evidence, exchange.peer, (exchange.duration, clock.now()))
}

/// Posts a message to a webhook.
async fn post(
    outbound: &Outbound,
    clock: &Clock,
    outgoing: Outgoing,
    (url, headers): (&Url, Vec<(String, String)>),
) -> Attempted {
    let exchange = outbound.post(url, headers, outgoing.body.clone()).await;
    Attempted {
        outcome: exchange.outcome,
        status: exchange.status,
        peer: exchange.peer,
        retry_after: exchange.retry_after,
        answer: exchange.body_prefix,
        response_sha256: exchange.body_sha256,
        duration: exchange.duration,
        ended_at: clock.now(),
        mail: None,
        sent: outgoing,
    }
}

/// Whether there is anything to work off a lane with: without a relay, e-mail waits.
fn runs(outbound: &Outbound, lane: Lane) -> bool {
    lane != Lane::Mail || outbound.relay().is_some()
}

/// How deliveries are worked off in one process.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Attempts under way at the same time that may still be prompt; shared out among the lanes.
    pub concurrency: usize,
    /// Attempts that may go on waiting for slow receivers beside those.
    pub waiting: usize,
    /// What one endpoint and one host see of it.
    pub limits: Limits,
}

/// How long an attempt keeps its place among the prompt ones.
///
/// A receiver that hangs is waited for to the end all the same, but in a place where it keeps nobody else waiting.
const PATIENCE: Duration = Duration::from_millis(250);

/// Sends everything of `lane` that is due now, up to `limit`, and records it; answers how many. The step that tests call.
pub async fn step(service: &Service, outbound: &Outbound, lane: Lane, limit: usize) -> Result<usize, ServiceError> {
    if !runs(outbound, lane) {
        return Ok(0);
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let Claims { ready, .. } = service.claim_deliveries(lane, limit, 0, |_, _| Some(())).await?;
    let count = ready.len();
    let sent = ready.into_iter().map(|(outgoing, ())| attempt(outbound, &service.clock, outgoing));
    service.record_attempts(futures::future::join_all(sent).await).await?;
    Ok(count)
}

/// Runs the lanes until `stop`; what is in hand is finished and recorded before it returns.
///
/// Each lane has permits of its own, so that dead receivers, mail servers and tests cost the healthy endpoints nothing.
pub async fn run(service: Service, outbound: Outbound, pace: Pace, stop: CancellationToken) {
    let (results, inbox) = mpsc::channel::<(Attempted, Slot)>(BATCH * 8);
    let recorder = tokio::spawn(record(service.clone(), inbox));
    let gate = Gate::new(pace.limits);
    let running = TaskTracker::new();
    for lane in Lane::ALL.into_iter().filter(|lane| runs(&outbound, *lane)) {
        let (prompt, waiting) = shares(lane, pace);
        let places = Places { prompt: Arc::new(Semaphore::new(prompt)), waiting: Arc::new(Semaphore::new(waiting)) };
        let (service, outbound, gate) = (service.clone(), outbound.clone(), gate.clone());
        let (results, stop) = (results.clone(), stop.clone());
        running.spawn(LaneRunner { service, outbound, lane, gate, places, results }.run(stop));
    }
    drop(results);
    running.close();
    running.wait().await;
    // The recorder ends when the last request in hand has handed in its result.
    if recorder.await.is_err() {
        tracing::error!("the recorder of deliveries failed; leases bring the work back");
    }
}

/// The most connections to the relay at the same time. Postfix, unless told otherwise, refuses more than 50 of one client.
const TO_RELAY: usize = 40;

/// The places of a lane, prompt and waiting ones: half of all for first attempts, a quarter for later ones, and the rest for mail and
/// replays.
///
/// There is but one relay, so that mail has no places beside: a slow relay is not helped by more connections.
fn shares(lane: Lane, pace: Pace) -> (usize, usize) {
    let share = |percent: usize| ((pace.concurrency * percent / 100).max(1), (pace.waiting * percent / 100).max(1));
    match lane {
        Lane::First => share(50),
        Lane::Retry => share(25),
        Lane::Mail => {
            let (prompt, waiting) = share(10);
            ((prompt + waiting).min(TO_RELAY), 0)
        }
        Lane::Replay => share(15),
    }
}

/// Where the attempts of one lane run.
#[derive(Clone)]
struct Places {
    prompt: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// What an attempt holds until its result is recorded: its place, and its right towards endpoint and host.
struct Slot {
    place: OwnedSemaphorePermit,
    _pass: Pass,
}

impl Slot {
    /// Takes another place; the one before is free at once.
    fn move_to(&mut self, place: OwnedSemaphorePermit) {
        drop(std::mem::replace(&mut self.place, place));
    }
}

/// One lane at work.
struct LaneRunner {
    service: Service,
    outbound: Outbound,
    lane: Lane,
    gate: Gate,
    places: Places,
    results: mpsc::Sender<(Attempted, Slot)>,
}

impl LaneRunner {
    async fn run(self, stop: CancellationToken) {
        let requests = TaskTracker::new();
        let mut turn = 0_usize;
        while !stop.is_cancelled() {
            // Registered before the look, so that a nudge in between is not lost.
            let nudge = Arc::clone(&self.service.nudge);
            let nudged = nudge.notified();
            tokio::pin!(nudged);
            nudged.as_mut().enable();
            let Ok(free) = self.free().await else { break };
            turn = turn.wrapping_add(1);
            match self.claim(free, turn).await {
                // Behind those whose endpoint or host is busy may be others that are due.
                Ok(Claims { ready, busy }) if !ready.is_empty() || busy > 0 => {
                    for (outgoing, pass) in ready {
                        // This lane alone takes permits, so what was free is still free.
                        let Ok(place) = Arc::clone(&self.places.prompt).acquire_owned().await else { return };
                        requests.spawn(self.send(outgoing, Slot { place, _pass: pass }));
                    }
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, delivery.lane = self.lane.as_str(), "deliveries could not be claimed");
                }
            }
            let wait = self.service.clock.real_delay(POLL.try_into().unwrap_or_default());
            tokio::select! {
                () = stop.cancelled() => {}
                () = &mut nudged => {}
                () = tokio::time::sleep(wait.max(Duration::from_millis(5))) => {}
            }
        }
        requests.close();
        requests.wait().await;
    }

    /// Waits for a free place; answers how many there are.
    async fn free(&self) -> Result<usize, AcquireError> {
        drop(self.places.prompt.acquire().await?);
        Ok(self.places.prompt.available_permits().clamp(1, CLAIM))
    }

    async fn claim(&self, free: usize, turn: usize) -> Result<Claims<Pass>, ServiceError> {
        let gate = self.gate.clone();
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        self.service.claim_deliveries(self.lane, limit, turn, move |endpoint, host| gate.admit(endpoint, host)).await
    }

    /// Sends one request; if it is slow, in a place where it keeps nobody waiting, as long as there is one.
    fn send(&self, outgoing: Outgoing, mut slot: Slot) -> impl Future<Output = ()> + Send + 'static {
        let (outbound, clock, results) = (self.outbound.clone(), self.service.clock.clone(), self.results.clone());
        let waiting = Arc::clone(&self.places.waiting);
        async move {
            let attempt = attempt(&outbound, &clock, outgoing);
            tokio::pin!(attempt);
            let attempted = if let Ok(attempted) = tokio::time::timeout(PATIENCE, &mut attempt).await {
                attempted
            } else {
                if let Ok(place) = waiting.try_acquire_owned() {
                    slot.move_to(place);
                }
                attempt.await
            };
            drop(results.send((attempted, slot)).await);
        }
    }
}

/// Writes results in batches: whatever has come in while the last batch was written.
async fn record(service: Service, mut inbox: mpsc::Receiver<(Attempted, Slot)>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut waiting, BATCH).await > 0 {
        let (batch, slots): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        // A place is free again when its result is recorded: claims can never run ahead of the records.
        let mut unwritten = vec![batch];
        while let Some(mut part) = unwritten.pop() {
            let Err(error) = service.record_attempts(part.clone()).await else { continue };
            if error.is_unavailable() {
                tracing::error!(%error, deliveries = part.len(), "results of deliveries could not be recorded; trying again");
                tokio::time::sleep(POLL).await;
                // Shutting down with a dead database: the leases bring the work back, and the open attempts say so.
                if !inbox.is_closed() {
                    unwritten.push(part);
                }
            } else if part.len() > 1 {
                // One result that can never be written must not keep the others from it.
                unwritten.push(part.split_off(part.len() / 2));
                unwritten.push(part);
            } else {
                tracing::error!(%error, "a result cannot be recorded; the lease brings its delivery back");
            }
        }
        drop(slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_has_a_place_and_the_relay_never_has_more_than_it_bears() {
        let pace = |concurrency, waiting| {
            let limits = Limits { per_endpoint: 1, per_host: 1 };
            Pace { concurrency, waiting, limits }
        };
        assert_eq!(shares(Lane::Mail, pace(2048, 8192)), (40, 0));
        assert_eq!(shares(Lane::First, pace(2048, 8192)), (1024, 4096));
        assert_eq!(shares(Lane::Mail, pace(64, 100)), (16, 0));
        for lane in Lane::ALL {
            assert!(shares(lane, pace(1, 1)).0 >= 1, "{lane:?}");
        }
    }
}
