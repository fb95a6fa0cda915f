//! The controller's own word that it has a notice, and the signed receipts for every stage of a notice's way.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::duty_facts::all_duty_facts;
use super::error::refused;
use super::record_attempts::informed_by;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::course::{Earlier, course};
use crate::domain::duty_record::Duty;
use crate::domain::fault::Faults;
use crate::domain::id::{NoticeId, ReceiptId};
use crate::domain::incident::{Acknowledger, Receipt, ReceiptLevel};
use crate::domain::ladder::End;
use crate::domain::ledger::{NewEntry, Stream};
use crate::domain::parse::Place;
use crate::domain::terms::Ladder;
use crate::store::notices::{self, NoticeFacts};
use crate::store::{AnyConnection, deliveries, duties, escalations, ledger, standing, tasks};

/// What a controller sends to acknowledge.
#[derive(Debug, Clone)]
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
            let hash = object.required("content_sha256", &mut faults, |place, faults| {
                let text = place.text(64, faults)?;
                let whole = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                if !whole {
                    faults.add(
                        &place.pointer,
                        "invalid",
                        "Expected the 64 lower-case hexadecimal digits of a SHA-256.",
                    );
                }
                whole.then_some(text)
            });
            let by = object.required("by", &mut faults, |place, faults| {
                let mut object = place.object(faults)?;
                let name = object.required("name", faults, |place, faults| place.text(200, faults));
                let role = object.required("role", faults, |place, faults| place.text(100, faults));
                object.close(faults);
                Some(Acknowledger { name: name?, role: role? })
            });
            object.close(&mut faults);
            Some(Self { content_sha256: hash?, by: by? })
        });
        faults.finish(read)
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
        let (receipt, told) = self
            .store
            .write(move |connection| service.acknowledge_in(connection, &actor, &id, acknowledgement, now))
            .await?;
        if told {
            self.nudge.notify_waiters();
        }
        Ok(receipt)
    }

    fn acknowledge_in(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        id: &NoticeId,
        acknowledgement: Acknowledgement,
        now: OffsetDateTime,
    ) -> Result<(Receipt, bool), ServiceError> {
        if !standing::sees_notice(connection, &actor.organisation, id)? {
            return Err(ServiceError::NotFound);
        }
        let fact = notices::facts(connection, &[id.as_str()])?.pop().ok_or(ServiceError::NotFound)?;
        if fact.controller != actor.organisation {
            return Err(ServiceError::Forbidden("Only the controller who was told acknowledges a notice."));
        }
        if fact.content_sha256 != acknowledgement.content_sha256 {
            let detail = format!("The notice has the digest {}.", fact.content_sha256);
            return Err(ServiceError::Conflict { code: "content-mismatch", detail });
        }
        let receipt = self.receipt(&fact, ReceiptLevel::Acknowledged, Some(acknowledgement.by), now);
        if !notices::insert_receipt(connection, &receipt)? {
            let known = notices::receipts(connection, &[id.as_str()])?;
            let known = known.into_iter().find(|known| known.level == ReceiptLevel::Acknowledged);
            return known.map(|known| (known, false)).ok_or(ServiceError::NotFound);
        }
        notices::mark_acknowledged(connection, id, now)?;
        deliveries::close(connection, id)?;
        escalations::end(connection, id, &[Ladder::Delivered, Ladder::Acknowledged], End::Acknowledged)?;
        tasks::close(connection, id, now)?;
        let duties = duties::of_notices(connection, &[id.as_str()])?;
        let changed = course(duties, informed_by(&fact, now), Earlier::default(), &self.law.calendar);
        ledger::append(connection, &[proof(&fact, actor, &receipt, &changed)])?;
        let told = self.settle(connection, &changed, now)?;
        Ok((receipt, told))
    }

    /// Records that the controller fetched the full notice; only the first time counts.
    pub(super) fn note_access(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        id: &NoticeId,
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let Some(fact) = notices::facts(connection, &[id.as_str()])?.pop() else { return Ok(()) };
        let receipt = self.receipt(&fact, ReceiptLevel::Accessed, None, now);
        if notices::insert_receipt(connection, &receipt)? {
            ledger::append(connection, &[proof(&fact, actor, &receipt, &[])])?;
        }
        Ok(())
    }

    /// A signed statement that `notice` got as far as `level` at `at`.
    pub(super) fn receipt(
        &self,
        notice: &NoticeFacts,
        level: ReceiptLevel,
        by: Option<Acknowledger>,
        at: OffsetDateTime,
    ) -> Receipt {
        let id: ReceiptId = self.id(at);
        let statement = json!({
            "iss": self.public_url.as_str(),
            "jti": id,
            "iat": at.unix_timestamp(),
            "level": level,
            "notice": notice.id,
            "incident": notice.incident,
            "processor": notice.processor,
            "controller": notice.controller,
            "content_sha256": notice.content_sha256,
            "by": by,
        });
        let jws = self.signing_key.sign_jws("receipt+jws", &statement);
        let content_sha256 = notice.content_sha256.clone();
        Receipt { id, notice: notice.id.clone(), level, at, by, content_sha256, jws }
    }
}

/// The entry that binds a receipt into the ledger.
pub(super) fn proof(fact: &NoticeFacts, actor: &Actor, receipt: &Receipt, duties: &[Duty]) -> NewEntry {
    NewEntry {
        stream: Stream::Notice(fact.id.clone()),
        tenant: fact.processor.clone(),
        counterpart: Some(fact.controller.clone()),
        kind: match receipt.level {
            ReceiptLevel::Delivered => "notice.delivered",
            ReceiptLevel::Accessed => "notice.accessed",
            ReceiptLevel::Acknowledged => "notice.acknowledged",
        },
        object: fact.id.to_string(),
        facts: json!({
            "content_sha256": fact.content_sha256,
            "receipt": receipt.id,
            "receipt_sha256": crate::crypto::sha256_hex(receipt.jws.as_bytes()),
            "duties": all_duty_facts(duties),
        }),
        actor: actor.clone(),
        at: receipt.at,
    }
}

/// A fault for a parameter of a report or list that names nobody.
pub(super) fn unknown_controller() -> ServiceError {
    refused("/controller", "unknown_controller", "This controller is not affected by the incident.")
}
