//! What is open under a filing and the one before it: items that were given, that came up, and clocks that began at another time.

use std::collections::{BTreeSet, HashMap};

use time::OffsetDateTime;

use crate::domain::content::OpenItem;
use crate::domain::filing::{Affected, Filing};
use crate::domain::id::OrganisationId;
use crate::domain::vocabulary::{ContentMember, CountedFrom};

/// What is open, by whose part of the incident it belongs to: the processor's own is what is open for all alike.
pub type Items = HashMap<OrganisationId, Vec<OpenItem>>;

/// Whether a clock began at another time than it was told.
pub fn moved(old: &Filing, new: &Filing) -> bool {
    [CountedFrom::Awareness, CountedFrom::Suspicion].into_iter().any(|from| old.start(from) != new.start(from))
}

/// What is open under a filing.
pub fn items(filing: &Filing, processor: &OrganisationId) -> Items {
    let mut items = Items::from([(processor.clone(), filing.whole().open_items())]);
    if let Affected::Listed(shares) = &filing.affected {
        let own = shares.iter().map(|share| (share.controller.clone(), share.figures.open_items()));
        items.extend(own.filter(|(_, items)| !items.is_empty()));
    }
    items
}

/// The members that were open and are not any longer.
pub fn given(
    old: &Filing,
    new: &Filing,
    processor: &OrganisationId,
) -> HashMap<OrganisationId, BTreeSet<ContentMember>> {
    let after = items(new, processor);
    let is_open = |party: &OrganisationId, member: ContentMember| {
        after.get(party).is_some_and(|items| items.iter().any(|item| item.member == member))
    };
    let closed = items(old, processor).into_iter().map(|(party, items)| {
        let members = items.iter().map(|item| item.member).filter(|member| !is_open(&party, *member)).collect();
        (party, members)
    });
    closed.filter(|(_, members): &(_, BTreeSet<_>)| !members.is_empty()).collect()
}

/// What is open now and was not before; `now` is the server's time, UTC. A date that has passed since it was first stated is no aim
/// for a new duty.
pub fn came_up(old: &Filing, new: &Filing, processor: &OrganisationId, now: OffsetDateTime) -> Items {
    let before = items(old, processor);
    let was_open = |party: &OrganisationId, member: ContentMember| {
        before.get(party).is_some_and(|items| items.iter().any(|item| item.member == member))
    };
    let fresh = items(new, processor).into_iter().map(|(party, mut items)| {
        items.retain(|item| !was_open(&party, item.member));
        for item in &mut items {
            item.unknown.expected_by = item.unknown.expected_by.filter(|expected| *expected > now);
        }
        (party, items)
    });
    fresh.filter(|(_, items)| !items.is_empty()).collect()
}
