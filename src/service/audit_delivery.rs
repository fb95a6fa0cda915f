//! Auditing delivery: that nothing that is owed was forgotten, and that nothing is overdue. Reads on a path of its own, mends nothing.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{Service, ServiceError};
use crate::domain::delivery::Lane;
use crate::domain::id::NoticeId;
use crate::store::audit_of_delivery::{self as audit, Counted, OpenDuties, Waiting};
use crate::store::{AnyConnection, StoreError, micros};

/// How much overdue work may be before it is a finding, in real time: workers look every second.
const SLACK: Duration = Duration::MINUTE;
/// So often in a row may a delivery be claimed without a word of what came of it.
const UNHEARD: i32 = 3;
/// As many notices are named.
const NAMED: i64 = 10;

/// What an audit can find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Open notices to which nothing will happen any more.
    WithoutNextStep,
    /// A delivery that should have been tried.
    OverdueDelivery,
    /// A delivery that is taken up again and again, and nothing is known of it.
    StuckDelivery,
    /// A step of a ladder that should have been taken.
    OverdueStep,
    /// An alarm that should have been raised.
    OverdueAlarm,
}

/// Notices that nobody works on although they need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithoutNextStep {
    /// How many.
    pub count: i64,
    /// The first of them.
    pub notices: Vec<NoticeId>,
}

/// How long the oldest work of each kind is overdue, in seconds; zero if none is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overdue {
    /// Deliveries.
    #[serde(serialize_with = "seconds")]
    pub delivery: Duration,
    /// Steps of ladders.
    #[serde(serialize_with = "seconds")]
    pub step: Duration,
    /// Alarms of duties.
    #[serde(serialize_with = "seconds")]
    pub alarm: Duration,
}

/// Messages that are owed, by lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Queue {
    /// First attempts.
    pub first: i64,
    /// Later ones.
    pub retry: i64,
    /// E-mail.
    pub mail: i64,
    /// What nobody waits for.
    pub replay: i64,
}

/// What an audit found. Holds ids, counts and times, nothing of what is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryAudit {
    /// When it was made, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub audited_at: OffsetDateTime,
    /// What is wrong; nothing if all is well.
    pub findings: Vec<Finding>,
    /// Notices that were forgotten.
    pub without_next_step: WithoutNextStep,
    /// What is late, in seconds.
    pub overdue_seconds: Overdue,
    /// Deliveries that are taken up again and again, and nothing is known of it.
    pub stuck_deliveries: i64,
    /// What is owed.
    pub queue: Queue,
    /// Whether our own network is taken to be down.
    pub network_outage: bool,
    /// Endpoints by channel and health.
    #[serde(skip)]
    pub endpoints: Vec<Counted>,
    /// Open duties by state.
    #[serde(skip)]
    pub duties: OpenDuties,
}

fn seconds<S: serde::Serializer>(overdue: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(overdue.whole_seconds())
}

impl Service {
    /// Audits the delivery of all tenants.
    pub async fn audit_delivery(&self) -> Result<DeliveryAudit, ServiceError> {
        let (now, slack, network_outage) = (self.clock.now(), self.clock.passes_in(SLACK), self.network.is_down());
        let found = self.store.read::<_, StoreError>(move |connection| Found::read(connection, now)).await?;
        Ok(found.judged(now, slack, network_outage))
    }
}

/// What was read.
struct Found {
    without_next_step: WithoutNextStep,
    waiting: Vec<Waiting>,
    stuck: i64,
    step_at: Option<OffsetDateTime>,
    alarm_at: Option<OffsetDateTime>,
    endpoints: Vec<Counted>,
    duties: OpenDuties,
}

impl Found {
    fn read(connection: &mut AnyConnection, now: OffsetDateTime) -> Result<Self, StoreError> {
        let (count, notices) = audit::without_next_step(connection, now, NAMED)?;
        Ok(Self {
            without_next_step: WithoutNextStep { count, notices },
            waiting: audit::waiting(connection, now)?,
            stuck: audit::stuck(connection, UNHEARD)?,
            step_at: audit::first_step_at(connection)?,
            alarm_at: audit::first_alarm_at(connection)?,
            endpoints: audit::endpoints(connection)?,
            duties: audit::open_duties(connection)?,
        })
    }

    fn judged(self, now: OffsetDateTime, slack: Duration, network_outage: bool) -> DeliveryAudit {
        let late = |at: Option<OffsetDateTime>| at.map_or(Duration::ZERO, |at| (now - at).max(Duration::ZERO));
        let first = self.waiting.iter().map(|waiting| waiting.first_at).min();
        let delivery = first.map_or(Duration::ZERO, |first| Duration::microseconds((micros(now) - first).max(0)));
        let overdue = Overdue { delivery, step: late(self.step_at), alarm: late(self.alarm_at) };
        let findings = [
            (Finding::WithoutNextStep, self.without_next_step.count > 0),
            (Finding::OverdueDelivery, overdue.delivery > slack),
            (Finding::StuckDelivery, self.stuck > 0),
            (Finding::OverdueStep, overdue.step > slack),
            (Finding::OverdueAlarm, overdue.alarm > slack),
        ];
        DeliveryAudit {
            audited_at: now,
            findings: findings.into_iter().filter(|(_, found)| *found).map(|(finding, _)| finding).collect(),
            without_next_step: self.without_next_step,
            overdue_seconds: overdue,
            stuck_deliveries: self.stuck,
            queue: queue(&self.waiting),
            network_outage,
            endpoints: self.endpoints,
            duties: self.duties,
        }
    }
}

fn queue(waiting: &[Waiting]) -> Queue {
    let owed = |lane: Lane| waiting.iter().filter(|one| one.lane == lane.index()).map(|one| one.owed).sum();
    Queue { first: owed(Lane::First), retry: owed(Lane::Retry), mail: owed(Lane::Mail), replay: owed(Lane::Replay) }
}
