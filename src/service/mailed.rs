//! What came of handing a mail to the relay, as it is recorded beside what webhooks have.

use std::time::Duration;

use time::OffsetDateTime;

use super::dispatch::{Dispatch, Outgoing};
use super::record_attempts::Attempted;
use crate::crypto::sha256_hex;
use crate::domain::delivery::Next;
use crate::domain::delivery_outcome::{FailureKind, Outcome};
use crate::domain::mail_delivery;
use crate::domain::vocabulary::Channel;
use crate::store::mail_evidence::DialogueRow;

/// What the relay said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailEvidence {
    /// The whole dialogue, without secrets and without the message.
    pub dialogue: String,
    /// The code of the reply that decided it.
    pub reply_code: Option<u16>,
    /// The enhanced status code of that reply.
    pub enhanced_code: Option<String>,
    /// With which words the relay took the message.
    pub queue_reply: Option<String>,
    /// How the connection was encrypted.
    pub tls: Option<String>,
    /// Whether the relay was asked for reports.
    pub dsn_requested: bool,
    /// Whether the message went out in full, but no reply came: the relay may have taken it.
    pub may_have_been_sent: bool,
}

impl Attempted {
    /// A mail that was handed over, or not; the dialogue is what proves it.
    pub fn mailed(
        sent: Outgoing,
        outcome: Outcome,
        mail: MailEvidence,
        peer: Option<String>,
        (duration, ended_at): (Duration, OffsetDateTime),
    ) -> Self {
        Self {
            sent,
            outcome,
            status: None,
            peer,
            retry_after: None,
            answer: Vec::new(),
            response_sha256: Some(sha256_hex(mail.dialogue.as_bytes())),
            duration,
            ended_at,
            mail: Some(mail),
        }
    }

    /// A mail that was never to leave.
    pub fn unsent(sent: Outgoing, kind: FailureKind, reason: String, now: OffsetDateTime) -> Self {
        let mail = MailEvidence { dialogue: reason, ..MailEvidence::default() };
        Self::mailed(sent, Outcome::Configuration(kind), mail, None, (Duration::ZERO, now))
    }

    /// Whether its outcome says anything about the endpoint itself.
    pub(super) fn speaks_of_the_endpoint(&self) -> bool {
        self.sent.endpoint.channel() != Channel::Email || mail_delivery::speaks_of_the_mailbox(self.outcome)
    }

    /// The dialogue about it, for its row.
    pub(super) fn dialogue(&self) -> Option<DialogueRow<'_>> {
        let mail = self.mail.as_ref()?;
        let (Dispatch::Mail { message_id, .. } | Dispatch::Unsent { message_id, .. }) = &self.sent.dispatch else {
            return None;
        };
        Some(DialogueRow {
            delivery_id: &self.sent.delivery,
            number: self.sent.number,
            message_id,
            dialogue: &mail.dialogue,
            reply_code: mail.reply_code.map(i32::from),
            enhanced_code: mail.enhanced_code.as_deref(),
            queue_reply: mail.queue_reply.as_deref(),
            tls: mail.tls.as_deref(),
            dsn_requested: mail.dsn_requested,
            may_have_been_sent: mail.may_have_been_sent,
        })
    }

    /// What becomes of the delivery of a mail, which is owed or sent for convenience.
    pub(super) fn next_mail(&self, is_owed: bool, chance: f64) -> Next {
        let window = (self.sent.created_at, self.sent.deadline_at);
        let next = if is_owed { mail_delivery::next } else { mail_delivery::next_of_reminder };
        let next = next(self.outcome, self.sent.number, window, self.ended_at, chance);
        let is_in_doubt = self.mail.as_ref().is_some_and(|mail| mail.may_have_been_sent);
        if is_in_doubt { mail_delivery::in_doubt(next, self.ended_at) } else { next }
    }
}
