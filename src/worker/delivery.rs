//! Sends what is due. Claims as many deliveries as there are free permits, so that no lease runs out while it waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::domain::delivery::Lane;
use crate::outbound::Outbound;
use crate::service::{Attempted, Outgoing, Service, ServiceError};

/// The longest sleep between two looks, whatever the clock says.
const POLL: Duration = Duration::from_secs(1);
/// How many results are written in one transaction.
const BATCH: usize = 128;
/// The most deliveries that one look claims.
const CLAIM: usize = 256;

/// Sends one request and says what came of it.
async fn attempt(outbound: &Outbound, clock: &Clock, outgoing: Outgoing) -> Attempted {
    let exchange = outbound.post(&outgoing.url, outgoing.headers.clone(), outgoing.body.clone()).await;
    Attempted {
        outcome: exchange.outcome,
        status: exchange.status,
        peer: exchange.peer,
        retry_after: exchange.retry_after,
        answer: exchange.body_prefix,
        response_sha256: exchange.body_sha256,
        duration: exchange.duration,
        ended_at: clock.now(),
        sent: outgoing,
    }
}

/// Sends everything of `lane` that is due now, up to `limit`, and records it; answers how many. The step that tests call.
pub async fn step(service: &Service, outbound: &Outbound, lane: Lane, limit: usize) -> Result<usize, ServiceError> {
    let claimed = service.claim_deliveries(lane, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
    let count = claimed.len();
    let sent = claimed.into_iter().map(|outgoing| attempt(outbound, &service.clock, outgoing));
    service.record_attempts(futures::future::join_all(sent).await).await?;
    Ok(count)
}

/// Runs the lanes until `stop`; what is in hand is finished and recorded before it returns.
///
/// Half of the permits belong to first attempts and half to retries, so that dead receivers cost the healthy ones nothing.
pub async fn run(service: Service, outbound: Outbound, concurrency: usize, stop: CancellationToken) {
    let (results, inbox) = mpsc::channel::<(Attempted, OwnedSemaphorePermit)>(BATCH * 8);
    let recorder = tokio::spawn(record(service.clone(), inbox));
    let lanes = TaskTracker::new();
    for lane in Lane::ALL {
        let permits = Arc::new(Semaphore::new((concurrency / Lane::ALL.len()).max(1)));
        lanes.spawn(run_lane(service.clone(), outbound.clone(), lane, permits, results.clone(), stop.clone()));
    }
    drop(results);
    lanes.close();
    lanes.wait().await;
    // The recorder ends when the last request in hand has handed in its result.
    if recorder.await.is_err() {
        tracing::error!("the recorder of deliveries failed; leases bring the work back");
    }
}

async fn run_lane(
    service: Service,
    outbound: Outbound,
    lane: Lane,
    permits: Arc<Semaphore>,
    results: mpsc::Sender<(Attempted, OwnedSemaphorePermit)>,
    stop: CancellationToken,
) {
    let requests = TaskTracker::new();
    while !stop.is_cancelled() {
        // Registered before the look, so that a nudge in between is not lost.
        let nudge = Arc::clone(&service.nudge);
        let nudged = nudge.notified();
        tokio::pin!(nudged);
        nudged.as_mut().enable();
        let free = permits.available_permits().min(CLAIM);
        let claimed = if free == 0 { Ok(Vec::new()) } else { claim(&service, lane, free).await };
        match claimed {
            Ok(claimed) if !claimed.is_empty() => {
                for outgoing in claimed {
                    // This lane alone takes permits, so what was free is still free.
                    let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
                    let (outbound, clock, results) = (outbound.clone(), service.clock.clone(), results.clone());
                    requests.spawn(async move {
                        let attempted = attempt(&outbound, &clock, outgoing).await;
                        drop(results.send((attempted, permit)).await);
                    });
                }
                continue;
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, delivery.lane = lane.as_str(), "deliveries could not be claimed"),
        }
        let wait = if free == 0 {
            Duration::from_millis(20)
        } else {
            service.clock.real_delay(POLL.try_into().unwrap_or_default())
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = &mut nudged, if free > 0 => {}
            () = tokio::time::sleep(wait.max(Duration::from_millis(5))) => {}
        }
    }
    requests.close();
    requests.wait().await;
}

async fn claim(service: &Service, lane: Lane, free: usize) -> Result<Vec<Outgoing>, ServiceError> {
    service.claim_deliveries(lane, i64::try_from(free).unwrap_or(i64::MAX)).await
}

/// Writes results in batches: whatever has come in while the last batch was written.
async fn record(service: Service, mut inbox: mpsc::Receiver<(Attempted, OwnedSemaphorePermit)>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut waiting, BATCH).await > 0 {
        let (batch, permits): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        // A permit comes back when its result is recorded: claims can never run ahead of the records.
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
        drop(permits);
    }
}
