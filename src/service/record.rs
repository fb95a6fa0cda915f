//! Ledger entries about organisations, their agreements and their endpoints, and about notices. No names, contacts or addresses go
//! in, only digests.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::ServiceError;
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::id::{NoticeId, OrganisationId};
use crate::domain::ledger::{NewEntry, Stream};
use crate::store::notices::NoticeFacts;
use crate::store::tasks::NewTask;

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

/// A notice with its two sides: what happens to it stands in a stream of its own, which both may read.
#[derive(Clone, Copy)]
pub(super) struct OfNotice<'a> {
    pub(super) notice: &'a NoticeId,
    pub(super) processor: &'a OrganisationId,
    pub(super) controller: &'a OrganisationId,
}

impl OfNotice<'_> {
    /// The entry of what `actor` did to `object` at `at`.
    pub(super) fn entry(
        self,
        kind: &'static str,
        object: &str,
        facts: Value,
        (actor, at): (Actor, OffsetDateTime),
    ) -> NewEntry {
        NewEntry {
            stream: Stream::Notice(self.notice.clone()),
            tenant: self.processor.clone(),
            counterpart: Some(self.controller.clone()),
            kind,
            object: object.to_owned(),
            facts,
            actor,
            at,
        }
    }
}

impl NoticeFacts {
    /// The notice with its two sides.
    pub(super) fn sides(&self) -> OfNotice<'_> {
        OfNotice { notice: &self.id, processor: &self.processor, controller: &self.controller }
    }
}

impl NewTask {
    /// Its notice with the two sides.
    pub(super) fn sides(&self) -> OfNotice<'_> {
        OfNotice { notice: &self.notice, processor: &self.processor, controller: &self.controller }
    }
}

/// SHA-256 over the JSON form of what was entered.
pub(super) fn digest(entered: &impl Serialize) -> Result<String, ServiceError> {
    Ok(sha256_hex(&serde_json::to_vec(entered)?))
}
