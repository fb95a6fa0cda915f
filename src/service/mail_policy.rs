//! What the verbs have to know of e-mail. Sends nothing, and knows no relay.

use std::sync::Arc;

use time::OffsetDateTime;

use super::Service;
use crate::crypto::ReturnPath;
use crate::domain::id::{DeliveryId, MailboxId, NoticeId};
use crate::domain::terms::Terms;

/// A letter to one mailbox, before it is written down as a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailDraft {
    /// The address of the one recipient.
    pub to: String,
    /// The subject, in one line.
    pub subject: String,
    /// The text.
    pub text: String,
    /// BCP 47 tag of its language.
    pub language: &'static str,
    /// Its id; stays the same however often it is sent.
    pub message_id: String,
    /// The ids of the letters that it follows, oldest first; it answers the last one.
    pub references: Vec<String>,
    /// When it is written, UTC.
    pub date: OffsetDateTime,
}

/// Writes a letter down as the exact bytes that are sent, signed if that is set; says why where it cannot.
pub type Compose = Arc<dyn Fn(&MailDraft) -> Result<Vec<u8>, String> + Send + Sync>;

/// How e-mail is written, and by which way it goes.
pub struct MailPolicy {
    /// Domain of the ids of messages.
    pub domain: String,
    /// Where the relay stands: countries, `EU` or `EEA`.
    pub areas: Vec<String>,
    /// Makes and checks the addresses that reports come back to.
    pub return_paths: ReturnPath,
    /// Writes letters down.
    pub compose: Compose,
}

impl MailPolicy {
    /// Where the relay stands although the terms do not allow a notice to pass there; none if it may.
    pub(super) fn forbidden_place(&self, terms: &Terms) -> Option<&str> {
        self.areas.iter().map(String::as_str).find(|place| !terms.allows_place(Some(place)))
    }

    /// The id of the letter that tells `notice` to a mailbox.
    pub(super) fn notice_message(&self, (notice, sequence): (&NoticeId, i32), mailbox: &MailboxId) -> String {
        format!("n.{notice}.{sequence}.{mailbox}@{}", self.domain)
    }

    /// The id of a letter that is no telling: a reminder, or a request to confirm an address.
    pub(super) fn other_message(&self, kind: char, delivery: &DeliveryId) -> String {
        format!("{kind}.{delivery}@{}", self.domain)
    }
}

impl Service {
    /// Whether there is a relay, and one that the terms let notices pass.
    pub(super) fn mail_may_carry(&self, terms: &Terms) -> bool {
        self.mail.as_deref().is_some_and(|policy| policy.forbidden_place(terms).is_none())
    }
}

impl std::fmt::Debug for MailPolicy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MailPolicy").field("areas", &self.areas).finish_non_exhaustive()
    }
}
