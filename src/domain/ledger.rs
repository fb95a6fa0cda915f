//! Entries of the append-only record and the chain of hashes that binds the entries of one stream. Hashes nothing itself.

use serde::Serialize;
use time::OffsetDateTime;

use super::actor::Actor;
use super::id::{IncidentId, NoticeId, OrganisationId};

/// What an entry belongs to; entries of one stream are chained, streams are independent of each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Stream {
    /// What the processor does with an incident.
    Incident(IncidentId),
    /// What happens to one controller's copy.
    Notice(NoticeId),
    /// Agreements, endpoints and contacts of an organisation.
    Organisation(OrganisationId),
}

impl Stream {
    /// The name of the stream: the id of what it belongs to.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Incident(id) => id.as_str(),
            Self::Notice(id) => id.as_str(),
            Self::Organisation(id) => id.as_str(),
        }
    }
}

/// Something that happened and is about to be recorded.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// The stream.
    pub stream: Stream,
    /// The processor, or whichever organisation the stream belongs to; it may read the entry.
    pub tenant: OrganisationId,
    /// The controller, who may read it too.
    pub counterpart: Option<OrganisationId>,
    /// Stable code of what happened, such as `incident.filed`.
    pub kind: &'static str,
    /// The id of what it happened to.
    pub object: String,
    /// Facts without incident content: ids, times, states, digests.
    pub facts: serde_json::Value,
    /// Who did it.
    pub actor: Actor,
    /// When.
    pub at: OffsetDateTime,
}

/// The hash before the first entry of a stream.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What the hash of an entry covers, in this order, as one JSON array.
#[derive(Debug, Serialize)]
pub struct HashInput<'a>(
    /// Stream.
    pub &'a str,
    /// Sequence within the stream, from 1.
    pub i64,
    /// Microseconds since 1970 UTC.
    pub i64,
    /// Kind.
    pub &'a str,
    /// Object.
    pub &'a str,
    /// Subject and organisation of the actor.
    pub (&'a str, &'a str),
    /// Tenant and counterpart.
    pub (&'a str, Option<&'a str>),
    /// SHA-256 of the facts as stored.
    pub &'a str,
    /// Hash of the entry before.
    pub &'a str,
);

impl HashInput<'_> {
    /// The bytes that are hashed.
    pub fn bytes(&self) -> Vec<u8> {
        // Strings and numbers always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
