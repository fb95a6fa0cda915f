//! What came of a task: somebody was informed, was not reached, or was the wrong one. Every result is kept.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::duty_facts::all_duty_facts;
use super::receipts::proof;
use super::record::digest;
use super::{Answer, Idempotency, Service, ServiceError, informed};
use crate::domain::actor::Actor;
use crate::domain::course::{Earlier, cap, course, region};
use crate::domain::duty::Closing;
use crate::domain::id::TaskId;
use crate::domain::ladder::End;
use crate::domain::ledger::NewEntry;
use crate::domain::milestone::Milestone;
use crate::domain::receipt::{Acknowledger, Means, ReceiptLevel, Stage};
use crate::domain::task::{Task, TaskOutcome, TaskResult, TaskState};
use crate::domain::terms::Ladder;
use crate::domain::vocabulary::InformedBy;
use crate::store::notices::{self, NoticeFacts};
use crate::store::{AnyConnection, duties, escalations, ledger, mail_evidence, micros, origins, tasks};

impl Service {
    /// Records what came of a task, as `body` says; answers the task as it stands now. For its processor.
    ///
    /// Whoever was informed has the notice: that counts as its delivery, at the time that the result names. The wrong contact makes
    /// the next step of the ladder due at once.
    pub async fn record_task_result(
        &self,
        actor: Actor,
        id: TaskId,
        body: Value,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                service.answer_task(connection, &actor, &id, &body, now)
            })
        };
        let answer = self.store.write(work).await?;
        self.nudge.notify_waiters();
        Ok(answer)
    }

    fn answer_task(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        id: &TaskId,
        body: &Value,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        let find = |connection: &mut AnyConnection| {
            tasks::find(connection, &actor.organisation, id)?.ok_or(ServiceError::NotFound)
        };
        let notice = find(connection)?.notice;
        let fact = notices::facts(connection, &[notice.as_str()])?.pop().ok_or(ServiceError::NotFound)?;
        // Read again now that the notice is held: an acknowledgement may have closed it.
        let task = find(connection)?;
        let result = TaskResult::parse(body, fact.created_at, now)?;
        // Who was told before nobody had to be told any more may be put down afterwards.
        let was_told = task.closed_at.is_some_and(|closed| task.state == TaskState::Closed && result.at <= closed);
        if task.state != TaskState::Open && !(was_told && result.outcome == TaskOutcome::Informed) {
            let detail = format!("The task is `{}`; only an open one takes results.", task.state);
            return Err(ServiceError::Conflict { code: "task-closed", detail });
        }
        let number = tasks::add_result(connection, id, &result, actor, now)?;
        let evidence = digest(&result)?;
        ledger::append(connection, &[entry(&fact, actor, &task, (number, &result, &evidence), now)])?;
        let state = result.leads_to();
        if state != TaskState::Open {
            tasks::finish(connection, id, state, now)?;
        }
        match result.outcome {
            TaskOutcome::Informed if !fact.delivered => {
                self.told_by_person(connection, actor, &fact, (&task, &result, &evidence), now)?;
            }
            TaskOutcome::Informed => self.told_earlier(connection, actor, &fact, (&result, &evidence), now)?,
            TaskOutcome::WrongContact if task.step.is_some() => {
                escalations::hasten_ladder(connection, &task.notice, task.ladder, now)?;
            }
            TaskOutcome::NotReached | TaskOutcome::WrongContact => {}
        }
        let task = find(connection)?;
        Answer::of(&self.task_view(connection, task)?)
    }

    /// The notice is delivered by what a person said, with all that follows from a delivery.
    fn told_by_person(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        fact: &NoticeFacts,
        (task, result, evidence): (&Task, &TaskResult, &str),
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let id = fact.id.as_str();
        notices::mark_delivered(connection, &[(id, result.at)])?;
        mail_evidence::close_taken(connection, &[id])?;
        escalations::end(connection, &fact.id, &[Ladder::Delivered], End::Delivered)?;
        tasks::close(connection, &[id], &[Ladder::Delivered], now)?;
        let by = Acknowledger { name: result.by.clone(), role: task.means.to_string() };
        let stage = Stage::new(ReceiptLevel::Delivered, result.at).by_means(Means::Manual).by_person(by);
        let (receipt, _) = self.issue_receipt(connection, fact, stage.proved_by(Some(evidence.to_owned())))?;
        let duties = duties::of_parts(connection, &[fact.part()])?;
        let changed = course(duties, informed::by_delivery(fact, result.at), Earlier::default(), &self.law.calendar);
        // Written when it was recorded; when it happened stands in the result and in the receipt.
        ledger::append(connection, &[NewEntry { at: now, ..proof(fact, actor, &receipt, &changed) }])?;
        self.settle(connection, &changed, now)?;
        Ok(())
    }

    /// Moves the time at which the controller was informed, and the clocks that began with it, if a person told it before anything
    /// else that is on record. What was met by then stays as it is, and so do receipts.
    fn told_earlier(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        fact: &NoticeFacts,
        (result, evidence): (&TaskResult, &str),
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let Some(before) = fact.informed_at.filter(|before| result.at < *before) else { return Ok(()) };
        if fact.informed_by != InformedBy::Earlier {
            return Ok(());
        }
        notices::mark_delivered(connection, &[(fact.id.as_str(), result.at)])?;
        let known = origins::known_since(connection, &fact.incident, &fact.controller)?;
        let earlier = Earlier { controller_informed: Some(result.at), ..known };
        let closing = Closing { at: now, by: actor.subject.clone(), reason: TOLD_EARLIER.to_owned() };
        let (mut changed, mut clocks) = (Vec::new(), Vec::new());
        for duty in duties::of_parts(connection, &[fact.part()])? {
            let began = duty.starts_with(&Milestone::ControllerInformed)
                && duty.state.due().is_some_and(|due| due.start_at == before);
            let Some(region) = region(&self.law.calendar, &duty.terms.region).filter(|_| began) else { continue };
            let limit = cap(&duty, earlier, region);
            if let Ok((duty, clock)) = duty.reclock(result.at, region, limit, &closing) {
                clocks.push((duty.id.clone(), clock));
                changed.push(duty);
            }
        }
        duties::keep_clocks(connection, &clocks)?;
        let facts = json!({
            "at_us": micros(result.at),
            "before_us": micros(before),
            "result_sha256": evidence,
            "duties": all_duty_facts(&changed),
        });
        let deed = (actor.clone(), now);
        let moved = fact.sides().entry("notice.informed_earlier", fact.id.as_str(), facts, deed);
        ledger::append(connection, &[moved])?;
        self.settle(connection, &changed, now)?;
        Ok(())
    }
}

/// Why such a clock is another one now.
const TOLD_EARLIER: &str = "A person had told the controller before.";

fn entry(
    fact: &NoticeFacts,
    actor: &Actor,
    task: &Task,
    (number, result, evidence): (i32, &TaskResult, &str),
    now: OffsetDateTime,
) -> NewEntry {
    let facts = json!({
        "number": number,
        "means": task.means,
        "outcome": result.outcome,
        "at_us": micros(result.at),
        "state": result.leads_to(),
        "result_sha256": evidence,
    });
    fact.sides().entry("task.result_recorded", task.id.as_str(), facts, (actor.clone(), now))
}
