//! Small loops that keep the process in shape: metrics folded, the clock in step with the database's.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::AppError;
use crate::clock::Clock;
use crate::service::Service;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

const METRICS_EVERY: Duration = Duration::from_secs(5);
const TIME_EVERY: Duration = Duration::from_secs(30);
/// A larger step of the offset is an alarm, since due times are told by this clock.
const LARGEST_STEP: time::Duration = time::Duration::MINUTE;

/// Folds samples into histograms; without it memory grows between scrapes.
pub(super) async fn fold_metrics(metrics: Metrics, stopping: CancellationToken) {
    while goes_on(&stopping, METRICS_EVERY).await {
        metrics.upkeep();
    }
}

/// Wakes the workers when another process on the same database has something to send.
pub(super) async fn listen(service: Service, stopping: CancellationToken) {
    let nudge = Arc::clone(&service.nudge);
    let listening = tokio::task::spawn_blocking(move || {
        service.store.listen(&|| nudge.notify_waiters(), &|| stopping.is_cancelled());
    });
    if listening.await.is_err() {
        tracing::error!("the listener failed; the workers look by themselves");
    }
}

/// Keeps the clock in step with the database server's, so that replicas agree. The embedded database has no clock.
pub(super) async fn keep_database_time(service: Service, stopping: CancellationToken) {
    let mut offset = None;
    while goes_on(&stopping, TIME_EVERY).await {
        match follow_database_time(&service, offset).await {
            Ok(Some(measured)) => offset = Some(measured),
            Ok(None) => return,
            Err(error) => tracing::warn!(%error, "cannot read the database's time"),
        }
    }
}

/// Measures how far the database server's clock is ahead of this machine's, makes the clock follow, and answers it.
///
/// `None` for the embedded database. A step of more than a minute against `before` is logged as an error.
pub(super) async fn follow_database_time(
    service: &Service,
    before: Option<time::Duration>,
) -> Result<Option<time::Duration>, AppError> {
    // A fresh clock tells the machine's own time, without offset and without memory.
    let (asked, answer) = (Clock::system().now(), service.store.read::<_, StoreError>(Store::server_time).await?);
    let Some(theirs) = answer else { return Ok(None) };
    let answered = Clock::system().now();
    let offset: time::Duration = theirs - (asked + (answered - asked) / 2);
    let step = offset.saturating_sub(before.unwrap_or_default());
    if step.abs() > LARGEST_STEP {
        let seconds = step.whole_seconds();
        tracing::error!(step_s = seconds, "the database's clock and this machine's have moved apart");
    }
    service.clock.set_offset(offset);
    Ok(Some(offset))
}

/// Waits; false when the service stops.
async fn goes_on(stopping: &CancellationToken, wait: Duration) -> bool {
    stopping.run_until_cancelled(tokio::time::sleep(wait)).await.is_some()
}
