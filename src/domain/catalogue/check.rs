//! Whether the rows of a catalogue make sense, each alone and all together. Reads nothing; notes every fault at its member.

use std::collections::{BTreeMap, BTreeSet};

use time::Date;

use super::{Debtor, Fact, Obligation, Party, Recipient, RowSpan, Status};
use crate::domain::{counting::CountingError, fault::Faults, milestone::Milestone, span::Span};

/// A row with the JSON pointer to it.
type Placed = (String, Obligation);

/// Checks `rows`, of which `codes` are all the codes in the file, also those of rows that could not be read.
pub(super) fn rows(rows: &[Placed], codes: &BTreeSet<&str>, faults: &mut Faults) {
    for placed in rows {
        validity(placed, faults);
        counting(placed, faults);
        span(placed, faults);
        parties(placed, faults);
        references(placed, codes, faults);
    }
    overlaps(rows, faults);
    for placed in rows {
        starts(placed, rows, codes, faults);
    }
    circles(rows, "start", |row| clocks(row).filter_map(|(_, start)| fulfilled(start)).collect(), faults);
    circles(rows, "trigger/yields_to", |row| row.trigger.yields_to.iter().map(String::as_str).collect(), faults);
}

/// The milestones that clocks of a row run from, with the members that name them.
fn clocks(row: &Obligation) -> impl Iterator<Item = (&'static str, &Milestone)> {
    let cap = row.cap.as_ref().map(|cap| ("cap/start", &cap.start));
    std::iter::once(("start", &row.start)).chain(cap)
}

fn fulfilled(milestone: &Milestone) -> Option<&str> {
    match milestone {
        Milestone::Fulfilled(code) => Some(code),
        _ => None,
    }
}

fn validity((pointer, row): &Placed, faults: &mut Faults) {
    if row.valid_to.is_some_and(|last| last < row.valid_from) {
        let detail = format!("The last day lies before the first one, {}.", row.valid_from);
        faults.add(format!("{pointer}/valid_to"), "before_valid_from", detail);
    }
}

/// What the rule does at weekends, and whether it can count the spans that the row itself names.
fn counting((pointer, row): &Placed, faults: &mut Faults) {
    let stated = row.rule.weekends();
    if row.weekends != stated {
        let detail = format!("The rule `{}` means `{stated}`.", row.rule.as_str());
        faults.add(format!("{pointer}/weekends"), "contradicts_rule", detail);
    }
    let own = match &row.span {
        RowSpan::Fixed(span) => Some(("span", span)),
        _ => None,
    };
    for (member, span) in own.into_iter().chain(row.cap.as_ref().map(|cap| ("cap/span", &cap.span))) {
        if *span != Span::WithoutUndueDelay && !row.rule.counts(span) {
            let detail = format!("{}.", CountingError::Unit { rule: row.rule, span: span.clone() });
            faults.add(format!("{pointer}/{member}"), "uncountable", detail);
        }
    }
}

/// Spans that stand elsewhere need the condition under which they are there.
fn span((pointer, row): &Placed, faults: &mut Faults) {
    let pointer = format!("{pointer}/span");
    match &row.span {
        RowSpan::Fixed(_) => {}
        RowSpan::Agreement(term) if row.trigger.agreement == Some(*term) => {}
        RowSpan::Agreement(term) => {
            let detail =
                format!("An agreement without this term has no such span; `trigger.agreement` must be `{term}`.");
            faults.add(pointer, "needs_agreement", detail);
        }
        RowSpan::Stated if row.trigger.facts.contains(&Fact::OpenItems) => {}
        RowSpan::Stated => {
            let detail = "Only open items have a stated time; `trigger.facts` must have `open_items`.";
            faults.add(pointer, "needs_fact", detail);
        }
        RowSpan::ReleaseWindow if row.trigger.facts.contains(&Fact::FourEyes) => {}
        RowSpan::ReleaseWindow => {
            let detail = "Only a release has this window; `trigger.facts` must have `four_eyes`.";
            faults.add(pointer, "needs_fact", detail);
        }
    }
}

fn parties((pointer, row): &Placed, faults: &mut Faults) {
    let between = matches!(
        (row.debtor, row.recipient),
        (Debtor::Processor, Recipient::Controller) | (Debtor::Controller, Recipient::Processor)
    );
    if row.trigger.agreement.is_some() && !between {
        let detail = "An agreement binds its processor and its controller towards each other only.";
        faults.add(format!("{pointer}/trigger/agreement"), "not_between_parties", detail);
    }
    let owes_itself = row.debtor == Debtor::Controller && row.recipient == Recipient::Controller;
    if owes_itself
        || (row.debtor == Debtor::Either && matches!(row.recipient, Recipient::Processor | Recipient::Controller))
    {
        let detail = format!("What `{}` owes cannot be owed to `{}`.", row.debtor, row.recipient);
        faults.add(format!("{pointer}/recipient"), "owes_itself", detail);
    }
    if row.is_once_per_incident() && row.holidays_of == Party::Controller {
        let detail = "It is owed once for all controllers, so no controller's holidays can count.";
        faults.add(format!("{pointer}/holidays_of"), "no_one_controller", detail);
    }
}

