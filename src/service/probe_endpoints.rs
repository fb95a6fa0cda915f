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
        let next = |one: &Due| (one.endpoint.id.clone(), (!is_confirmed(one)).then(|| self.next_probe(now)));
        let schedule: Vec<(EndpointId, Option<OffsetDateTime>)> = due.iter().map(next).collect();
        probes::schedule(connection, &schedule)?;
        let asked = due.iter().filter(|one| self.is_asked(one));
        let messages: Vec<_> = asked.map(|one| self.verification_of(&one.endpoint, now)).collect();
        outbox::enqueue(connection, &messages, now)?;
        Ok(schedule.len())
    }

    /// Without a relay no mailbox can be asked; its turn comes again next week.
    fn is_asked(&self, due: &Due) -> bool {
        due.endpoint.id.channel() == Channel::Webhook || (self.mail.is_some() && !is_confirmed(due))
    }

    /// Never later than the week is over, so that the spread makes no probe late.
    fn next_probe(&self, now: OffsetDateTime) -> OffsetDateTime {
        now + PROBE_EVERY - SPREAD * self.entropy.unit()
    }
}

/// Whether it is a mailbox that somebody has confirmed.
fn is_confirmed(due: &Due) -> bool {
    due.endpoint.id.channel() == Channel::Email && due.verified
}
