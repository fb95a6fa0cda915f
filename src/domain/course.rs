//! The course of duties: what happened is applied to the duties of one party, and what follows from that, until nothing moves.

use std::collections::VecDeque;

use time::OffsetDateTime;

use super::calendar::{Calendar, Region};
use super::duty::DutyState;
use super::duty_record::Duty;
use super::id::DutyId;
use super::milestone::Milestone;

/// A milestone that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Which.
    pub milestone: Milestone,
    /// When; UTC.
    pub at: OffsetDateTime,
    /// What it does to the duties that hang on it.
    pub effect: Effect,
    /// The one duty that it fulfils, where it was done for that alone, such as a filing.
    pub only: Option<DutyId>,
}

/// What a milestone does to the duties that hang on it.
///
/// Where an agreement lets the acknowledgement alone inform a controller, the delivery ends what the processor owed and starts
/// nothing, and the acknowledgement after it starts what the controller owes and ends nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It fulfils duties and starts clocks.
    Whole,
    /// It fulfils duties only.
    Ends,
    /// It starts clocks only.
    Starts,
}

/// What was known before, for the outer limits of clocks that begin later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Earlier {
    /// When the processor knew; UTC.
    pub processor_aware: Option<OffsetDateTime>,
    /// When the controller was informed; UTC.
    pub controller_informed: Option<OffsetDateTime>,
}

impl Reached {
    /// A milestone that concerns every duty which waits for it.
    pub fn new(milestone: Milestone, at: OffsetDateTime) -> Self {
        Self { milestone, at, effect: Effect::Whole, only: None }
    }

    /// The same with another effect.
    #[must_use]
    pub fn having(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// A milestone that fulfils one duty.
    pub fn of(milestone: Milestone, at: OffsetDateTime, duty: DutyId) -> Self {
        Self { milestone, at, effect: Effect::Whole, only: Some(duty) }
    }
}

/// Applies what was reached to the duties of one party of one incident; answers those that changed, as they are now.
///
/// A duty that is fulfilled is itself a milestone for others. One that is fulfilled before its clock began counts as begun and
/// fulfilled at that moment.
pub fn course(duties: Vec<Duty>, reached: Vec<Reached>, mut earlier: Earlier, calendar: &Calendar) -> Vec<Duty> {
    let mut duties: Vec<(Duty, bool)> = duties.into_iter().map(|duty| (duty, false)).collect();
    let mut waiting = VecDeque::from(reached);
    while let Some(reached) = waiting.pop_front() {
        if reached.milestone == Milestone::ControllerInformed && reached.effect != Effect::Ends {
            earlier.controller_informed.get_or_insert(reached.at);
        }
        for (duty, changed) in &mut duties {
            let Some(moved) = step(duty, &reached, earlier, calendar) else { continue };
            if matches!(moved.state, DutyState::Met { .. }) {
                waiting.push_back(Reached::new(Milestone::Fulfilled(moved.obligation.code.clone()), reached.at));
            }
            (*duty, *changed) = (moved, true);
        }
    }
    duties.into_iter().filter_map(|(duty, changed)| changed.then_some(duty)).collect()
}

fn step(duty: &Duty, reached: &Reached, earlier: Earlier, calendar: &Calendar) -> Option<Duty> {
    let started = |duty: &Duty| {
        let region = region(calendar, &duty.terms.region)?;
        duty.clone().start(reached.at, region, cap(duty, earlier, region)).ok()
    };
    let may_end = reached.effect != Effect::Starts && reached.only.as_ref().is_none_or(|only| *only == duty.id);
    let ends = may_end && duty.ends_with(&reached.milestone);
    // An act within the time of a right may become known only after the right has lapsed.
    if ends && (duty.state.is_open() || matches!(duty.state, DutyState::Lapsed(_))) {
        let running = if duty.state == DutyState::NotStarted { started(duty)? } else { duty.clone() };
        return running.meet(reached.at).ok();
    }
    let starts = reached.effect != Effect::Ends && duty.starts_with(&reached.milestone);
    if starts && duty.state == DutyState::NotStarted { started(duty) } else { None }
}

/// The region that a duty is counted in; a region that has left the data since is counted as its country, or as Germany.
pub fn region<'c>(calendar: &'c Calendar, code: &str) -> Option<&'c Region> {
    calendar.region(code).or_else(|| calendar.region("DE"))
}

/// Whether the duty has an outer limit that begins when its processor knows.
pub fn is_capped_from_awareness(duty: &Duty) -> bool {
    let by_processor = duty.debtor == duty.processor;
    duty.obligation.cap.as_ref().is_some_and(|cap| match cap.start {
        Milestone::ProcessorAware => true,
        Milestone::DebtorAware => by_processor,
        _ => false,
    })
}

/// Where the outer limit of the duty's row ends, UTC, if it has one and it has begun.
pub fn cap(duty: &Duty, earlier: Earlier, region: &Region) -> Option<OffsetDateTime> {
    let cap = duty.obligation.cap.as_ref()?;
    let by_processor = duty.debtor == duty.processor;
    let begun = match cap.start {
        Milestone::ProcessorAware => earlier.processor_aware,
        Milestone::DebtorAware if by_processor => earlier.processor_aware,
        Milestone::ControllerInformed | Milestone::DebtorAware => earlier.controller_informed,
        _ => None,
    }?;
    duty.terms.rule.count(begun, &cap.span, region).ok().map(|counted| counted.due_at)
}
