//! Claimed deliveries to mailboxes as letters: that something waits and where, never what it is. Sends nothing.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::claim_deliveries::{Facts, Rendered};
use super::dispatch::Dispatch;
use super::mail_policy::{MailDraft, MailPolicy};
use super::{Service, ServiceError};
use crate::domain::course::region;
use crate::domain::delivery_outcome::FailureKind;
use crate::domain::duty::DutyState;
use crate::domain::duty_record::Duty;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::id::{DeliveryId, MailboxId};
use crate::domain::organisation::Contact;
use crate::domain::vocabulary::InformedBy;
use crate::report::{self, Correspondence, Language, LetterText, Matter, NoticeLetter, Occasion, OwnLimit};
use crate::store::deliveries::Claimed;
use crate::store::endpoints::Target;
use crate::store::letters::{self, Told};
use crate::store::mailboxes::{self, Addressable};
use crate::store::notices::NoticeFacts;
use crate::store::{AnyConnection, StoreError};

/// What letters need beside what webhooks need.
#[derive(Default)]
pub(super) struct LetterFacts {
    told: HashMap<String, Told>,
    parties: HashMap<String, Addressable>,
    languages: HashMap<(String, String), String>,
}

/// The letter and what stands about it on the envelope.
struct Written {
    message_id: String,
    references: Vec<String>,
    language: Language,
    text: LetterText,
}

impl LetterFacts {
    /// Read with one statement each, and only if there is any letter.
    pub(super) fn read(
        connection: &mut AnyConnection,
        targets: &HashMap<String, Target>,
        notices: &[NoticeFacts],
    ) -> Result<Self, ServiceError> {
        let mailboxes: Vec<&Target> =
            targets.values().filter(|target| matches!(target.id, EndpointId::Mailbox(_))).collect();
        if mailboxes.is_empty() {
            return Ok(Self::default());
        }
        let ids: Vec<&str> = notices.iter().map(|notice| notice.id.as_str()).collect();
        let owners: Vec<&str> = mailboxes.iter().map(|target| target.organisation_id.as_str()).collect();
        let mut writers: Vec<&str> = mailboxes.iter().map(|target| target.created_by.as_str()).collect();
        writers.extend(notices.iter().map(|notice| notice.processor.as_str()));
        writers.sort_unstable();
        writers.dedup();
        let parties = mailboxes::addressable(connection, &[writers.as_slice(), owners.as_slice()].concat())?;
        Ok(Self {
            told: letters::told(connection, &ids)?,
            parties: parties.into_iter().map(|party| (party.id.clone(), party)).collect(),
            languages: letters::languages(connection, &writers, &owners)?,
        })
    }

    fn party(&self, id: &str) -> Result<&Addressable, ServiceError> {
        self.parties.get(id).ok_or_else(|| ServiceError::Internal(format!("{id} is missing")))
    }
}

impl Service {
    /// A claimed delivery to the mailbox `id` as a letter; withheld where the agreement does not allow the place of the relay.
    pub(super) fn letter(
        &self,
        claimed: Claimed,
        (target, id): (Target, &MailboxId),
        event: EventType,
        facts: &Facts,
        now: OffsetDateTime,
    ) -> Result<Rendered, ServiceError> {
        let policy = self.mail.as_deref().ok_or_else(|| ServiceError::Internal("no mail relay is set".to_owned()))?;
        let corrupt = |column| StoreError::Corrupt { table: "delivery", column, id: claimed.id.clone() };
        let delivery: DeliveryId = claimed.id.parse().map_err(|_| corrupt("id"))?;
        let written = match claimed.notice_id.as_deref() {
            Some(notice) => {
                let told = facts.letters.told.get(notice).ok_or_else(|| corrupt("notice_id"))?;
                let notice = facts.notices.get(notice).ok_or_else(|| corrupt("notice_id"))?;
                let written = self.telling(policy, (notice, told), (&target, id), (event, &delivery), facts, now)?;
                if let Some(place) = policy.forbidden_place(&told.terms) {
                    let reason = format!("not sent: the relay stands in {place}, which the agreement does not allow");
                    let (recipient, message_id) = (target.address.clone(), written.message_id);
                    let dispatch = Dispatch::Unsent { recipient, message_id, kind: FailureKind::Withheld, reason };
                    return Ok(Rendered::new(claimed, target, event, (dispatch, Vec::new())));
                }
                written
            }
            None if event == EventType::EndpointVerify => self.confirmation(policy, &target, &delivery, facts)?,
            None => return Err(corrupt("type").into()),
        };
        let number = u32::try_from(claimed.attempts).map_err(|_| corrupt("attempts"))?;
        let message = posted(policy, written, &target.address, (&delivery, number), now);
        Ok(Rendered::new(claimed, target, event, message))
    }

