//! What a later version does to duties: open items that were given or came up, clocks that began at another time, a withdrawal.

use std::collections::{BTreeSet, HashMap};

use time::OffsetDateTime;

use super::amend_incident::AmendPlan;
use super::derive::Birth;
use super::release_incident::Hold;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::content::OpenItem;
use crate::domain::course::{Earlier, Reached, course, region};
use crate::domain::duty::Closing;
use crate::domain::duty_record::{Duty, EarlierClock};
use crate::domain::filing::{Affected, Filing};
use crate::domain::id::{DutyId, OrganisationId};
use crate::domain::milestone::Milestone;
use crate::domain::owed::{is_per_item, is_telling};
use crate::domain::phase::PhaseKind;
use crate::domain::vocabulary::{ContentMember, CountedFrom};
use crate::store::{AnyConnection, duties};

/// What is open, by whose part of the incident it belongs to: the processor's own is what is open for all alike.
type Items = HashMap<OrganisationId, Vec<OpenItem>>;

/// What a version does to duties.
#[derive(Default)]
pub(super) struct Aftermath {
    /// Those that stand elsewhere now.
    pub(super) changed: Vec<Duty>,
    /// Those that it brought about.
    pub(super) born: Vec<Duty>,
    clocks: Vec<(DutyId, EarlierClock)>,
}

impl Service {
    /// What the version does to the duties that it bears on; stores nothing.
    pub(super) fn aftermath(
        &self,
        actor: &Actor,
        plan: &AmendPlan,
        before: Vec<Duty>,
        hold: Option<Hold>,
        now: OffsetDateTime,
    ) -> Aftermath {
        let next = &plan.next;
        let birth = Birth { incident: &next.incident, processor: &actor.organisation, plan: &next.plan, now };
        let by = actor.subject.clone();
        let reason = next.reason.clone().unwrap_or_default();
        let closing = Closing { at: now, by, reason };
        let mut after = match next.kind {
            PhaseKind::Withdrawal => withdrawn(before, &closing),
            _ => self.amended(birth, plan, before, &closing),
        };
        after.born.extend(hold.and_then(|hold| self.release_duty(birth, next.number, hold.window)));
        after
    }

    fn amended(&self, birth: Birth<'_>, plan: &AmendPlan, before: Vec<Duty>, closing: &Closing) -> Aftermath {
        let (old, new) = (&plan.before.filing, &plan.next.plan.filing);
        let mut after = Aftermath::default();
        for (party, items) in came_up(old, new, birth.processor, birth.now) {
            after.born.extend(self.open_item_duties(birth, &party, &items));
        }
        let given = given(old, new, birth.processor);
        let mut by_party: HashMap<OrganisationId, Vec<Duty>> = HashMap::new();
        for duty in before {
            match self.reclocked(&duty, plan, closing) {
                Some((duty, clock)) => {
                    after.clocks.push((duty.id.clone(), clock));
                    after.changed.push(duty);
                }
                None if given.contains_key(&duty.party) => by_party.entry(duty.party.clone()).or_default().push(duty),
                None => {}
            }
        }
        for (party, duties) in by_party {
            let members = given.get(&party).cloned().unwrap_or_default();
            let is_given = |duty: &&Duty| {
                let about = duty.about.as_deref().and_then(ContentMember::from_code);
                is_per_item(&duty.obligation) && about.is_some_and(|about| members.contains(&about))
            };
            let reached = duties.iter().filter(is_given);
            let reached = reached.map(|duty| Reached::of(Milestone::ItemGiven, birth.now, duty.id.clone())).collect();
            after.changed.extend(course(duties, reached, Earlier::default(), &self.law.calendar));
        }
        after
    }

    /// The duty with the clock that begins at the corrected time, if its clock began at the one before and it is still owed.
    fn reclocked(&self, duty: &Duty, plan: &AmendPlan, closing: &Closing) -> Option<(Duty, EarlierClock)> {
        let (old, new) = (&plan.before.filing, &plan.next.plan.filing);
        if !duty.starts_with(&Milestone::ProcessorAware) {
            return None;
        }
        let from_agreement = duty.obligation.trigger.agreement.is_some();
        let counted_from = plan.counted_from(&duty.party).filter(|_| from_agreement).unwrap_or(CountedFrom::Awareness);
        let (was, is) = (old.start(counted_from), new.start(counted_from));
        // Whoever joined late has a start of its own.
        if was == is || duty.state.due().is_none_or(|due| due.start_at != was) {
            return None;
        }
        let region = region(&self.law.calendar, &duty.terms.region)?;
        duty.clone().reclock(is, region, closing).ok()
    }

