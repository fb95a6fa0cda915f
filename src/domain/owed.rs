//! Who owes what after an incident: which rows of the catalogue an event, an agreement and the parties' seats bring about.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::catalogue::{Binds, Debtor, Fact, FrozenRow, Obligation, Recipient, RowSpan};
use super::organisation::{Seat, is_in_eu};
use super::span::Span;
use super::terms::Terms;
use super::vocabulary::IncidentKind;

/// What is known of the event as it touches one party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What kind of event it is.
    pub kind: IncidentKind,
    /// What is true of it.
    pub facts: BTreeSet<Fact>,
}

/// One affected controller under one agreement.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// Where it sits and which regimes bind it.
    pub seat: &'a Seat,
    /// What was agreed with it.
    pub terms: &'a Terms,
}

impl Event {
    /// Whether special categories or professional secrets are concerned.
    pub fn is_special(&self) -> bool {
        self.facts.contains(&Fact::SpecialOrSecret)
    }

    fn brings_about(&self, row: &Obligation) -> bool {
        let of_kind = row.trigger.kinds.is_empty() || row.trigger.kinds.contains(&self.kind);
        of_kind && row.trigger.facts.is_subset(&self.facts)
    }
}

/// The rows that hold between the processor and one controller, and those that bind the controller by itself.
///
/// Rows that yield to another one that holds are left out.
pub fn owed_by_party<'r>(
    rows: &'r [Arc<FrozenRow>],
    event: &Event,
    processor: &Seat,
    party: Party<'_>,
) -> Vec<&'r Arc<FrozenRow>> {
    let holds = |row: &&Arc<FrozenRow>| {
        is_per_party(row)
            && event.brings_about(row)
            && has_term(row, event, party.terms)
            && binds(row, if row.debtor == Debtor::Processor { processor } else { party.seat })
    };
    without_yielding(&rows.iter().filter(holds).collect::<Vec<_>>())
}

/// The rows that the processor owes once for the whole incident, to an authority or to itself.
pub fn owed_by_processor<'r>(rows: &'r [Arc<FrozenRow>], event: &Event, processor: &Seat) -> Vec<&'r Arc<FrozenRow>> {
    let holds = |row: &&Arc<FrozenRow>| is_per_incident(row) && event.brings_about(row) && binds(row, processor);
    without_yielding(&rows.iter().filter(holds).collect::<Vec<_>>())
}

/// Whether the row obliges the processor to tell the controller.
pub fn is_telling(row: &Obligation) -> bool {
    use super::milestone::Milestone::{ControllerFullyInformed, ControllerInformed};
    row.debtor == Debtor::Processor
        && row.recipient == Recipient::Controller
        && matches!(row.end, ControllerInformed | ControllerFullyInformed)
}

/// How long the debtor of `row` has towards a party with these terms; internal spans have no legal limit.
pub fn span(row: &Obligation, kind: IncidentKind, special: bool, terms: &Terms) -> Span {
    match &row.span {
        RowSpan::Fixed(span) => span.clone(),
        RowSpan::Agreement(term) => {
            terms.promise(*term, kind, special).map_or(Span::WithoutUndueDelay, |promise| promise.span)
        }
        RowSpan::Stated | RowSpan::ReleaseWindow => Span::WithoutUndueDelay,
    }
}

fn is_per_party(row: &Obligation) -> bool {
    match row.debtor {
        Debtor::Processor => row.recipient == Recipient::Controller && !is_per_item(row),
        Debtor::Controller | Debtor::Either => true,
    }
}

fn is_per_incident(row: &Obligation) -> bool {
    match row.debtor {
        Debtor::Processor => row.recipient != Recipient::Controller && row.span != RowSpan::ReleaseWindow,
        Debtor::Either => true,
        Debtor::Controller => false,
    }
}

/// Whether there is one duty for each open item instead of one for each party.
pub fn is_per_item(row: &Obligation) -> bool {
    row.end == super::milestone::Milestone::ItemGiven
}

fn has_term(row: &Obligation, event: &Event, terms: &Terms) -> bool {
    row.trigger.agreement.is_none_or(|term| terms.promise(term, event.kind, event.is_special()).is_some())
}

fn binds(row: &Obligation, debtor: &Seat) -> bool {
    let seated = row.trigger.seats.is_empty() || row.trigger.seats.iter().any(|area| lies_in(debtor, area));
    seated && (row.trigger.binds == Binds::Everybody || debtor.regimes.contains(&row.regime))
}

fn without_yielding<'r>(held: &[&'r Arc<FrozenRow>]) -> Vec<&'r Arc<FrozenRow>> {
    let codes: BTreeSet<&str> = held.iter().map(|row| row.code.as_str()).collect();
    let yields = |row: &Obligation| row.trigger.yields_to.iter().any(|code| codes.contains(code.as_str()));
    held.iter().filter(|row| !yields(row)).copied().collect()
}

/// Whether a seat lies in an area: an ISO 3166-1 or -2 code, `EU` or `EEA`.
fn lies_in(seat: &Seat, area: &str) -> bool {
    match area {
        "EU" => is_in_eu(&seat.country),
        "EEA" => is_in_eu(&seat.country) || ["IS", "LI", "NO"].contains(&seat.country.as_str()),
        code => seat.country == code || seat.region.as_deref() == Some(code),
    }
}
