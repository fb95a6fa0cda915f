//! What a later version does to duties: open items that were given or came up, clocks that began at another time, a withdrawal.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use time::OffsetDateTime;

use super::amend_incident::AmendPlan;
use super::derive::Birth;
use super::file_incident::{Told as Owing, planned};
use super::receive_notice::is_update;
use super::release_incident::Hold;
use super::telling::{event, legal_day};
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::catalogue::FrozenRow;
use crate::domain::course::{Earlier, Reached, cap, course, is_capped_from_awareness, region};
use crate::domain::duty::{Closing, DutyState};
use crate::domain::duty_record::{Duty, EarlierClock};
use crate::domain::filing::Filing;
use crate::domain::id::{DutyId, IncidentId, OrganisationId};
use crate::domain::milestone::Milestone;
use crate::domain::owed::{Event, Party, is_per_item, owed_by_party};
use crate::domain::phase::{Items, PhaseKind, Shares, Standing, came_up, given, items, moved};
use crate::domain::span::Span;
use crate::domain::vocabulary::{ContentMember, CountedFrom};
use crate::store::incident_versions::{self, Filed};
use crate::store::parties::{self, Told};
use crate::store::{AnyConnection, duties};

/// A version that takes effect: when it is filed, or when it is released if it waits for that.
pub(super) struct Effect<'a> {
    birth: Birth<'a>,
    kind: PhaseKind,
    /// The filing before.
    before: &'a Filing,
    /// Everybody who was told.
    told: &'a [Told],
    closing: Closing,
}

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
    /// What the version does to the duties of its incident, which are `before`; stores nothing.
    pub(super) fn aftermath(
        &self,
        connection: &mut AnyConnection,
        effect: &Effect<'_>,
        before: Vec<Duty>,
    ) -> Result<Aftermath, ServiceError> {
        if effect.kind == PhaseKind::Withdrawal {
            return Ok(withdrawn(before, &effect.closing));
        }
        if !effect.is_felt() {
            return Ok(Aftermath::default());
        }
        let known_late = incident_versions::known_late(connection, effect.birth.incident)?;
        Ok(self.amended(effect, before, &known_late))
    }

    /// What a version does that waits for its release: nothing but that.
    pub(super) fn waiting(&self, effect: &Effect<'_>, version: i32, hold: Hold) -> Aftermath {
        let born = self.release_duty(effect.birth, version, hold.window).into_iter().collect();
        Aftermath { born, ..Aftermath::default() }
    }

    /// Does to duties what a version says that was held back until now; answers those that changed or were born.
    pub(super) fn release_effect(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        incident: &IncidentId,
        version: i32,
        now: OffsetDateTime,
    ) -> Result<Vec<Duty>, ServiceError> {
        let corrupt = || ServiceError::Internal(format!("version {version} of {incident} cannot be read"));
        let released = incident_versions::filed_version(connection, incident, version)?.ok_or_else(corrupt)?;
        // What these owe was born when they were filed: its clocks run from awareness, released or not.
        if matches!(released.kind, PhaseKind::Initial | PhaseKind::Joined) {
            return Ok(Vec::new());
        }
        let earlier = incident_versions::filed_version(connection, incident, version - 1)?.ok_or_else(corrupt)?;
        let mut told = parties::told(connection, incident)?;
        told.sort_by(|one, other| one.agreement.controller.cmp(&other.agreement.controller));
        let controllers: Vec<_> = told.iter().map(|told| told.agreement.controller.clone()).collect();
        let read = |filed: Filed| Standing::read(filed.filing, &controllers, filed.filed_at).ok_or_else(corrupt);
        let reason = released.reason.clone();
        let (kind, by) = (released.kind, released.filed_by.clone());
        let (before, after) = (read(earlier)?, read(released)?);
        let processor = parties::processor(connection, &actor.organisation)?.ok_or_else(corrupt)?;
        let rows = self.rows_in_force(legal_day(after.filing.aware_at()));
        let plan = planned(after.filing, &after.body, processor, rows, Vec::new())?;
        let effect = Effect {
            birth: Birth { incident, processor: &actor.organisation, plan: &plan, now },
            kind,
            before: &before.filing,
            told: &told,
            closing: Closing { at: now, by, reason: reason_of(kind, reason) },
        };
        if kind == PhaseKind::Withdrawal {
            incident_versions::withdraw(connection, incident, now)?;
        }
        if !effect.is_felt() {
            return Ok(Vec::new());
        }
        let all = duties::of_incident(connection, incident)?;
        let mut after = self.aftermath(connection, &effect, all)?;
        self.store_aftermath(connection, &after, now)?;
        after.changed.append(&mut after.born);
        Ok(after.changed)
    }

    fn amended(
        &self,
        effect: &Effect<'_>,
        before: Vec<Duty>,
        known_late: &HashMap<OrganisationId, OffsetDateTime>,
    ) -> Aftermath {
        let birth = effect.birth;
        let (old, new) = (effect.before, effect.after());
        let mut after = Aftermath { born: self.newly_owed(effect, &before, known_late), ..Aftermath::default() };
        for (party, items) in came_up(old, new, birth.processor, birth.now) {
            after.born.extend(self.open_item_duties(birth, &party, &items));
        }
        let stated = (items(old, birth.processor), items(new, birth.processor));
        let given = given(old, new, birth.processor);
        let mut by_party: HashMap<OrganisationId, Vec<Duty>> = HashMap::new();
        for duty in before {
            let moved = self.reclocked(&duty, effect, known_late).map(|(duty, clock)| (duty, Some(clock)));
            match moved.or_else(|| self.promised(&duty, effect, (&stated.0, &stated.1))) {
                Some((duty, clock)) => {
                    after.clocks.extend(clock.map(|clock| (duty.id.clone(), clock)));
                    after.changed.push(duty);
                }
                None if given.contains_key(&duty.party) || is_update(&duty) => {
                    by_party.entry(duty.party.clone()).or_default().push(duty);
                }
                None => {}
            }
        }
        for (party, duties) in by_party {
            let members = given.get(&party).cloned().unwrap_or_default();
            let is_given = |duty: &&Duty| {
                let about = duty.about.as_deref().and_then(ContentMember::from_code);
                // Whatever a sub-processor has said since is passed on with the next version.
                is_update(duty) || is_per_item(&duty.obligation) && about.is_some_and(|about| members.contains(&about))
            };
            let reached = duties.iter().filter(is_given);
            let reached = reached.map(|duty| Reached::of(Milestone::ItemGiven, birth.now, duty.id.clone())).collect();
            after.changed.extend(course(duties, reached, Earlier::default(), &self.law.calendar));
        }
        after
    }

    /// What is owed now and was not before, since more is known of the event: rows of which the party has no duty yet.
    fn newly_owed(
        &self,
        effect: &Effect<'_>,
        before: &[Duty],
        known_late: &HashMap<OrganisationId, OffsetDateTime>,
    ) -> Vec<Duty> {
        let birth = effect.birth;
        let had: HashSet<(&OrganisationId, &str)> =
            before.iter().map(|duty| (&duty.party, duty.obligation.code.as_str())).collect();
        let mut born = Vec::new();
        if event(effect.before, &effect.before.whole()) != event(effect.after(), &effect.after().whole()) {
            let own = self.duties_of_processor(birth).into_iter();
            born.extend(own.filter(|duty| !had.contains(&(&duty.party, duty.obligation.code.as_str()))));
        }
        for (told, event) in effect.turned() {
            let agreement = &told.agreement;
            let party = Party { seat: &agreement.seat, terms: &agreement.terms };
            let rows = owed_by_party(&birth.plan.rows, &event, &birth.plan.seat, party).into_iter();
            let is_new = |row: &&Arc<FrozenRow>| !had.contains(&(&agreement.controller, row.code.as_str()));
            let owing = Owing {
                rows: rows.filter(is_new).cloned().collect(),
                agreement: agreement.clone(),
                event,
                own_items: Vec::new(),
                content: String::new(),
                content_sha256: String::new(),
                complete: false,
            };
            let owed = self.duties_of_party(birth, &owing).into_iter();
            born.extend(owed.map(|duty| match known_late.get(&duty.party) {
                Some(known_at) => self.starting(duty, *known_at),
                None => duty,
            }));
        }
        born.into_iter().map(|duty| self.caught_up(duty, before, birth.now)).collect()
    }

    /// The duty with its clock begun, if it follows another one of the same party that is met already.
    fn caught_up(&self, duty: Duty, before: &[Duty], now: OffsetDateTime) -> Duty {
        let Milestone::Fulfilled(code) = &duty.obligation.start else { return duty };
        let met = before.iter().find_map(|earlier| match earlier.state {
            DutyState::Met { met_at, .. } if earlier.party == duty.party && earlier.obligation.code == *code => {
                Some(met_at)
            }
            _ => None,
        });
        // Without hours of the law the debtor could not have hurried before there was anything to do.
        let at = met.map(|met_at| if duty.terms.span == Span::WithoutUndueDelay { now } else { met_at });
        let Some((at, region)) = at.zip(region(&self.law.calendar, &duty.terms.region)) else { return duty };
        duty.clone().start(at, region, None).unwrap_or(duty)
    }

    /// The duty with the clock that follows from the corrected time, if it is still owed and its clock or its outer limit began at
    /// the one before.
    fn reclocked(
        &self,
        duty: &Duty,
        effect: &Effect<'_>,
        known_late: &HashMap<OrganisationId, OffsetDateTime>,
    ) -> Option<(Duty, EarlierClock)> {
        let (old, new) = (effect.before, effect.after());
        // Items and releases run from when they came up; whoever joined late has a start of its own.
        let apart = is_per_item(&duty.obligation) || duty.obligation.end == Milestone::Released;
        if apart || known_late.contains_key(&duty.party) {
            return None;
        }
        let from_agreement = duty.obligation.trigger.agreement.is_some();
        let counted_from =
            effect.counted_from(&duty.party).filter(|_| from_agreement).unwrap_or(CountedFrom::Awareness);
        let (was, is) = (old.start(counted_from), new.start(counted_from));
        let due = *duty.state.due()?;
        let starts = duty.starts_with(&Milestone::ProcessorAware) && due.start_at == was && was != is;
        let capped = is_capped_from_awareness(duty) && old.aware_at() != new.aware_at();
        if !starts && !capped {
            return None;
        }
        let region = region(&self.law.calendar, &duty.terms.region)?;
        let earlier = Earlier { processor_aware: Some(new.aware_at()), controller_informed: None };
        let start_at = if starts { is } else { due.start_at };
        let moved = duty.clone().reclock(start_at, region, cap(duty, earlier, region), &effect.closing).ok();
        moved.filter(|(moved, _)| moved.state.due() != Some(&due))
    }

    /// The duty to give an item that is still open, if another person or another time was stated for it.
    fn promised(
        &self,
        duty: &Duty,
        effect: &Effect<'_>,
        (old, new): (&Items, &Items),
    ) -> Option<(Duty, Option<EarlierClock>)> {
        if !is_per_item(&duty.obligation) || !duty.state.is_open() {
            return None;
        }
        let stated = |items: &Items| {
            let about = duty.about.as_deref().and_then(ContentMember::from_code)?;
            Some(items.get(&duty.party)?.iter().find(|item| item.member == about)?.unknown.clone())
        };
        let (was, is) = (stated(old)?, stated(new)?);
        let mut promised = Duty { owner: is.owner, ..duty.clone() };
        if was.expected_by == is.expected_by {
            return (promised.owner != duty.owner).then_some((promised, None));
        }
        let now = effect.birth.now;
        let region = region(&self.law.calendar, &duty.terms.region)?;
        promised.terms.internal_target =
            is.expected_by.filter(|expected| *expected > now).map(|expected| expected - now);
        promised.reclock(now, region, None, &effect.closing).ok().map(|(duty, clock)| (duty, Some(clock)))
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

impl Effect<'_> {
    /// The filing as it stands after it.
    fn after(&self) -> &Filing {
        &self.birth.plan.filing
    }

    /// Whether it may do anything to duties.
    pub(super) fn is_felt(&self) -> bool {
        let (old, new, processor) = (self.before, self.after(), self.birth.processor);
        self.kind == PhaseKind::Withdrawal
            || moved(old, new)
            || items(old, processor) != items(new, processor)
            || event(old, &old.whole()) != event(new, &new.whole())
            || self.turned().next().is_some()
    }

    /// Those who were told and to whom the event is another one now, such as one with special categories.
    fn turned(&self) -> impl Iterator<Item = (&Told, Event)> {
        let (old, new) = (self.before, self.after());
        let (was, is) = (Shares::of(old, self.told.len()), Shares::of(new, self.told.len()));
        self.told.iter().filter_map(move |told| {
            let controller = &told.agreement.controller;
            let now = event(new, &is.share(controller).0);
            (event(old, &was.share(controller).0) != now).then_some((told, now))
        })
    }

    fn counted_from(&self, party: &OrganisationId) -> Option<CountedFrom> {
        let place = self.told.binary_search_by(|told| told.agreement.controller.cmp(party)).ok()?;
        self.told.get(place).map(|told| told.agreement.terms.counted_from)
    }
}

