//! Ledger entries about organisations, their agreements and their endpoints. No names, contacts or addresses go in, only digests.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::ServiceError;
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::id::OrganisationId;
use crate::domain::ledger::{NewEntry, Stream};

/// Something that `actor` did at `at`, in the stream of the organisation `owner`.
pub(super) struct Deed<'a> {
    pub(super) actor: &'a Actor,
    pub(super) owner: &'a OrganisationId,
    pub(super) at: OffsetDateTime,
}

impl Deed<'_> {
    /// The entry; the other party may read it, by default whoever acts if that is not the owner.
    pub(super) fn entry(
        &self,
        kind: &'static str,
        object: &str,
        other: Option<&OrganisationId>,
        facts: Value,
    ) -> NewEntry {
        let other = other.unwrap_or(&self.actor.organisation);
        NewEntry {
            stream: Stream::Organisation(self.owner.clone()),
            tenant: self.owner.clone(),
            counterpart: Some(other).filter(|other| *other != self.owner).cloned(),
            kind,
            object: object.to_owned(),
            facts,
            actor: self.actor.clone(),
            at: self.at,
        }
    }
}

/// SHA-256 over the JSON form of what was entered.
pub(super) fn digest(entered: &impl Serialize) -> Result<String, ServiceError> {
    Ok(sha256_hex(&serde_json::to_vec(entered)?))
}