/// Codes of other rows, which must exist.
fn references((pointer, row): &Placed, codes: &BTreeSet<&str>, faults: &mut Faults) {
    let unknown = |code: &str| format!("There is no row with the code `{code}`.");
    for (member, start) in clocks(row).chain([("end", &row.end)]) {
        if let Some(code) = fulfilled(start).filter(|code| !codes.contains(code)) {
            faults.add(format!("{pointer}/{member}"), "unknown_row", unknown(code));
        }
    }
    for (index, code) in row.trigger.yields_to.iter().enumerate() {
        if !codes.contains(code.as_str()) {
            faults.add(format!("{pointer}/trigger/yields_to/{index}"), "unknown_row", unknown(code));
        }
    }
}

/// The same code may stand again for another period, never twice for the same day.
fn overlaps(rows: &[Placed], faults: &mut Faults) {
    for (index, (pointer, row)) in rows.iter().enumerate() {
        let earlier = rows.iter().take(index).map(|(_, other)| other);
        for other in earlier.filter(|other| other.code == row.code && share_a_day(other, row)) {
            let until = other.valid_to.map_or_else(|| "without end".to_owned(), |last| format!("until {last}"));
            let detail = format!("Another row `{}` holds from {} {until}.", other.code, other.valid_from);
            faults.add(format!("{pointer}/valid_from"), "overlap", detail);
        }
    }
}

fn share_a_day(one: &Obligation, other: &Obligation) -> bool {
    let last = |row: &Obligation| row.valid_to.unwrap_or(Date::MAX);
    one.valid_from <= last(other) && other.valid_from <= last(one)
}

/// Starts that can never happen for whoever owes.
fn starts((pointer, row): &Placed, rows: &[Placed], codes: &BTreeSet<&str>, faults: &mut Faults) {
    for (member, start) in clocks(row) {
        let pointer = format!("{pointer}/{member}");
        match start {
            Milestone::Fulfilled(code) if codes.contains(code.as_str()) => {
                let named: Vec<_> = rows.iter().map(|(_, other)| other).filter(|other| other.code == *code).collect();
                // A row of that code that could not be read may be the right one.
                if !named.is_empty() && !named.iter().any(|other| can_start(other, row)) {
                    let detail = format!(
                        "`{code}` is never owed in the same case: its debtor, kinds of incident, status or validity exclude it."
                    );
                    faults.add(pointer, "never", detail);
                }
            }
            Milestone::Fulfilled(_) => {}
            _ if happens_for(start, row) => {}
            _ => faults.add(pointer, "never", format!("`{start}` never happens for the debtor `{}`.", row.debtor)),
        }
    }
    if row.start == row.end {
        faults.add(format!("{pointer}/end"), "never", "What starts the clock cannot also end it.");
    }
    if row.end == Milestone::ItemGiven && !row.trigger.facts.contains(&Fact::OpenItems) {
        let detail = "Only an open item can be given; `trigger.facts` must have `open_items`.";
        faults.add(format!("{pointer}/end"), "needs_fact", detail);
    }
}

/// Whether a plain milestone can start a clock of whoever owes this row.
fn happens_for(start: &Milestone, row: &Obligation) -> bool {
    match start {
        Milestone::DebtorAware | Milestone::Reported(_) | Milestone::Fulfilled(_) => true,
        Milestone::ProcessorAware => row.debtor == Debtor::Processor,
        Milestone::ControllerInformed
        | Milestone::ControllerFullyInformed
        | Milestone::ControllerDecided
        | Milestone::PersonsToBeTold => row.debtor != Debtor::Either && !row.is_once_per_incident(),
        // These end duties; nothing in the law runs from them but through `fulfilled:`.
        Milestone::Filed | Milestone::Released | Milestone::ItemGiven => false,
    }
}

/// Whether fulfilling `other` can start the clock of `row`: for the same party, in the same case, at the same time.
fn can_start(other: &Obligation, row: &Obligation) -> bool {
    let once = other.is_once_per_incident();
    let same_party = match row.debtor {
        Debtor::Either => other.debtor == Debtor::Either,
        _ => other.debtor == Debtor::Either || once == row.is_once_per_incident(),
    };
    let (theirs, own) = (&other.trigger.kinds, &row.trigger.kinds);
    let same_kind = theirs.is_empty() || own.is_empty() || !theirs.is_disjoint(own);
    let in_force = other.status == Status::Law || row.status == Status::Proposal;
    same_party && same_kind && in_force && share_a_day(other, row)
}

/// Notes each circle of references once, at the member of the row of the file that closes it.
fn circles<'r>(
    rows: &'r [Placed],
    member: &str,
    references: impl Fn(&'r Obligation) -> Vec<&'r str>,
    faults: &mut Faults,
) {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, row) in rows {
        edges.entry(&row.code).or_default().extend(references(row));
    }
    let mut told = BTreeSet::new();
    for (pointer, row) in rows {
        let Some(circle) = way_back(&row.code, &edges) else { continue };
        if told.insert(circle.iter().copied().collect::<BTreeSet<_>>()) {
            let way: Vec<_> = circle.iter().chain(circle.first()).map(|code| format!("`{code}`")).collect();
            let detail = format!("The rows wait for each other in a circle: {}.", way.join(" → "));
            faults.add(format!("{pointer}/{member}"), "circle", detail);
        }
    }
}

/// The shortest way from `start` back to itself, if there is one.
fn way_back<'r>(start: &'r str, edges: &BTreeMap<&'r str, BTreeSet<&'r str>>) -> Option<Vec<&'r str>> {
    let mut ways = std::collections::VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let next = way.last().and_then(|last| edges.get(last)).into_iter().flatten();
        for code in next {
            if *code == start {
                return Some(way);
            }
            if seen.insert(*code) {
                ways.push_back(way.iter().chain([code]).copied().collect());
            }
        }
    }
    None
}
