//! Small loops that keep the process in shape: metrics folded, clocks watched.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::{Clocks, Service};
use crate::telemetry::Metrics;

const METRICS_EVERY: Duration = Duration::from_secs(5);
const TIME_EVERY: Duration = Duration::from_secs(30);

/// Folds samples into histograms; without it memory grows between scrapes.
pub(super) async fn fold_metrics(metrics: Metrics, stopping: CancellationToken) {
    while goes_on(&stopping, METRICS_EVERY).await {
        metrics.upkeep();
    }
}

/// Wakes the workers when another process on the same database has something to send.
pub(super) async fn listen(service: Service, stopping: CancellationToken) {
    let (nudge, stop) = (Arc::clone(&service.nudge), stopping.clone());
    let listening = tokio::task::spawn_blocking(move || {
        service.store.listen(&|| nudge.notify_waiters(), &|| stop.is_cancelled());
    });
    if listening.await.is_err() {
        tracing::error!("the listener failed; the workers look by themselves");
    }
    // An embedded database has nobody to listen to.
    stopping.cancelled().await;
}

/// Watches the clocks, and keeps time in step with the database server's, so that replicas agree.
pub(super) async fn watch_clocks(service: Service, mut clocks: Clocks, stopping: CancellationToken) {
    while goes_on(&stopping, TIME_EVERY).await {
        match service.watch_clocks(clocks).await {
            Ok(seen) => clocks = seen,
            Err(error) => tracing::warn!(%error, "the clocks could not be watched; trying again"),
        }
    }
}

/// Waits; false when the service stops.
async fn goes_on(stopping: &CancellationToken, wait: Duration) -> bool {
    stopping.run_until_cancelled(tokio::time::sleep(wait)).await.is_some()
}
