//! Looks at the ladders of notices and fires the steps that have come. Keeps no timer: the rows are the timers.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::{Service, ServiceError};

/// The longest sleep between two looks; new notices nudge, so this is only the backstop.
const POLL: Duration = Duration::from_secs(1);

/// Fires a batch of steps that have come; answers how many ladders were looked at. The step that tests call.
pub async fn step(service: &Service) -> Result<usize, ServiceError> {
    service.fire_escalations().await
}

/// Fires steps until `stop`.
pub async fn run(service: Service, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let nudge = Arc::clone(&service.nudge);
        let nudged = nudge.notified();
        tokio::pin!(nudged);
        nudged.as_mut().enable();
        match wait(&service).await {
            Ok(None) => {}
            Ok(Some(wait)) => tokio::select! {
                () = stop.cancelled() => {}
                () = nudged => {}
                () = tokio::time::sleep(wait) => {}
            },
            Err(error) => {
                tracing::error!(%error, "steps of ladders could not be fired; trying again");
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

/// Fires what has come; how long to sleep if that was nothing.
async fn wait(service: &Service) -> Result<Option<Duration>, ServiceError> {
    let next = service.next_escalation_at().await?;
    let now = service.clock.now();
    match next {
        Some(at) if at <= now => Ok((step(service).await? == 0).then_some(POLL)),
        Some(at) => Ok(Some(service.clock.real_delay(at - now).min(POLL))),
        None => Ok(Some(POLL)),
    }
}