impl AmendPlan {
    /// What it does once it takes effect.
    pub(super) fn effect<'a>(&'a self, actor: &'a Actor, now: OffsetDateTime) -> Effect<'a> {
        let next = &self.next;
        let (by, reason) = (actor.subject.clone(), reason_of(next.kind, next.reason.clone()));
        Effect {
            birth: Birth { incident: &next.incident, processor: &actor.organisation, plan: &next.plan, now },
            kind: next.kind,
            before: &self.before.filing,
            told: &self.told,
            closing: Closing { at: now, by, reason },
        }
    }

    /// How long the version waits for its release; none where the processor asks for no release or nobody is told.
    ///
    /// The window is a share of the shortest time that is left for telling, or where all were told already, of the shortest limit.
    pub(super) fn hold(&self, before: &[Duty], now: OffsetDateTime) -> Option<Hold> {
        let policy = self.next.release_policy().filter(|_| self.tells())?;
        let owed = before.iter().filter(|duty| duty.state.is_open());
        if let Some(hold) = Hold::of(Some(policy), owed, now) {
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

/// Why clocks moved, as it is kept with the earlier ones; a supplement may give no reason.
fn reason_of(kind: PhaseKind, reason: Option<String>) -> String {
    reason.unwrap_or_else(|| kind.as_str().to_owned())
}

/// Everything that is still owed ends; a release that is still waited for does not.
fn withdrawn(before: Vec<Duty>, closing: &Closing) -> Aftermath {
    let owed = before.into_iter().filter(|duty| duty.obligation.end != Milestone::Released);
    Aftermath { changed: owed.filter_map(|duty| duty.cancel(closing.clone()).ok()).collect(), ..Aftermath::default() }
}
