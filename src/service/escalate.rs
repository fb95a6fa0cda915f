//! The steps of ladders that have come: looked at again, and fired once. What a step does stands next door.

use std::collections::HashMap;

use serde_json::json;
use time::OffsetDateTime;

use super::escalation_actions::{Done, Firing, Reach};
use super::record::OfNotice;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::id::DeliveryId;
use crate::domain::ladder::{Climb, End, Rung, StepOutcome, StepState, Window, climb};
use crate::domain::ledger::NewEntry;
use crate::domain::terms::{Action, LadderStep};
use crate::domain::vocabulary::Channel;
use crate::store::escalations::{self, Step};
use crate::store::outbox::{self, NewDelivery};
use crate::store::tasks::{self, NewTask};
use crate::store::watched::{self, Watched};
use crate::store::{AnyConnection, ledger};
use crate::telemetry::{self, Timed};

/// How many steps are looked at in one transaction.
const BATCH: i64 = 500;

/// Everything that a batch of steps leaves behind.
#[derive(Default)]
struct Written {
    steps: Vec<Step>,
    deliveries: Vec<NewDelivery>,
    tasks: Vec<NewTask>,
    entries: Vec<NewEntry>,
}

impl Service {
    /// Fires the steps that have come, up to a batch; answers how many ladders were looked at.
    ///
    /// The condition is looked at again inside the transaction. After a standstill [`climb`] says which steps fire.
    pub async fn fire_escalations(&self) -> Result<usize, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let looked = self.store.write(move |connection| service.escalate(connection, now)).await?;
        if looked > 0 {
            self.nudge.notify_waiters();
        }
        Ok(looked)
    }

    /// When the next step comes, UTC.
    pub async fn next_escalation_at(&self) -> Result<Option<OffsetDateTime>, ServiceError> {
        let next: Option<i64> =
            self.store.read(|connection| Ok::<_, ServiceError>(escalations::next_due(connection)?)).await?;
        Ok(next.and_then(|micros| OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()))
    }

    fn escalate(&self, connection: &mut AnyConnection, now: OffsetDateTime) -> Result<usize, ServiceError> {
        let come = escalations::due_notices(connection, now, BATCH)?;
        // Notices are held before all else, as acknowledgements do it; another replica's are left to it.
        let notices = watched::hold(connection, come)?;
        if notices.is_empty() {
            return Ok(0);
        }
        let due = escalations::due(connection, &notices, now)?;
        let watched = watched::of(connection, &notices)?;
        let watched: HashMap<&str, &Watched> = watched.iter().map(|one| (one.notice.as_str(), one)).collect();
        let fires = |step: &Step| {
            watched.get(step.notice.as_str()).filter(|notice| notice.standing.end_of(step.ladder).is_none()).copied()
        };
        // Without a relay nothing can be mailed, and the ladder must not wait for it.
        let channels: &[_] =
            if self.mail.is_some() { &[Channel::Webhook, Channel::Email] } else { &[Channel::Webhook] };
        let mut reach = Reach::of(connection, &due.iter().filter_map(fires).collect::<Vec<_>>(), channels)?;
        let recording = due.iter().filter_map(|step| fires(step).filter(|notice| records_breach(step, notice, now)));
        reach.find_breaches(connection, &recording.collect::<Vec<_>>(), now)?;
        let mut written = Written::default();
        for step in &due {
            let Some(notice) = watched.get(step.notice.as_str()) else { continue };
            match notice.standing.end_of(step.ladder) {
                Some(end) => written.steps.push(not_needed(step, end)),
                None => self.climb(step, notice, &mut reach, &mut written, now),
            }
        }
        escalations::write(connection, &written.steps)?;
        outbox::enqueue(connection, &written.deliveries, now)?;
        tasks::insert(connection, &written.tasks, now)?;
        ledger::append(connection, &written.entries)?;
        Ok(due.len())
    }

    /// Goes up one ladder as far as its time has come.
    fn climb(&self, open: &Step, notice: &Watched, reach: &mut Reach, written: &mut Written, now: OffsetDateTime) {
        let steps = notice.agreement.terms.escalation.of(open.ladder);
        let plan = open.window.plan(steps);
        let Climb { coalesced, fires, next } = climb(steps, &plan, usize::try_from(open.step).unwrap_or(0), now);
        let step = |index: usize, state| planned(open, steps, &plan, index, state);
        written.steps.extend(coalesced.iter().map(|index| step(*index, StepState::Coalesced)));
        let next = next.map(|index| step(index, StepState::Open));
        let task_due = next.as_ref().map_or_else(|| open.window.deadline.max(now), |next| next.due_at);
        for index in fires {
            let fired = step(index, StepState::Fired);
            let rung = Rung { ladder: fired.ladder, step: fired.step };
            let done = self.act(&Firing { notice, rung, action: fired.action, task_due, now }, reach);
            telemetry::late_by(Timed::Step, now - fired.due_at);
            telemetry::step_fired(fired.action.as_str(), done.outcome.as_str());
            let late = i64::try_from((now - fired.due_at).whole_milliseconds()).unwrap_or(i64::MAX);
            let outcome = Some(done.outcome.as_str().to_owned());
            let fired = Step { fired_at: Some(now), late_ms: Some(late), outcome, ..fired };
            written.entries.push(entry(notice, &fired, &coalesced, &done, now));
            written.steps.push(fired);
            written.deliveries.extend(done.deliveries);
            written.tasks.extend(done.task);
        }
        written.steps.extend(next);
    }
}

