//! By which way a claimed message goes. Sends nothing.

use url::Url;

use super::claim_deliveries::Outgoing;
use crate::crypto::sha256_hex;
use crate::domain::delivery_outcome::FailureKind;
use crate::domain::event::EventType;

/// By which way a message goes, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dispatch {
    /// Posted to a webhook.
    Post {
        /// Where it goes.
        url: Url,
        /// Headers, signatures included.
        headers: Vec<(String, String)>,
    },
    /// Handed to the mail relay.
    Mail {
        /// Where reports on it come back to.
        return_path: String,
        /// The address of the one recipient.
        recipient: String,
        /// What reports name it by.
        envelope_id: String,
        /// The id that stands in it.
        message_id: String,
    },
    /// A mail that is not sent: an attempt that fails here.
    Unsent {
        /// The address of the one recipient.
        recipient: String,
        /// The id that it would have had.
        message_id: String,
        /// Why, as a code.
        kind: FailureKind,
        /// Why, in words.
        reason: String,
    },
}

impl Dispatch {
    /// Where it goes: the URL of a webhook, or the address of a mailbox.
    pub(super) fn address(&self) -> &str {
        match self {
            Self::Post { url, .. } => url.as_str(),
            Self::Mail { recipient, .. } | Self::Unsent { recipient, .. } => recipient,
        }
    }

    /// The address as an attempt is recorded with it.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Post { url, .. } => url.to_string(),
            Self::Mail { recipient, .. } | Self::Unsent { recipient, .. } => format!("mailto:{recipient}"),
        }
    }

    /// SHA-256 of the exact bytes; none for what is not sent.
    pub(super) fn digest(&self, body: &[u8]) -> Option<String> {
        (!matches!(self, Self::Unsent { .. })).then(|| sha256_hex(body))
    }
}

impl Outgoing {
    /// Whether it tells a notice, rather than reminding of one or asking for something.
    pub(super) fn is_telling(&self) -> bool {
        self.notice.is_some() && EventType::NOTICES.contains(&self.event)
    }
}
