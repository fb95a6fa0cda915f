//! Sends what is due. Claims as many deliveries as there are free permits, so that no lease runs out while it waits.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate::{Gate, Limits, Pass};
use crate::clock::Clock;
use crate::domain::delivery::Lane;
use crate::domain::delivery_outcome::FailureKind;
use crate::outbound::{Exchange, Mail, Outbound};
use crate::service::{Attempted, Claims, Dispatch, MailEvidence, Outgoing, Service, ServiceError};

/// The longest sleep between two looks, whatever the clock says.
const POLL: Duration = Duration::from_secs(1);
/// How many results are written in one transaction.
const BATCH: usize = 512;
/// The most deliveries that one look claims.
const CLAIM: usize = 512;

/// Sends one message by its way and says what came of it. What was sent is not kept; its digest is.
async fn attempt(outbound: &Outbound, clock: &Clock, mut outgoing: Outgoing) -> Attempted {
    let body = std::mem::take(&mut outgoing.body);
    match &mut outgoing.dispatch {
        Dispatch::Post { url, headers } => {
            let (url, headers) = (url.clone(), std::mem::take(headers));
            let exchange = outbound.post(&url, headers, body).await;
            posted(outgoing, exchange, clock.now())
        }
        Dispatch::Mail { return_path, recipient, envelope_id, .. } => {
            let (return_path, recipient) = (return_path.clone(), recipient.clone());
            let mail = Mail { return_path, recipient, envelope_id: envelope_id.clone(), message: body };
            // A dialogue has many turns; without the box every webhook would take the memory of one.
            Box::pin(hand_over(outbound, clock, outgoing, mail)).await
        }
        Dispatch::Unsent { kind, reason, .. } => {
            let (kind, reason) = (*kind, reason.clone());
            Attempted::unsent(outgoing, kind, reason, clock.now())
        }
    }
}

/// Hands a mail to the relay.
async fn hand_over(outbound: &Outbound, clock: &Clock, sent: Outgoing, mail: Mail) -> Attempted {
    let Some(relay) = outbound.relay() else {
        let reason = "not sent: there is no relay".to_owned();
        return Attempted::unsent(sent, FailureKind::Connect, reason, clock.now());
    };
    let exchange = relay.send(&mail).await;
    let evidence = MailEvidence {
        dialogue: exchange.dialogue,
        reply_code: exchange.reply_code,
        enhanced_code: exchange.enhanced_code,
        queue_reply: exchange.queue_reply,
        tls: exchange.tls,
        dsn_requested: exchange.dsn_requested,
        may_have_been_sent: exchange.may_have_been_sent,
    };
    Attempted::mailed(sent, exchange.outcome, evidence, exchange.peer, (exchange.duration, clock.now()))
}

