//! The controller's own word that it has a notice, by its token, through a link, or signed with its own key.

use std::collections::HashMap;

use serde_json::Value;
use time::OffsetDateTime;

use super::error::refused;
use super::informed::Arrival;
use super::receipts::proof;
use super::{Service, ServiceError, informed};
use crate::domain::actor::Actor;
use crate::domain::course::{Earlier, course};
use crate::domain::fault::Faults;
use crate::domain::id::NoticeId;
use crate::domain::ladder::End;
use crate::domain::parse::{Object, Place};
use crate::domain::receipt::{Acknowledger, Means, Receipt, ReceiptLevel, Stage};
use crate::domain::terms::Ladder;
use crate::store::notices::{self, NoticeFacts};
use crate::store::{AnyConnection, deliveries, duties, escalations, ledger, standing, tasks};

/// What a controller sends to acknowledge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// SHA-256 of the content that it has, hexadecimal.
    pub content_sha256: String,
    /// Who acknowledges.
    pub by: Acknowledger,
}

impl Acknowledgement {
    /// Reads the body of an acknowledgement; answers all faults at once.
    pub fn parse(body: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|mut object| {
            let read = Self::members(&mut object, &mut faults);
            object.close(&mut faults);
            read
        });
        faults.finish(read)
    }

    /// Reads the members of an acknowledgement, which may stand beside others.
    pub(super) fn members(object: &mut Object<'_>, faults: &mut Faults) -> Option<Self> {
        let hash = object.required("content_sha256", faults, |place, faults| {
            let text = place.text(64, faults)?;
            let whole = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if !whole {
                let detail = "Expected the 64 lower-case hexadecimal digits of a SHA-256.";
                faults.add(&place.pointer, "invalid", detail);
            }
            whole.then_some(text)
        });
        let by = object.required("by", faults, Acknowledger::parse);
        Some(Self { content_sha256: hash?, by: by? })
    }
}

/// By what an acknowledgement is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    /// The kind of proof.
    pub(super) means: Means,
    /// SHA-256 of the evidence, if there is any beside our own record.
    pub(super) evidence_sha256: Option<String>,
    /// The evidence, if it is kept.
    pub(super) evidence: Option<String>,
}

impl Proof {
    /// Our own record that it happened.
    pub(super) fn of(means: Means) -> Self {
        Self { means, evidence_sha256: None, evidence: None }
    }
}

impl Service {
    /// Records that the controller has the notice and answers the counter-signed receipt; a second time answers the same one.
    ///
    /// Refused with a conflict if the digest is not that of the notice. An acknowledgement also proves that the notice arrived.
    pub async fn acknowledge(
        &self,
        actor: &Actor,
        id: NoticeId,
        acknowledgement: Acknowledgement,
    ) -> Result<Receipt, ServiceError> {
        let (service, actor, now) = (self.clone(), actor.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let fact = own_notice(connection, &actor, &id, "Only the controller who was told acknowledges a notice.")?;
            service.acknowledge_in(connection, (&actor, &fact), acknowledgement, Proof::of(Means::Token), now)
        };
        let (receipt, told) = self.store.write(work).await?;
        if told {
            self.nudge.notify_waiters();
        }
        Ok(receipt)
    }

    /// The same inside the caller's transaction, by any means, for a notice that `actor`'s organisation was told by and that is
    /// locked. Answers the receipt, and whether anybody is told of it.
    pub(super) fn acknowledge_in(
        &self,
        connection: &mut AnyConnection,
        (actor, fact): (&Actor, &NoticeFacts),
        acknowledgement: Acknowledgement,
        proof_of: Proof,
        now: OffsetDateTime,
    ) -> Result<(Receipt, bool), ServiceError> {
        if fact.content_sha256 != acknowledgement.content_sha256 {
            let detail = format!("The notice has the digest {}.", fact.content_sha256);
            return Err(ServiceError::Conflict { code: "content-mismatch", detail });
        }
        let Proof { means, evidence_sha256, evidence } = proof_of;
        let stage = Stage::new(ReceiptLevel::Acknowledged, now).by_means(means).by_person(acknowledgement.by);
        let stage = Stage { evidence, ..stage.proved_by(evidence_sha256) };
        let (receipt, is_new) = self.issue_receipt(connection, fact, stage)?;
        if !is_new {
            return Ok((receipt, false));
        }
        notices::mark_acknowledged(connection, &fact.id, now)?;
        deliveries::close(connection, &fact.id)?;
        escalations::end(connection, &fact.id, &[Ladder::Delivered, Ladder::Acknowledged], End::Acknowledged)?;
        tasks::close(connection, &[fact.id.as_str()], &[Ladder::Delivered, Ladder::Acknowledged], now)?;
        let duties = duties::of_parts(connection, &[fact.part()])?;
        let changed = course(duties, informed::by_acknowledgement(fact, now), Earlier::default(), &self.law.calendar);
        ledger::append(connection, &[proof(fact, actor, &receipt, &changed)])?;
        let told = self.settle(connection, &changed, now)?;
        Ok((receipt, told))
    }

    /// Records that the controller has read the full notice, which is locked; only the first time counts. Answers whether others
    /// are told.
    ///
    /// Whoever reads it has it, so that a notice that had not arrived before arrives by this.
    pub(super) fn note_access(
        &self,
        connection: &mut AnyConnection,
        (actor, fact): (&Actor, &NoticeFacts),
        (means, evidence_sha256): (Means, Option<String>),
        now: OffsetDateTime,
    ) -> Result<bool, ServiceError> {
        let stage = Stage::new(ReceiptLevel::Accessed, now).by_means(means).proved_by(evidence_sha256.clone());
        let (mut entries, mut told) = (Vec::new(), false);
        if !fact.delivered {
            let arrival = Arrival { notice: fact.id.clone(), at: now, means, evidence_sha256 };
            let facts = HashMap::from([(fact.id.to_string(), fact.clone())]);
            told = self.arrive(connection, &[arrival], &facts, &mut entries)?;
        }
        let (receipt, is_new) = self.issue_receipt(connection, fact, stage)?;
        entries.extend(is_new.then(|| proof(fact, actor, &receipt, &[])));
        ledger::append(connection, &entries)?;
        Ok(told)
    }
}

/// The notice `id`, locked, if it is one that the caller's organisation was told by; `refusal` is for those who only see it.
pub(super) fn own_notice(
    connection: &mut AnyConnection,
    actor: &Actor,
    id: &NoticeId,
    refusal: &'static str,
) -> Result<NoticeFacts, ServiceError> {
    if !standing::sees_notice(connection, &actor.organisation, id)? {
        return Err(ServiceError::NotFound);
    }
    let fact = notices::facts(connection, &[id.as_str()])?.pop().ok_or(ServiceError::NotFound)?;
    if fact.controller == actor.organisation { Ok(fact) } else { Err(ServiceError::Forbidden(refusal)) }
}

/// A fault for a parameter of a report or list that names nobody.
pub(super) fn unknown_controller() -> ServiceError {
    refused("/controller", "unknown_controller", "This controller is not affected by the incident.")
}