    fn telling(
        &self,
        policy: &MailPolicy,
        (notice, told): (&NoticeFacts, &Told),
        (target, mailbox): (&Target, &MailboxId),
        (event, delivery): (EventType, &DeliveryId),
        facts: &Facts,
        now: OffsetDateTime,
    ) -> Result<Written, ServiceError> {
        let language = Language::from_tag(&told.terms.language).unwrap_or(Language::English);
        let is_telling = EventType::NOTICES.contains(&event);
        let (processor, controller) = (notice.processor.as_str(), target.organisation_id.as_str());
        let clock = facts.authority.get(&(notice.incident.clone(), notice.controller.clone()));
        let sent_at = told.first_sent_at.unwrap_or(now);
        let contact = told.contact.as_ref().map(document_contact);
        let letter = NoticeLetter {
            occasion: if is_telling { Occasion::Telling } else { occasion(told, mailbox, delivery) },
            matter: Matter::of(&told.kind, told.incident),
            kind: told.kind.strip_prefix("notice.").unwrap_or(&told.kind),
            notice: notice.id.as_str(),
            incident: notice.incident.as_str(),
            sequence: notice.sequence,
            content_sha256: &notice.content_sha256,
            made_at: notice.created_at,
            limit: clock.and_then(|duty| self.own_limit(duty, notice.informed_by, sent_at)),
            contact: contact.as_ref(),
        };
        let link = self.link(delivery);
        let (from, to) = (facts.letters.party(processor)?, facts.letters.party(controller)?);
        let text = self.correspondence(language, (from, to), &link).of_notice(&letter).map_err(unwritten)?;
        let own = policy.notice_message((&notice.id, notice.sequence), mailbox);
        let first = policy.notice_message((&told.first.0, told.first.1), mailbox);
        let mut references = vec![first];
        references.extend((!is_telling && references[0] != own).then(|| own.clone()));
        references.retain(|id| !is_telling || *id != own);
        let message_id = if is_telling { own } else { policy.other_message('r', delivery) };
        Ok(Written { message_id, references, language, text })
    }

    fn confirmation(
        &self,
        policy: &MailPolicy,
        target: &Target,
        delivery: &DeliveryId,
        facts: &Facts,
    ) -> Result<Written, ServiceError> {
        let facts = &facts.letters;
        let (processor, controller) = (target.created_by.to_string(), target.organisation_id.to_string());
        let (from, to) = (facts.party(&processor)?, facts.party(&controller)?);
        let tag = facts.languages.get(&(processor, controller)).map(String::as_str);
        let language = tag.and_then(Language::from_tag).unwrap_or(Language::English);
        let text = self.correspondence(language, (from, to), &self.link(delivery)).of_confirmation();
        Ok(Written { message_id: policy.other_message('v', delivery), references: Vec::new(), language, text })
    }

    fn correspondence<'a>(
        &'a self,
        language: Language,
        (processor, controller): (&'a Addressable, &'a Addressable),
        link: &'a str,
    ) -> Correspondence<'a> {
        let (processor, controller) = (&processor.name, &controller.name);
        Correspondence { language, zone: &self.zone, processor, controller, link }
    }

    /// Where the controller's own limit stands whose clock is `duty`; none once it is met or closed, or where there are no hours.
    ///
    /// Unless that is left to the acknowledgement it never ends later than counted from `sent_at`: the notice may have arrived then.
    pub(super) fn own_limit(&self, duty: &Duty, informed_by: InformedBy, sent_at: OffsetDateTime) -> Option<OwnLimit> {
        let counted = duty.terms.due(sent_at, region(&self.law.calendar, &duty.terms.region)?, None);
        counted.legal_due_at?;
        let hours = (counted.alarm_at - sent_at).whole_hours();
        match (&duty.state, informed_by) {
            (DutyState::NotStarted, InformedBy::Earlier) => {
                Some(OwnLimit::FromSending { due: counted.alarm_at, hours })
            }
            (DutyState::NotStarted, InformedBy::Acknowledgement) => Some(OwnLimit::FromAcknowledgement { hours }),
            (DutyState::Running(due) | DutyState::Breached(due), InformedBy::Earlier) => {
                Some(OwnLimit::Running(due.alarm_at.min(counted.alarm_at)))
            }
            (DutyState::Running(due) | DutyState::Breached(due), InformedBy::Acknowledgement) => {
                Some(OwnLimit::Running(due.alarm_at))
            }
            _ => None,
        }
    }
}

/// Why `mailbox` is written to once more about a notice, or for the first time where others were told before.
fn occasion<'a>(told: &'a Told, mailbox: &MailboxId, own: &DeliveryId) -> Occasion<'a> {
    let mut before = told.sent.iter().filter(|sent| sent.delivery != own.as_str());
    match before.clone().next() {
        None => Occasion::Telling,
        Some(_) if before.any(|sent| sent.endpoint == mailbox.as_str()) => Occasion::Reminder,
        Some(first) => Occasion::Colleagues { sent_to: place_of(&first.address), sent_at: first.at },
    }
}

/// What people know of an endpoint: the mailbox, or the host of a webhook, whose whole address may hold a secret.
fn place_of(address: &str) -> &str {
    let after = address.split_once("://").map_or(address, |(_, after)| after);
    after.split(['/', '?', '#']).next().unwrap_or(after)
}

/// The message and its envelope; a letter that cannot be written down is an attempt that failed.
fn posted(
    policy: &MailPolicy,
    written: Written,
    recipient: &str,
    (delivery, number): (&DeliveryId, u32),
    now: OffsetDateTime,
) -> (Dispatch, Vec<u8>) {
    let Written { message_id, references, language, text } = written;
    let recipient = recipient.to_owned();
    let draft = MailDraft {
        to: recipient.clone(),
        subject: text.subject,
        text: text.text,
        language: language.tag(),
        message_id: message_id.clone(),
        references,
        date: now,
    };
    match (policy.compose)(&draft) {
        Ok(message) => {
            let return_path = policy.return_paths.address(delivery, number);
            let envelope_id = format!("{delivery}.{number}");
            (Dispatch::Mail { return_path, recipient, envelope_id, message_id }, message)
        }
        Err(reason) => {
            (Dispatch::Unsent { recipient, message_id, kind: FailureKind::InvalidRequest, reason }, Vec::new())
        }
    }
}

/// A contact as documents show it.
pub(super) fn document_contact(contact: &Contact) -> report::Contact {
    report::Contact {
        role: contact.role.clone(),
        name: contact.name.clone(),
        email: contact.email.clone(),
        phone: contact.phone.clone(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn unwritten(error: report::ReportError) -> ServiceError {
    ServiceError::Internal(error.to_string())
}
