//! Asks endpoints to prove themselves when their time has come. Keeps no timer: the rows are the timers.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::{Service, ServiceError};

/// How often it looks; nobody waits for a probe.
const LOOK: Duration = Duration::from_mins(1);

/// Asks a batch of endpoints whose time has come; answers how many were looked at. The step that tests call.
pub async fn step(service: &Service) -> Result<usize, ServiceError> {
    service.probe_endpoints().await
}

/// Asks endpoints until `stop`.
pub async fn run(service: Service, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = step(&service).await {
            tracing::error!(%error, "endpoints could not be probed; trying again");
        }
        let wait = service.clock.real_delay(LOOK.try_into().unwrap_or_default());
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait.max(Duration::from_millis(5))) => {}
        }
    }
}
