//! The cases in which incidents may differ as far as catalogues care: kind, facts, seat, agreement, declared regimes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::{Binds, Catalogue, Fact, Obligation};
use crate::domain::organisation::is_in_eu;
use crate::domain::vocabulary::IncidentKind;

/// One case. Both parties have the same seat and declare the same regimes: all or none; the agreement has all terms or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'c> {
    kind: IncidentKind,
    facts: &'c BTreeSet<Fact>,
    seat: &'c str,
    agreement: bool,
    declared: bool,
}

/// All cases that some row tells apart.
#[derive(Debug)]
pub(super) struct Cases {
    facts: Vec<BTreeSet<Fact>>,
    seats: Vec<String>,
}

/// What a set of cases has in common; a condition that makes no difference is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// The kinds of incident.
    pub kinds: BTreeSet<IncidentKind>,
    /// Facts that are always given.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub facts: BTreeSet<Fact>,
    /// Facts that are never given.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub without_facts: BTreeSet<Fact>,
    /// The seats concerned; `elsewhere` is any that no row names.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub seats: BTreeSet<String>,
    /// Only where the agreement asks for it, or only where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<bool>,
    /// Only for organisations that declare the regime, or only for those that do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<bool>,
}

/// Stands for every seat that no row names.
const ELSEWHERE: &str = "elsewhere";

impl Cases {
    /// Those that the rows of two catalogues tell apart.
    pub(super) fn that_matter(one: &Catalogue, other: &Catalogue) -> Self {
        let rows = || one.rows().iter().chain(other.rows());
        let facts: BTreeSet<Fact> = rows().flat_map(|row| &row.trigger.facts).copied().collect();
        let mut seats: Vec<String> = rows().flat_map(|row| &row.trigger.seats).cloned().collect();
        seats.sort();
        seats.dedup();
        seats.push(ELSEWHERE.to_owned());
        Self { facts: subsets(&facts), seats }
    }

    /// Every one of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Case<'_>> {
        let kinds = IncidentKind::CODES.iter().map(|(_, kind)| *kind);
        let facts = move |kind| self.facts.iter().map(move |facts| (kind, facts));
        let seats = move |(kind, facts)| self.seats.iter().map(move |seat| (kind, facts, seat.as_str()));
        let flags = |(kind, facts, seat)| {
            [(false, false), (false, true), (true, false), (true, true)].map(|(agreement, declared)| Case {
                kind,
                facts,
                seat,
                agreement,
                declared,
            })
        };
        kinds.flat_map(facts).flat_map(seats).flat_map(flags)
    }

    /// What `some` of them have in common.
    pub(super) fn conditions(&self, some: &[Case<'_>]) -> Conditions {
        let all: BTreeSet<Fact> = self.facts.iter().flatten().copied().collect();
        let facts = |given: bool| {
            all.iter().copied().filter(move |fact| some.iter().all(|case| case.facts.contains(fact) == given))
        };
        let seats: BTreeSet<String> = some.iter().map(|case| case.seat.to_owned()).collect();
        Conditions {
            kinds: some.iter().map(|case| case.kind).collect(),
            facts: facts(true).collect(),
            without_facts: facts(false).collect(),
            seats: if seats.len() == self.seats.len() { BTreeSet::new() } else { self.widest(&seats) },
            agreement: common(some.iter().map(|case| case.agreement)),
            declared: common(some.iter().map(|case| case.declared)),
        }
    }

    /// The seats without those that lie in another one of them, where every seat in that one is there.
    fn widest(&self, seats: &BTreeSet<String>) -> BTreeSet<String> {
        let whole = |area: &String| self.seats.iter().all(|seat| !lies_in(seat, area) || seats.contains(seat));
        let inside = |seat: &String| seats.iter().any(|area| area != seat && whole(area) && lies_in(seat, area));
        seats.iter().filter(|seat| !inside(seat)).cloned().collect()
    }
}

fn common(mut flags: impl Iterator<Item = bool>) -> Option<bool> {
    let first = flags.next()?;
    flags.all(|flag| flag == first).then_some(first)
}

fn subsets(facts: &BTreeSet<Fact>) -> Vec<BTreeSet<Fact>> {
    facts.iter().fold(vec![BTreeSet::new()], |sets, fact| {
        let with = sets.iter().map(|set| set.iter().chain([fact]).copied().collect::<BTreeSet<_>>());
        let with: Vec<_> = with.collect();
        sets.into_iter().chain(with).collect()
    })
}

impl Case<'_> {
    /// The rows of `law` that are owed in this case: their codes with their places in `law`.
    pub(super) fn owed<'r>(&self, law: &[&'r Arc<Obligation>]) -> BTreeMap<&'r str, usize> {
        let held = law.iter().enumerate().filter(|(_, row)| self.brings_about(row));
        let held: BTreeMap<&str, usize> = held.map(|(place, row)| (row.code.as_str(), place)).collect();
        let yields = |place: &usize| {
            let row = law.get(*place);
            row.is_some_and(|row| row.trigger.yields_to.iter().any(|code| held.contains_key(code.as_str())))
        };
        held.iter().filter(|(_, place)| !yields(place)).map(|(code, place)| (*code, *place)).collect()
    }

    fn brings_about(&self, row: &Obligation) -> bool {
        let trigger = &row.trigger;
        (trigger.kinds.is_empty() || trigger.kinds.contains(&self.kind))
            && trigger.facts.is_subset(self.facts)
            && (trigger.seats.is_empty() || trigger.seats.iter().any(|area| lies_in(self.seat, area)))
            && (trigger.agreement.is_none() || self.agreement)
            && (trigger.binds == Binds::Everybody || self.declared)
    }
}

/// Whether a seat, which may itself be an area, lies in an area.
fn lies_in(seat: &str, area: &str) -> bool {
    let country = seat.split('-').next().unwrap_or(seat);
    seat == area
        || country == area
        || match area {
            "EU" => is_in_eu(country),
            "EEA" => seat == "EU" || is_in_eu(country) || ["IS", "LI", "NO"].contains(&country),
            _ => false,
        }
}
