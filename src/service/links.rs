//! Links in letters: whoever has one may see what waits behind it, read it, acknowledge it, or confirm the mailbox it was sent to.
//!
//! A link is the id of its delivery and a tag that only this service makes, so nothing is stored for it. Looking changes nothing.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::acknowledge::{Acknowledgement, Proof};
use super::claim_deliveries::own_clocks;
use super::letters::document_contact;
use super::record::Deed;
use super::{Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::content::ShareContent;
use crate::domain::event::EventType;
use crate::domain::id::{DeliveryId, NoticeId};
use crate::domain::incident::Notice;
use crate::domain::receipt::{Acknowledger, Means, ReceiptLevel};
use crate::report::{Acknowledged, Envelope, Mailbox, Matter};
use crate::store::mail_evidence::{self, Mailed};
use crate::store::{AnyConnection, deliveries, endpoints, ledger, letters, mailboxes, notices};

/// What a tag of a link is for.
const PURPOSE: &str = "link";
/// How long after its acknowledgement a notice can be read by a link.
const LASTS: Duration = Duration::days(30);

/// Who follows a link, as far as that can be told. Only a digest of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The addresses that the request came from.
    pub address: String,
    /// What it says that it is.
    pub user_agent: String,
}

/// What is behind a link.
#[derive(Debug, Clone)]
pub enum Linked {
    /// A notice, from outside.
    Notice(Box<Envelope>),
    /// A notice with what it says.
    Opened(Box<Opened>),
    /// A notice whose link has done its work: it was acknowledged long ago, or it was acknowledged and a newer one is there.
    Spent(Box<Envelope>),
    /// A mailbox that is to be confirmed.
    Mailbox(Mailbox),
}

/// The content of a notice behind a link.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The notice from outside.
    pub envelope: Envelope,
    /// What it says.
    pub content: ShareContent,
    /// The same, byte for byte.
    pub exact: String,
}

