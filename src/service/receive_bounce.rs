//! What comes back to the return paths of our mails: reports on their delivery, and what is none. Trusted by the return path alone, which only this
//! service can have made; the message itself proves nothing of its sender.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::informed::Arrival;
use super::next_channel::channels_died;
use super::{Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::bounce::{BounceAction, BounceReport, NoReport};
use crate::domain::delivery::Next;
use crate::domain::delivery_outcome::{FailureKind, Outcome};
use crate::domain::event::EventType;
use crate::domain::id::{DeliveryId, MailReportId, NoticeId};
use crate::domain::ledger::{NewEntry, Stream};
use crate::domain::mail_delivery;
use crate::domain::receipt::Means;
use crate::domain::vocabulary::Channel;
use crate::store::mail_evidence::{self, Mailed, NewReport};
use crate::store::notices::{self, NoticeFacts};
use crate::store::{AnyConnection, deliveries, endpoints, ledger};

/// What was made of a message that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reported {
    /// What the report says became of our mail, or what the message is if it is no such report.
    pub action: &'static str,
    /// Whether it was kept; `false` for one that was kept before, and where enough are kept.
    pub kept: bool,
}

/// What came back of one of our mails.
struct Report<'a> {
    id: MailReportId,
    delivery: &'a DeliveryId,
    number: i32,
    says: Result<&'a BounceReport, NoReport>,
    raw: &'a str,
    raw_sha256: String,
    at: OffsetDateTime,
}

impl Service {
    /// Whether `recipient` is a return path that this service has made. Asks no database.
    pub fn is_return_path(&self, recipient: &str) -> bool {
        self.mail.as_deref().is_some_and(|policy| policy.return_paths.open(recipient).is_some())
    }

    /// Takes a message that came to `recipient`. Not found, and nothing kept, if that is no return path of a mail that we sent.
    pub async fn receive_bounce(&self, recipient: &str, message: Vec<u8>) -> Result<Reported, ServiceError> {
        let policy = self.mail.as_deref().ok_or(ServiceError::NotFound)?;
        let (delivery, number) = policy.return_paths.open(recipient).ok_or(ServiceError::NotFound)?;
        let number = i32::try_from(number).map_err(|_| ServiceError::NotFound)?;
        let says = BounceReport::parse(&message);
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            // PostgreSQL keeps no NUL in a text.
            let raw = String::from_utf8_lossy(&message).replace('\0', "\u{fffd}");
            let raw_sha256 = sha256_hex(&message);
            let (id, delivery, says, raw) =
                (service.id(now), &delivery, says.as_ref().map_err(|reason| *reason), raw.as_str());
            let report = Report { id, delivery, number, says, raw, raw_sha256, at: now };
            let (kept, told) = service.take_report(connection, &report)?;
            Ok::<_, ServiceError>((Reported { action: report.action(), kept }, told))
        };
        let (reported, told) = self.store.write(work).await?;
        if told {
            self.nudge.notify_waiters();
        }
        Ok(reported)
    }

    /// Answers whether the report is new, and whether others are told.
    fn take_report(&self, connection: &mut AnyConnection, report: &Report<'_>) -> Result<(bool, bool), ServiceError> {
        let mailed = mail_evidence::mailed(connection, report.delivery)?.ok_or(ServiceError::NotFound)?;
        if !mail_evidence::was_attempted(connection, report.delivery, report.number)? {
            return Err(ServiceError::NotFound);
        }
        // The notice is locked before its deliveries, in the order in which an acknowledgement does it.
        let ids: Vec<&str> = mailed.notice.iter().map(NoticeId::as_str).collect();
        let facts = notices::facts(connection, &ids)?;
        if !mail_evidence::keep_report(connection, &report.row())? {
            return Ok((false, false));
        }
        let facts: HashMap<String, NoticeFacts> = facts.into_iter().map(|fact| (fact.id.to_string(), fact)).collect();
        let fact = mailed.notice.as_ref().and_then(|id| facts.get(id.as_str()));
        let mut entries = vec![report.entry(&mailed, fact)];
        let told = match report.says.map(|says| says.action) {
            Ok(BounceAction::Delivered) => self.came_through(connection, report, &mailed, &facts, &mut entries)?,
            Ok(BounceAction::Failed) => self.came_back(connection, report, &mailed, fact)?,
            Err(reason) if reason.may_be_a_failure() => in_doubt(connection, &mailed, report.at)?,
            Ok(BounceAction::Delayed | BounceAction::Relayed | BounceAction::Expanded) | Err(_) => false,
        };
        ledger::append(connection, &entries)?;
        Ok((true, told))
    }

    /// The mail lies in the mailbox: its notice has arrived.
    fn came_through(
        &self,
        connection: &mut AnyConnection,
        report: &Report<'_>,
        mailed: &Mailed,
        facts: &HashMap<String, NoticeFacts>,
        entries: &mut Vec<NewEntry>,
    ) -> Result<bool, ServiceError> {
        let recovered =
            endpoints::note_outcomes(connection, &[(mailed.endpoint.clone(), Outcome::Delivered)], report.at)?;
        mail_evidence::settle(connection, report.delivery, "delivered", report.at)?;
        deliveries::hasten(connection, &recovered, report.at)?;
        let arrivals: Vec<Arrival> = facts
            .values()
            .filter(|fact| !fact.delivered && mailed.organisation == fact.controller)
            .map(|fact| Arrival {
                notice: fact.id.clone(),
                at: report.at,
                means: Means::Mail,
                evidence_sha256: Some(report.raw_sha256.clone()),
            })
            .collect();
        if arrivals.is_empty() {
            return Ok(false);
        }
        self.arrive(connection, &arrivals, facts, entries)
    }

    /// The mail came back: its mailbox is out of order, and another way has to be taken.
    fn came_back(
        &self,
        connection: &mut AnyConnection,
        report: &Report<'_>,
        mailed: &Mailed,
        fact: Option<&NoticeFacts>,
    ) -> Result<bool, ServiceError> {
        // 5.1.x: there is no such mailbox, or no such domain.
        let is_gone = report.says.is_ok_and(|says| says.status.starts_with("5.1."));
        let outcome = if is_gone { Outcome::Gone } else { Outcome::Configuration(FailureKind::MailBounced) };
        endpoints::note_outcomes(connection, &[(mailed.endpoint.clone(), outcome)], report.at)?;
        let Some(fact) = fact.filter(|_| EventType::NOTICES.contains(&mailed.event)) else {
            mail_evidence::settle(connection, report.delivery, "closed", report.at)?;
            return Ok(false);
        };
        let window = (fact.created_at, fact.deadline_at);
        let chance = self.entropy.unit();
        let (state, next_at) = match mail_delivery::next(outcome, mailed.attempts, window, report.at, chance) {
            Next::Again(at) => ("open", at),
            Next::Gone | Next::Done | Next::Closed => ("gone", report.at),
        };
        mail_evidence::settle(connection, report.delivery, state, next_at)?;
        channels_died(connection, &[(fact.id.as_str(), Channel::Email)], report.at)?;
        Ok(true)
    }
}

