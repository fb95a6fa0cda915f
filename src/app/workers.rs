//! All background workers, in one list. Each ends by itself soon after `stopping` is cancelled.

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::{App, upkeep};
use crate::worker::{auditor, delivery, duties, escalation, probes};

/// Every worker of the service.
pub(super) fn all(app: &App, stopping: &CancellationToken) -> Vec<BoxFuture<'static, ()>> {
    let (service, token) = (|| app.service.clone(), || stopping.clone());
    vec![
        Box::pin(delivery::run(service(), app.outbound.clone(), app.pace, token())),
        Box::pin(duties::run(service(), token())),
        Box::pin(upkeep::listen(service(), token())),
        Box::pin(escalation::run(service(), token())),
        Box::pin(probes::run(service(), token())),
        Box::pin(upkeep::fold_metrics(app.metrics.clone(), token())),
        Box::pin(upkeep::watch_clocks(service(), app.clocks, token())),
        Box::pin(auditor::run(service(), app.outbound.clone(), app.heartbeat.clone(), token())),
    ]
}