/// What came of a message to a webhook.
fn posted(sent: Outgoing, exchange: Exchange, ended_at: OffsetDateTime) -> Attempted {
    Attempted {
        outcome: exchange.outcome,
        status: exchange.status,
        peer: exchange.peer,
        retry_after: exchange.retry_after,
        answer: exchange.body_prefix,
        response_sha256: exchange.body_sha256,
        duration: exchange.duration,
        ended_at,
        mail: None,
        sent,
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
    let Claims { ready, .. } = service.claim_deliveries(lane, move || limit, 0, |_, _| Some(())).await?;
    let count = ready.len();
    let sent = ready.into_iter().map(|(outgoing, ())| attempt(outbound, &service.clock, outgoing));
    service.record_attempts(futures::future::join_all(sent).await).await?;
    Ok(count)
}

/// Runs the lanes until `stop`; what is in hand is finished and recorded before it returns.
///
/// Each lane has permits of its own, so that dead receivers, mail servers and tests cost the healthy endpoints nothing.
pub async fn run(service: Service, outbound: Outbound, pace: Pace, stop: CancellationToken) {
    // Bounded by the places: each result brings its own.
    let (results, inbox) = mpsc::unbounded_channel();
    let recorder = tokio::spawn(record(service.clone(), inbox, stop.clone()));
    let gate = Gate::new(pace.limits);
    let running = TaskTracker::new();
    for lane in Lane::ALL.into_iter().filter(|lane| runs(&outbound, *lane)) {
        let [prompt, waiting, unwritten] = shares(lane, pace).map(|places| Arc::new(Semaphore::new(places)));
        let places = Places { prompt, waiting, unwritten };
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

/// How many results may wait to be written, for each prompt place.
///
/// Who has not been told yet does not wait for the records of those who have. After a crash they are told twice.
const UNWRITTEN: usize = 2;

/// The places of a lane, prompt ones, waiting ones, and those of results: half of all for first attempts, a quarter for later ones, and
/// the rest for mail and replays.
///
/// There is but one relay, so that mail has no places beside: a slow relay is not helped by more connections. Nor are more mails
/// to be repeated after a crash.
fn shares(lane: Lane, pace: Pace) -> [usize; 3] {
    let share = |percent: usize| ((pace.concurrency * percent / 100).max(1), (pace.waiting * percent / 100).max(1));
    let of_webhooks = |(prompt, waiting)| [prompt, waiting, prompt * UNWRITTEN];
    match lane {
        Lane::First => of_webhooks(share(50)),
        Lane::Retry => of_webhooks(share(25)),
        Lane::Mail => {
            let (prompt, waiting) = share(10);
            [(prompt + waiting).min(TO_RELAY), 0, 1]
        }
        Lane::Replay => of_webhooks(share(15)),
    }
}

/// Where the attempts of one lane run, and their results wait.
#[derive(Clone)]
struct Places {
    prompt: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    unwritten: Arc<Semaphore>,
}

/// What a result holds until it is written.
type Held = (OwnedSemaphorePermit, Pass);

/// One lane at work.
struct LaneRunner {
    service: Service,
    outbound: Outbound,
    lane: Lane,
    gate: Gate,
    places: Places,
    results: mpsc::UnboundedSender<(Attempted, Held)>,
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
            // Waits until a place is free.
            let Some(Ok(_)) = stop.run_until_cancelled(self.places.prompt.acquire()).await else { break };
            turn = turn.wrapping_add(1);
            match self.claim(turn).await {
                // Behind those whose endpoint or host is busy may be others that are due.
                Ok(Claims { ready, busy }) if !ready.is_empty() || busy > 0 => {
                    for (outgoing, pass) in ready {
                        // This lane alone takes permits, so what was free is still free.
                        let Ok(place) = Arc::clone(&self.places.prompt).acquire_owned().await else { return };
                        requests.spawn(self.send(outgoing, place, pass));
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

    async fn claim(&self, turn: usize) -> Result<Claims<Pass>, ServiceError> {
        let (gate, prompt) = (self.gate.clone(), Arc::clone(&self.places.prompt));
        let free = move || i64::try_from(prompt.available_permits().clamp(1, CLAIM)).unwrap_or(1);
        self.service.claim_deliveries(self.lane, free, turn, move |endpoint, host| gate.admit(endpoint, host)).await
    }

    /// Sends one request; if it is slow, in a place where it keeps nobody waiting, as long as there is one.
    ///
    /// Its result waits in a place of its own to be written; until there is one it keeps the place of the attempt. The right towards
    /// endpoint and host is given back when it is written, so that after a crash no host gets more again than its limit.
    fn send(
        &self,
        outgoing: Outgoing,
        mut place: OwnedSemaphorePermit,
        pass: Pass,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (outbound, clock, results) = (self.outbound.clone(), self.service.clock.clone(), self.results.clone());
        let Places { waiting, unwritten, .. } = self.places.clone();
        async move {
            let attempt = attempt(&outbound, &clock, outgoing);
            tokio::pin!(attempt);
            let attempted = if let Ok(attempted) = tokio::time::timeout(PATIENCE, &mut attempt).await {
                attempted
            } else {
                if let Ok(aside) = waiting.try_acquire_owned() {
                    place = aside;
                }
                attempt.await
            };
            // Nobody closes these places.
            if let Ok(own) = unwritten.acquire_owned().await {
                drop(place);
                drop(results.send((attempted, (own, pass))));
            }
        }
    }
}

/// Writes results in batches: whatever has come in while the last batch was written.
async fn record(service: Service, mut inbox: mpsc::UnboundedReceiver<(Attempted, Held)>, stop: CancellationToken) {
    let mut waiting = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut waiting, BATCH).await > 0 {
        let (batch, held): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        // A place is free again when its result is recorded: attempts cannot run ahead of the records without end.
        let mut unwritten = vec![batch];
        while let Some(mut part) = unwritten.pop() {
            let Err(error) = service.record_attempts(part.clone()).await else { continue };
            if error.is_unavailable() {
                tracing::error!(%error, deliveries = part.len(), "results of deliveries could not be recorded; trying again");
                tokio::time::sleep(POLL).await;
                // Shutting down with a dead database: the leases bring the work back, and the open attempts say so.
                if !stop.is_cancelled() {
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
        drop(held);
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
        assert_eq!(shares(Lane::Mail, pace(2048, 8192)), [40, 0, 1]);
        assert_eq!(shares(Lane::First, pace(2048, 8192)), [1024, 4096, 2048]);
        assert_eq!(shares(Lane::Mail, pace(64, 100)), [16, 0, 1]);
        for lane in Lane::ALL {
            let [prompt, _, unwritten] = shares(lane, pace(1, 1));
            assert!(prompt >= 1 && unwritten >= 1, "{lane:?}");
        }
    }
}