    /// Stores what the version did to duties, and tells those concerned; answers whether anybody is told.
    pub(super) fn store_aftermath(
        &self,
        connection: &mut AnyConnection,
        after: &Aftermath,
        now: OffsetDateTime,
    ) -> Result<bool, ServiceError> {
        duties::insert(connection, &after.born)?;
        duties::keep_clocks(connection, &after.clocks)?;
        self.settle(connection, &after.changed, now)
    }
}

impl AmendPlan {
    fn counted_from(&self, party: &OrganisationId) -> Option<CountedFrom> {
        let place = self.told.binary_search_by(|told| told.agreement.controller.cmp(party)).ok()?;
        self.told.get(place).map(|told| told.agreement.terms.counted_from)
    }

    /// How long the version waits for its release; none where the processor asks for no release or nobody is told.
    ///
    /// The window is a share of the shortest time that is left for telling, or where all were told already, of the shortest limit.
    pub(super) fn hold(&self, before: &[Duty], now: OffsetDateTime) -> Option<Hold> {
        let policy = self.next.release_policy().filter(|_| self.tells())?;
        let owed: Vec<Duty> =
            before.iter().filter(|duty| duty.state.is_open() && is_telling(&duty.obligation)).cloned().collect();
        if let Some(hold) = Hold::of(Some(policy), &owed, now) {
            return Some(hold);
        }
        let kind = self.next.plan.filing.common.kind;
        let limit = |terms: &crate::domain::terms::Terms| {
            terms.limit(kind, false).length().unwrap_or_else(|| terms.internal_target(false).length())
        };
        let shortest = self.told.iter().map(|told| limit(&told.agreement.terms)).min()?;
        let window = shortest * i32::from(policy.window_share_percent) / 100;
        Some(Hold { window, on_timeout: policy.on_timeout })
    }
}

/// The duties that a version bears on, locked until the transaction ends; none where it bears on none for sure.
pub(super) fn duties_before(
    connection: &mut AnyConnection,
    plan: &AmendPlan,
    processor: &OrganisationId,
) -> Result<Vec<Duty>, ServiceError> {
    let (old, new) = (&plan.before.filing, &plan.next.plan.filing);
    let is_needed = plan.next.kind == PhaseKind::Withdrawal
        || plan.next.release_policy().is_some()
        || moved(old, new)
        || !given(old, new, processor).is_empty();
    if is_needed { Ok(duties::of_incident(connection, &plan.next.incident)?) } else { Ok(Vec::new()) }
}

/// Everything that is still owed ends; the releases that earlier versions wait for do not.
fn withdrawn(before: Vec<Duty>, closing: &Closing) -> Aftermath {
    let owed = before.into_iter().filter(|duty| duty.obligation.end != Milestone::Released);
    Aftermath { changed: owed.filter_map(|duty| duty.cancel(closing.clone()).ok()).collect(), ..Aftermath::default() }
}

/// Whether a clock began at another time than it was told.
fn moved(old: &Filing, new: &Filing) -> bool {
    [CountedFrom::Awareness, CountedFrom::Suspicion].into_iter().any(|from| old.start(from) != new.start(from))
}

fn items(filing: &Filing, processor: &OrganisationId) -> Items {
    let mut items = Items::from([(processor.clone(), filing.whole().open_items())]);
    if let Affected::Listed(shares) = &filing.affected {
        let own = shares.iter().map(|share| (share.controller.clone(), share.figures.open_items()));
        items.extend(own.filter(|(_, items)| !items.is_empty()));
    }
    items
}

/// The members that were open and are not any longer.
fn given(old: &Filing, new: &Filing, processor: &OrganisationId) -> HashMap<OrganisationId, BTreeSet<ContentMember>> {
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

/// What is open now and was not before. A date that has passed since it was first stated is no aim for a new duty.
fn came_up(old: &Filing, new: &Filing, processor: &OrganisationId, now: OffsetDateTime) -> Items {
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
