//! A claimed message that is ready to be sent, and by which way it goes. Sends nothing.

use time::{Duration, OffsetDateTime};
use url::Url;

use crate::crypto::sha256_hex;
use crate::domain::delivery::Lane;
use crate::domain::delivery_outcome::FailureKind;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;

/// How long a claimed delivery is held, in real time; longer than any attempt may take, so that no heartbeat is needed.
#[derive(Debug, Clone, Copy)]
pub struct Leases {
    /// What is posted to a webhook.
    pub request: Duration,
    /// What is handed to the mail relay.
    pub mail: Duration,
}

impl Leases {
    /// For what is claimed in `lane`.
    pub fn of(self, lane: Lane) -> Duration {
        if lane == Lane::Mail { self.mail } else { self.request }
    }
}

/// One request to send, and what is needed to record what came of it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The delivery, which is also the `webhook-id`.
    pub delivery: String,
    /// Number of the attempt.
    pub number: i32,
    /// How many attempts before it are not charged.
    pub uncharged: i32,
    /// When it was due.
    pub due_at: OffsetDateTime,
    /// The lease under which it is made.
    pub lease: i64,
    /// Type of event.
    pub event: EventType,
    /// The notice, for notice events.
    pub notice: Option<String>,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The lane it was claimed in.
    pub lane: Lane,
    /// Whether the endpoint has proved itself; the word of one that has not is no proof of arrival.
    pub verified: bool,
    /// By which way it goes, and where.
    pub dispatch: Dispatch,
    /// The exact bytes; they are taken out when it is sent.
    pub body: Vec<u8>,
    /// SHA-256 of those bytes; none for what is not sent.
    pub request_sha256: Option<String>,
    /// When it was put into the outbox.
    pub created_at: OffsetDateTime,
    /// End of the window of its retries.
    pub deadline_at: OffsetDateTime,
    /// When the attempt begins.
    pub started_at: OffsetDateTime,
}

/// By which way a message goes, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dispatch {
    /// Posted to a webhook.
    Post {
        /// Where it goes.
        url: Url,
        /// Headers, signatures included; they are taken out when it is sent.
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
