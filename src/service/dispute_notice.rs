//! The controller's own word that a notice is not meant for it, or is wrong. Stops no clock: what was told has been told.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::acknowledge::own_notice;
use super::escalation_actions::Reach;
use super::receipts::proof;
use super::{Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::event::EventType;
use crate::domain::id::NoticeId;
use crate::domain::ladder::End;
use crate::domain::ledger::NewEntry;
use crate::domain::receipt::{Dispute, DisputeReason, Means, Receipt, ReceiptLevel, Stage};
use crate::domain::task;
use crate::domain::terms::Ladder;
use crate::domain::vocabulary::Channel;
use crate::store::tasks::{self, NewTask};
use crate::store::{AnyConnection, escalations, ledger, mail_evidence, notices, outbox, watched};

/// Within which somebody should have talked with the controller.
const TO_CLARIFY: Duration = Duration::DAY;

impl Service {
    /// Records that the controller disputes a notice and answers the counter-signed receipt; a second time answers the same one.
    ///
    /// Whoever is not concerned is asked for nothing any more. Whoever says that the notice is wrong has still to get it, so the
    /// ladders go on. Either way the processor is told, and a person has to look at it.
    pub async fn dispute_notice(&self, actor: &Actor, id: NoticeId, dispute: Dispute) -> Result<Receipt, ServiceError> {
        let (service, actor, now) = (self.clone(), actor.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let fact = own_notice(connection, &actor, &id, "Only the controller who was told disputes a notice.")?;
            let statement = dispute.statement();
            let stage = Stage::new(ReceiptLevel::Disputed, now).by_means(Means::Token).by_person(dispute.by);
            let stage = stage.proved_by(Some(sha256_hex(statement.as_bytes())));
            let stage = Stage { evidence: Some(statement), ..stage };
            let (receipt, is_new) = service.issue_receipt(connection, &fact, stage)?;
            if is_new {
                notices::mark_disputed(connection, &id, dispute.reason, now)?;
                mail_evidence::close_taken(connection, &[id.as_str()])?;
                if dispute.reason == DisputeReason::NotOurs {
                    let both = [Ladder::Delivered, Ladder::Acknowledged];
                    escalations::end(connection, &id, &both, End::Disputed)?;
                    tasks::close(connection, &[id.as_str()], &both, now)?;
                }
                let task = service.have_clarified(connection, &id, now)?;
                ledger::append(connection, &[proof(&fact, &actor, &receipt, &[]), entry(&task, now)])?;
            }
            Ok::<_, ServiceError>((receipt, is_new))
        };
        let (receipt, is_new) = self.store.write(work).await?;
        if is_new {
            self.nudge.notify_waiters();
        }
        Ok(receipt)
    }

    /// Tells the processor's own endpoints of a dispute, and makes a task of it.
    fn have_clarified(
        &self,
        connection: &mut AnyConnection,
        id: &NoticeId,
        now: OffsetDateTime,
    ) -> Result<NewTask, ServiceError> {
        let notice = watched::of(connection, &[id.to_string()])?.pop().ok_or(ServiceError::NotFound)?;
        let reach = Reach::of(connection, &[&notice], &[Channel::Webhook])?;
        outbox::enqueue(connection, &self.to_house(&notice, EventType::NoticeDisputed, &reach, now), now)?;
        let (role, address) = reach.contact(&notice, task::Means::Clarify);
        let task = NewTask {
            id: self.id(now),
            notice: notice.notice,
            ladder: Ladder::Acknowledged,
            step: None,
            processor: notice.processor,
            controller: notice.agreement.controller,
            means: task::Means::Clarify,
            role,
            address,
            due_at: now + TO_CLARIFY,
        };
        tasks::insert(connection, std::slice::from_ref(&task), now)?;
        Ok(task)
    }
}

fn entry(task: &NewTask, now: OffsetDateTime) -> NewEntry {
    let deed = (Actor::service(task.processor.clone()), now);
    task.sides().entry("task.created", task.id.as_str(), json!({"means": task.means}), deed)
}