impl Service {
    /// The address of the page behind the link in the letter that is `delivery`.
    pub fn link(&self, delivery: &DeliveryId) -> String {
        let tag = self.master_key.tag(PURPOSE, delivery.as_str());
        format!("{}/l/{delivery}.{tag}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// What is behind a link. Changes nothing, however often and by whomever it is called.
    pub async fn show_link(&self, token: &str) -> Result<Linked, ServiceError> {
        let (service, delivery, now) = (self.clone(), self.linked(token)?, self.clock.now());
        self.store.read(move |connection| service.look_behind(connection, &delivery, now)).await
    }

    /// The content of the notice behind a link; the first time is recorded as receipt "accessed", and the notice has arrived by it.
    pub async fn read_by_link(&self, token: &str, visitor: Visitor) -> Result<Linked, ServiceError> {
        let (service, delivery, now) = (self.clone(), self.linked(token)?, self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let (mailed, id) = linked_notice(connection, &delivery)?;
            if let spent @ Linked::Spent(_) = service.look_behind(connection, &delivery, now)? {
                return Ok((spent, false));
            }
            let fact = notices::facts(connection, &[id.as_str()])?.pop().ok_or(ServiceError::NotFound)?;
            let seen = (Means::Link, Some(visitor.evidence(&delivery)));
            let told = service.note_access(connection, (&mailed.holder(), &fact), seen, now)?;
            let notice = notices::find(connection, &mailed.organisation, &id)?.ok_or(ServiceError::NotFound)?;
            let exact = notice.content.get().to_owned();
            let content = ShareContent::from_stored(&exact)
                .map_err(|_| ServiceError::Internal(format!("notice content of {id} cannot be read")))?;
            let envelope = service.envelope(connection, &notice)?;
            Ok::<_, ServiceError>((Linked::Opened(Box::new(Opened { envelope, content, exact })), told))
        };
        let (opened, told) = self.store.write(work).await?;
        if told {
            self.nudge.notify_waiters();
        }
        Ok(opened)
    }

    /// Acknowledges the notice behind a link; a second time changes nothing.
    pub async fn acknowledge_by_link(
        &self,
        token: &str,
        by: Acknowledger,
        visitor: Visitor,
    ) -> Result<Linked, ServiceError> {
        let (service, delivery, now) = (self.clone(), self.linked(token)?, self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let (mailed, id) = linked_notice(connection, &delivery)?;
            if let spent @ Linked::Spent(_) = service.look_behind(connection, &delivery, now)? {
                return Ok((spent, false));
            }
            let fact = notices::facts(connection, &[id.as_str()])?.pop().ok_or(ServiceError::NotFound)?;
            let acknowledgement = Acknowledgement { content_sha256: fact.content_sha256.clone(), by };
            let (visit, digest) = (visitor.visit(&delivery), visitor.evidence(&delivery));
            let proof = Proof { means: Means::Link, evidence_sha256: Some(digest), evidence: Some(visit) };
            let actor = mailed.holder();
            let (_, told) = service.acknowledge_in(connection, (&actor, &fact), acknowledgement, proof, now)?;
            let notice = notices::find(connection, &mailed.organisation, &id)?.ok_or(ServiceError::NotFound)?;
            // Whoever acknowledges gets the receipt, even of a notice that a newer one has superseded.
            Ok::<_, ServiceError>((Linked::Notice(Box::new(service.envelope(connection, &notice)?)), told))
        };
        let (linked, told) = self.store.write(work).await?;
        if told {
            self.nudge.notify_waiters();
        }
        Ok(linked)
    }

    /// Confirms the mailbox that a link was sent to; what is owed to it goes out at once. A second time changes nothing, unless it has
    /// failed since.
    pub async fn confirm_by_link(&self, token: &str, visitor: Visitor) -> Result<Mailbox, ServiceError> {
        let (delivery, now) = (self.linked(token)?, self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let mailed = mail_evidence::mailed(connection, &delivery)?.ok_or(ServiceError::NotFound)?;
            if mailed.event != EventType::EndpointVerify {
                return Err(ServiceError::NotFound);
            }
            let target = endpoints::targets(connection, &[mailed.endpoint.to_string()])?.pop();
            let address = target.ok_or(ServiceError::NotFound)?.address;
            let proven =
                endpoints::prove(connection, &mailed.endpoint, &address, now)?.ok_or(ServiceError::NotFound)?;
            if !proven.was_healthy {
                deliveries::hasten(connection, &[mailed.endpoint.to_string()], now)?;
                let actor = mailed.holder();
                let deed = Deed { actor: &actor, owner: &proven.organisation, at: now };
                let facts = json!({
                    "delivery": delivery, "means": Means::Link, "evidence_sha256": visitor.evidence(&delivery),
                });
                let id = mailed.endpoint.as_str();
                let entry = deed.entry("endpoint.verified", id, Some(&proven.created_by), facts);
                ledger::append(connection, &[entry])?;
            }
            mailbox(connection, &mailed)
        };
        let mailbox = self.store.write(work).await?;
        self.nudge.notify_waiters();
        Ok(mailbox)
    }

    /// The delivery that a token names, if it is one of ours.
    fn linked(&self, token: &str) -> Result<DeliveryId, ServiceError> {
        let (id, tag) = token.split_once('.').ok_or(ServiceError::NotFound)?;
        let delivery: DeliveryId = id.parse().map_err(|_| ServiceError::NotFound)?;
        let is_ours = self.master_key.is_tag(PURPOSE, delivery.as_str(), tag);
        if is_ours { Ok(delivery) } else { Err(ServiceError::NotFound) }
    }

    fn look_behind(
        &self,
        connection: &mut AnyConnection,
        delivery: &DeliveryId,
        now: OffsetDateTime,
    ) -> Result<Linked, ServiceError> {
        let mailed = mail_evidence::mailed(connection, delivery)?.ok_or(ServiceError::NotFound)?;
        if mailed.event == EventType::EndpointVerify {
            return Ok(Linked::Mailbox(mailbox(connection, &mailed)?));
        }
        let (mailed, id) = linked_notice(connection, delivery)?;
        let notice = notices::find(connection, &mailed.organisation, &id)?.ok_or(ServiceError::NotFound)?;
        let envelope = Box::new(self.envelope(connection, &notice)?);
        // A notice of a withdrawn incident is superseded by that of the withdrawal.
        let is_spent = envelope.acknowledged.as_ref().is_some_and(|by| envelope.superseded || by.at + LASTS <= now);
        Ok(if is_spent { Linked::Spent(envelope) } else { Linked::Notice(envelope) })
    }

    fn envelope(&self, connection: &mut AnyConnection, notice: &Notice) -> Result<Envelope, ServiceError> {
        let summary = &notice.summary;
        let id = summary.id.as_str();
        let told = letters::told(connection, &[id])?.remove(id).ok_or(ServiceError::NotFound)?;
        let clocks = own_clocks(connection, &[(&summary.incident, &summary.controller.id)])?;
        let clock = clocks.get(&(summary.incident.clone(), summary.controller.id.clone()));
        let sent_at = told.first_sent_at.unwrap_or(summary.created_at);
        let public_url = self.public_url.as_str().trim_end_matches('/');
        let acknowledged = notice.receipts.iter().find(|receipt| receipt.level == ReceiptLevel::Acknowledged);
        Ok(Envelope {
            language: told.terms.language.clone(),
            processor: summary.processor.name.clone(),
            contact: told.contact.as_ref().map(document_contact),
            controller: summary.controller.name.clone(),
            notice: id.to_owned(),
            incident: summary.incident.to_string(),
            sequence: summary.sequence,
            matter: Matter::of(&summary.kind, told.incident),
            kind: summary.kind.strip_prefix("notice.").unwrap_or(&summary.kind).to_owned(),
            content_sha256: summary.content_sha256.clone(),
            made_at: summary.created_at,
            limit: clock.and_then(|duty| self.own_limit(duty, summary.informed_by, sent_at)),
            superseded: told.superseded,
            acknowledged: acknowledged.and_then(|receipt| {
                let by = receipt.by.clone()?;
                let (at, receipt, jws) = (receipt.at, receipt.id.to_string(), receipt.jws.clone());
                Some(Acknowledged { at, name: by.name, role: by.role, receipt, jws })
            }),
            notice_url: format!("{public_url}/v1/notices/{id}"),
            keys_url: format!("{public_url}/.well-known/jwks.json"),
        })
    }
}

impl Visitor {
    /// What is known of a visit: through which letter, from which address, with which program.
    fn visit(&self, delivery: &DeliveryId) -> String {
        json!({"delivery": delivery, "address": self.address, "user_agent": self.user_agent}).to_string()
    }

    /// The digest that stands for a visit.
    fn evidence(&self, delivery: &DeliveryId) -> String {
        sha256_hex(self.visit(delivery).as_bytes())
    }
}

impl Mailed {
    /// Whoever reads the mailbox, as the ledger records it.
    fn holder(&self) -> Actor {
        let (organisation, subject) = (self.organisation.clone(), self.endpoint.to_string());
        Actor { organisation, subject, scopes: Vec::new() }
    }
}

/// The notice that a delivery tells to its controller, if that may see it by now.
fn linked_notice(connection: &mut AnyConnection, delivery: &DeliveryId) -> Result<(Mailed, NoticeId), ServiceError> {
    let mailed = mail_evidence::mailed(connection, delivery)?.ok_or(ServiceError::NotFound)?;
    let id = mailed.notice.clone().ok_or(ServiceError::NotFound)?;
    let seen = notices::find(connection, &mailed.organisation, &id)?;
    match seen {
        Some(notice) if notice.summary.controller.id == mailed.organisation => Ok((mailed, id)),
        _ => Err(ServiceError::NotFound),
    }
}

/// The mailbox that a letter was sent to, with the names of both sides.
fn mailbox(connection: &mut AnyConnection, mailed: &Mailed) -> Result<Mailbox, ServiceError> {
    let ids = [mailed.endpoint.to_string()];
    let target = endpoints::targets(connection, &ids)?.pop().ok_or(ServiceError::NotFound)?;
    let (processor, controller) = (target.created_by.as_str(), target.organisation_id.as_str());
    let parties = mailboxes::addressable(connection, &[processor, controller])?;
    let name = |id: &str| parties.iter().find(|party| party.id == id).map(|party| party.name.clone());
    let mut languages = letters::languages(connection, &[processor], &[controller])?;
    let language = languages.remove(&(processor.to_owned(), controller.to_owned()));
    Ok(Mailbox {
        language: language.unwrap_or_default(),
        processor: name(processor).unwrap_or_default(),
        controller: name(controller).unwrap_or_default(),
        address: target.address.clone(),
        is_confirmed: target.verified,
    })
}