/// Nobody can say what became of the mail, so another way is taken beside it.
fn in_doubt(connection: &mut AnyConnection, mailed: &Mailed, now: OffsetDateTime) -> Result<bool, ServiceError> {
    let Some(notice) = mailed.notice.as_ref().filter(|_| EventType::NOTICES.contains(&mailed.event)) else {
        return Ok(false);
    };
    channels_died(connection, &[(notice.as_str(), Channel::Email)], now)?;
    Ok(true)
}

impl Report<'_> {
    fn action(&self) -> &'static str {
        self.says.map_or_else(NoReport::as_str, |says| says.action.as_str())
    }

    fn status(&self) -> Option<&str> {
        self.says.ok().map(|says| says.status.as_str())
    }

    fn row(&self) -> NewReport<'_> {
        NewReport {
            id: &self.id,
            delivery: self.delivery,
            number: self.number,
            received_at: self.at,
            action: self.action(),
            status: self.status(),
            diagnostic: self.says.ok().and_then(|says| says.diagnostic.as_deref()),
            raw: self.raw,
            raw_sha256: &self.raw_sha256,
        }
    }

    /// In the stream of the notice, or of the organisation whose mailbox it is about.
    fn entry(&self, mailed: &Mailed, fact: Option<&NoticeFacts>) -> NewEntry {
        let organisation = &mailed.organisation;
        NewEntry {
            stream: fact.map_or(Stream::Organisation(organisation.clone()), |fact| Stream::Notice(fact.id.clone())),
            tenant: fact.map_or(organisation, |fact| &fact.processor).clone(),
            counterpart: fact.map(|fact| fact.controller.clone()),
            kind: "mail.reported",
            object: self.delivery.to_string(),
            facts: json!({
                "report": self.id,
                "number": self.number,
                "action": self.action(),
                "status": self.status(),
                "raw_sha256": self.raw_sha256,
            }),
            actor: Actor::service(fact.map_or(organisation, |fact| &fact.processor).clone()),
            at: self.at,
        }
    }
}
