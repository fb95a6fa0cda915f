//! Every endpoint is asked once a week to prove itself, so that a dead one is found before a breach. Sends nothing itself.

use time::{Duration, OffsetDateTime};

use super::{Service, ServiceError};
use crate::domain::endpoint::{EndpointId, PROBE_EVERY};
use crate::domain::vocabulary::Channel;
use crate::store::probes::{self, Due};
use crate::store::{AnyConnection, outbox};

/// The most endpoints that one look asks.
const MOST: i64 = 500;
/// Over which time those who were asked together are spread the next time.
const SPREAD: Duration = Duration::DAY;

impl Service {
    /// Puts a verification into the outbox of every endpoint whose time has come; answers how many endpoints were looked at.
    ///
    /// A mailbox is asked until somebody has confirmed it, and not any more.
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
        let (asked, settled): (Vec<Due>, Vec<Due>) = due.into_iter().partition(is_asked);
        let next = asked.iter().map(|one| (one.endpoint.id.clone(), Some(self.next_probe(now))));
        let never = settled.iter().map(|one| (one.endpoint.id.clone(), None));
        let schedule: Vec<(EndpointId, Option<OffsetDateTime>)> = next.chain(never).collect();
        probes::schedule(connection, &schedule)?;
        let messages: Vec<_> = asked.iter().map(|one| self.verification_of(&one.endpoint, now)).collect();
        outbox::enqueue(connection, &messages, now)?;
        Ok(schedule.len())
    }

    /// Never later than the week is over, so that the spread makes no probe late.
    fn next_probe(&self, now: OffsetDateTime) -> OffsetDateTime {
        now + PROBE_EVERY - SPREAD * self.entropy.unit()
    }
}

fn is_asked(due: &Due) -> bool {
    due.endpoint.id.channel() == Channel::Webhook || !due.verified
}