/// Whether the breach of a ladder whose step `open` has come is to be recorded by now, if there is one.
fn records_breach(open: &Step, notice: &Watched, now: OffsetDateTime) -> bool {
    let Window { begun, deadline } = open.window;
    let records = |step: &LadderStep| step.action == Action::RecordBreach && step.due_at(begun, deadline) <= now;
    open.action == Action::RecordBreach || notice.agreement.terms.escalation.of(open.ladder).iter().any(records)
}

/// The step `index` of the ladder whose step `open` has come.
fn planned(open: &Step, steps: &[LadderStep], plan: &[OffsetDateTime], index: usize, state: StepState) -> Step {
    let number = i32::try_from(index).unwrap_or(i32::MAX);
    let is_open = number == open.step;
    Step {
        step: number,
        action: steps.get(index).map_or(open.action, |step| step.action),
        due_at: plan.get(index).copied().filter(|_| !is_open).unwrap_or(open.due_at),
        state,
        ..open.clone()
    }
}

fn not_needed(step: &Step, end: End) -> Step {
    Step { state: StepState::NotNeeded, outcome: Some(end.as_str().to_owned()), ..step.clone() }
}

fn entry(notice: &Watched, fired: &Step, coalesced: &[usize], done: &Done, now: OffsetDateTime) -> NewEntry {
    let passed: Vec<_> = coalesced.iter().map(|step| step + 1).collect();
    let deliveries: Vec<&DeliveryId> = done.deliveries.iter().map(|delivery| &delivery.id).collect();
    let kind = match done.outcome {
        StepOutcome::NotDelivered | StepOutcome::NotAcknowledged => "escalation.breach_recorded",
        StepOutcome::TargetMissed => "escalation.target_missed",
        _ => "escalation.fired",
    };
    let facts = json!({
        "ladder": fired.ladder,
        "step": fired.step + 1,
        "action": fired.action,
        "outcome": fired.outcome,
        "late_ms": fired.late_ms,
        "coalesced": passed,
        "deliveries": deliveries,
        "task": done.task.as_ref().map(|task| &task.id),
    });
    let (id, processor, controller) = (&notice.notice, &notice.processor, &notice.agreement.controller);
    let sides = OfNotice { notice: id, processor, controller };
    sides.entry(kind, id.as_str(), facts, (Actor::service(processor.clone()), now))
}
