//! Sending again what failed in a span of time, all at once, with a look at how much that is beforehand.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::record::{Deed, OfNotice};
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::id::{NoticeId, OrganisationId};
use crate::domain::ledger::NewEntry;
use crate::domain::redelivery::Redelivery;
use crate::store::redeliveries::{self, Failed};
use crate::store::{AnyConnection, ledger};

/// How much is sent again, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Redelivered {
    /// Whether it was only counted.
    pub dry_run: bool,
    /// How many notices.
    pub notices: usize,
    /// How many deliveries of them.
    pub deliveries: usize,
}

impl Service {
    /// Makes every delivery of the caller's notices due that failed in a span of time and has not arrived since, or only counts them.
    ///
    /// The same `webhook-id` goes out again, so that a receiver who has it can tell.
    pub async fn redeliver_failed(&self, actor: Actor, wanted: Redelivery) -> Result<Redelivered, ServiceError> {
        let now = self.clock.now();
        if wanted.dry_run {
            let count = move |connection: &mut AnyConnection| {
                let failed = redeliveries::failed(connection, &actor.organisation, &wanted)?;
                Ok::<_, ServiceError>(counted(true, &by_notice(&failed)))
            };
            return self.store.read(count).await;
        }
        let done = self.store.write_large(move |connection| send_again(connection, &actor, &wanted, now)).await?;
        self.nudge.notify_waiters();
        Ok(done)
    }
}

fn send_again(
    connection: &mut AnyConnection,
    actor: &Actor,
    wanted: &Redelivery,
    now: OffsetDateTime,
) -> Result<Redelivered, ServiceError> {
    let failed = redeliveries::failed(connection, &actor.organisation, wanted)?;
    redeliveries::send_again(connection, &failed, now)?;
    let by_notice = by_notice(&failed);
    let done = counted(false, &by_notice);
    let deed = Deed { actor, owner: &actor.organisation, at: now };
    let facts = json!({"wanted": wanted, "notices": done.notices, "deliveries": done.deliveries});
    let whole = deed.entry("notices.redelivery_requested", actor.organisation.as_str(), None, facts);
    let each = by_notice.iter().map(|((notice, controller), ids)| requested(actor, notice, controller, ids, now));
    ledger::append(connection, &std::iter::once(whole).chain(each).collect::<Vec<_>>())?;
    Ok(done)
}

/// Deliveries by their notice and its controller.
type ByNotice<'f> = BTreeMap<(&'f NoticeId, &'f OrganisationId), Vec<&'f str>>;

fn by_notice(failed: &[Failed]) -> ByNotice<'_> {
    let mut by_notice = ByNotice::new();
    for one in failed {
        by_notice.entry((&one.notice, &one.controller)).or_default().push(&one.delivery);
    }
    by_notice
}

fn counted(dry_run: bool, by_notice: &ByNotice<'_>) -> Redelivered {
    Redelivered { dry_run, notices: by_notice.len(), deliveries: by_notice.values().map(Vec::len).sum() }
}

/// The entry in the stream of a notice that somebody wants `deliveries` of it sent again.
pub(super) fn requested(
    actor: &Actor,
    notice: &NoticeId,
    controller: &OrganisationId,
    deliveries: &[impl AsRef<str> + Serialize],
    at: OffsetDateTime,
) -> NewEntry {
    let sides = OfNotice { notice, processor: &actor.organisation, controller };
    let facts = json!({"deliveries": deliveries});
    sides.entry("notice.redelivery_requested", notice.as_str(), facts, (actor.clone(), at))
}
