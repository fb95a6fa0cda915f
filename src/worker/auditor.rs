//! The auditor: every minute it looks, on a path of its own, whether delivery does what it should, and only then gives a sign of life.
//!
//! Whatever stops it (a finding, an error, a panic, a dead process) stops the sign of life too; who waits for that raises the alarm.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use url::Url;

use crate::domain::delivery::Lane;
use crate::domain::endpoint::Health;
use crate::domain::vocabulary::Channel;
use crate::outbound::Outbound;
use crate::service::{Counted, DeliveryAudit, Service, ServiceError};
use crate::telemetry::{self, Beat, Timed};

/// Between two audits.
const EVERY: Duration = Duration::from_mins(1);
/// However fast the clock runs, the database is not asked all the time.
const LEAST: Duration = Duration::from_secs(1);
/// The largest answer to a sign of life that is read, in bytes.
const ANSWER: usize = 16 * 1024;

/// Where the sign of life goes.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Whom to call; the address is a secret.
    pub url: Url,
    /// How often at most.
    pub every: Duration,
}

/// Audits once, shows the findings in log and metrics, and answers them. The step that tests call.
pub async fn step(service: &Service) -> Result<DeliveryAudit, ServiceError> {
    let audit = service.audit_delivery().await?;
    measure(&audit);
    if audit.without_next_step.count > 0 {
        let notices: Vec<_> = audit.without_next_step.notices.iter().map(ToString::to_string).collect();
        let count = audit.without_next_step.count;
        tracing::error!(count, notices = notices.join(" "), "open notices have no next step");
    }
    if !audit.findings.is_empty() {
        let overdue = audit.overdue_seconds;
        tracing::error!(
            findings = ?audit.findings,
            delivery_s = overdue.delivery.whole_seconds(),
            step_s = overdue.step.whole_seconds(),
            alarm_s = overdue.alarm.whole_seconds(),
            "the audit of delivery has findings"
        );
    }
    service.record_network().await?;
    Ok(audit)
}

/// Gives the sign of life that `audit` allows; answers what became of it. A failure is logged, and nothing else.
pub async fn beat(outbound: &Outbound, heartbeat: &Heartbeat, audit: Option<&DeliveryAudit>) -> Beat {
    let is_well = audit.is_some_and(|audit| audit.findings.is_empty() && !audit.network_outage);
    let beat = if is_well { call(outbound, &heartbeat.url).await } else { Beat::Withheld };
    telemetry::heartbeat(beat);
    beat
}

async fn call(outbound: &Outbound, url: &Url) -> Beat {
    match outbound.call(url, Vec::new(), None, ANSWER).await {
        Ok((200..=299, _)) => return Beat::Sent,
        Ok((status, _)) => tracing::error!(status, "the sign of life was not taken"),
        Err(kind) => tracing::error!(%kind, "the sign of life could not be sent"),
    }
    Beat::Failed
}

/// Audits every minute until `stop`.
pub async fn run(service: Service, outbound: Outbound, heartbeat: Option<Heartbeat>, stop: CancellationToken) {
    let every = service.clock.real_delay(EVERY.try_into().unwrap_or_default()).max(LEAST);
    let mut last_beat = None;
    loop {
        let audit = audited(&service).await;
        let is_due = |heartbeat: &&Heartbeat| {
            // Half a round of slack: what is wanted every minute goes with every audit.
            last_beat.is_none_or(|last: tokio::time::Instant| last.elapsed() + every / 2 >= heartbeat.every)
        };
        if let Some(heartbeat) = heartbeat.as_ref().filter(is_due) {
            last_beat = Some(tokio::time::Instant::now());
            let called = beat(&outbound, heartbeat, audit.as_ref());
            stop.run_until_cancelled(called).await;
        }
        if stop.run_until_cancelled(tokio::time::sleep(every)).await.is_none() {
            return;
        }
    }
}

/// The audit in a task of its own, so that a panic in it is one more reason to give no sign of life.
async fn audited(service: &Service) -> Option<DeliveryAudit> {
    let service = service.clone();
    match tokio::spawn(async move { step(&service).await }).await {
        Ok(Ok(audit)) => Some(audit),
        Ok(Err(error)) => {
            tracing::error!(%error, "delivery could not be audited");
            None
        }
        Err(_) => {
            tracing::error!("the audit of delivery broke off");
            None
        }
    }
}

fn measure(audit: &DeliveryAudit) {
    let some = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    let overdue = audit.overdue_seconds;
    for (timed, overdue) in
        [(Timed::Delivery, overdue.delivery), (Timed::Step, overdue.step), (Timed::Alarm, overdue.alarm)]
    {
        telemetry::oldest_overdue(timed, overdue);
    }
    let queue = audit.queue;
    for (lane, owed) in
        [(Lane::First, queue.first), (Lane::Retry, queue.retry), (Lane::Mail, queue.mail), (Lane::Replay, queue.replay)]
    {
        telemetry::queue_depth(lane.as_str(), some(owed));
    }
    let count = |channel: &str, code: &str| {
        let is_it = |one: &&Counted| one.channel == channel && one.code == code;
        audit.endpoints.iter().find(is_it).map_or(0, |one| some(one.count))
    };
    for channel in [Channel::Webhook, Channel::Email] {
        for (health, _) in Health::CODES {
            telemetry::endpoints(channel.as_str(), health, count(channel.as_str(), health));
        }
    }
    let duties = audit.duties;
    for (state, count) in
        [("not_started", duties.not_started), ("running", duties.running), ("breached", duties.breached)]
    {
        telemetry::duties_in_state(state, some(count));
    }
    telemetry::network_outage(audit.network_outage);
    telemetry::audited(some(found(audit)), audit.audited_at);
}

/// How much was found: every forgotten notice, and every kind of overdue work.
fn found(audit: &DeliveryAudit) -> i64 {
    let forgotten = audit.without_next_step.count;
    let kinds = audit.findings.len() - usize::from(forgotten > 0);
    forgotten.saturating_add_unsigned(kinds as u64)
}
