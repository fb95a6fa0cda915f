//! Every endpoint is asked at regular times to prove itself, so that a dead one is found before a breach. Sends nothing itself.

use time::{Duration, OffsetDateTime};

use super::{Service, ServiceError};
use crate::domain::endpoint::{CONFIRM_EVERY, EndpointId, Health, PROBE_EVERY};
use crate::domain::vocabulary::Channel;
use crate::store::endpoints::Endpoint;
use crate::store::{AnyConnection, outbox, probes};

/// The most endpoints that one look asks.
const MOST: i64 = 500;
/// Over which time those who were asked together are spread the next time.
const SPREAD: Duration = Duration::DAY;

impl Service {
    /// Puts a verification into the outbox of every endpoint whose time has come; answers how many endpoints were looked at.
    ///
    /// A mailbox that somebody has confirmed is asked twice a year, until it fails.
    pub async fn probe_endpoints(&self) -> Result<usize, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let looked_at = self.store.write(move |connection| service.probe(connection, now)).await?;
        if looked_at > 0 {
            self.nudge.notify_waiters();
        }
        Ok(looked_at)
    }

    fn probe(&self, connection: &mut AnyConnection, now: OffsetDateTime) -> Result<usize, ServiceError> {
        let due = probes::due(connection, now, MOST)?;
        let next = |one: &Endpoint| (one.id.clone(), now + every(one) - SPREAD * self.entropy.unit());
        let schedule: Vec<(EndpointId, OffsetDateTime)> = due.iter().map(next).collect();
        probes::schedule(connection, &schedule)?;
        // Without a relay no mailbox can be asked; its turn comes again.
        let asked = due.iter().filter(|one| one.id.channel() == Channel::Webhook || self.mail.is_some());
        let messages: Vec<_> = asked.map(|one| self.verification_of(one, now)).collect();
        outbox::enqueue(connection, &messages, now)?;
        Ok(schedule.len())
    }
}

/// How long it is until an endpoint is asked again; the spread is taken off that, so that it makes no probe late.
fn every(endpoint: &Endpoint) -> Duration {
    let is_confirmed = endpoint.id.channel() == Channel::Email && endpoint.health == Health::Healthy;
    if is_confirmed && endpoint.failures == 0 { CONFIRM_EVERY } else { PROBE_EVERY }
}
