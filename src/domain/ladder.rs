//! How the ladders of a notice go on as time passes: what ends them, which steps fire, which one comes next. Reads no clock.

use time::OffsetDateTime;

use super::terms::{Action, Ladder, LadderStep};
use super::vocabulary::code_list;

code_list! {
    /// Where a step stands.
    StepState {
        Open "open",
        Fired "fired",
        Coalesced "coalesced",
        NotNeeded "not_needed",
    }
}

code_list! {
    /// Why a ladder is over.
    End {
        Delivered "delivered",
        Acknowledged "acknowledged",
        Disputed "disputed",
        Superseded "superseded",
        Withdrawn "withdrawn",
    }
}

code_list! {
    /// What came of a step that fired.
    StepOutcome {
        Told "told",
        Task "task",
        TaskOpen "task_open",
        NoChannel "no_channel",
        Nobody "nobody",
        Withheld "withheld",
        NotDelivered "not_delivered",
        NotAcknowledged "not_acknowledged",
        TargetMissed "target_missed",
    }
}

/// Where a notice stands, as far as its ladders ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "five facts that do not exclude each other")]
pub struct Standing {
    /// Whether it has arrived.
    pub delivered: bool,
    /// Whether its controller has said that it has it.
    pub acknowledged: bool,
    /// Whether its controller has said that it is not concerned.
    pub disputed: bool,
    /// Whether a later notice to the same controller has left the house.
    pub superseded: bool,
    /// Whether the incident is withdrawn and this is not the notice that says so.
    pub withdrawn: bool,
}

impl Standing {
    /// Whether its controller has said anything that ends both ladders.
    pub fn is_answered(self) -> bool {
        self.acknowledged || self.disputed
    }

    /// Why `ladder` is over; `None` while it is not.
    pub fn end_of(self, ladder: Ladder) -> Option<End> {
        let reasons = [
            (self.acknowledged, End::Acknowledged),
            (self.disputed, End::Disputed),
            (self.delivered && ladder == Ladder::Delivered, End::Delivered),
            (self.superseded, End::Superseded),
            (self.withdrawn, End::Withdrawn),
        ];
        reasons.into_iter().find(|(holds, _)| *holds).map(|(_, end)| end)
    }
}

/// From this number on a step is none of the agreement's, which has at most so many: it opens the next channel because one has died.
pub const UNPLANNED: i32 = 20;

/// The time that a ladder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When the notice left, UTC.
    pub begun: OffsetDateTime,
    /// When it must be there, UTC.
    pub deadline: OffsetDateTime,
}

impl Window {
    /// When each of `steps` comes, UTC: none before the one that stands before it.
    pub fn plan(self, steps: &[LadderStep]) -> Vec<OffsetDateTime> {
        let mut latest = self.begun;
        let due = steps.iter().map(|step| {
            latest = latest.max(step.due_at(self.begun, self.deadline));
            latest
        });
        due.collect()
    }
}

/// What a look at a ladder finds whose open step has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Climb {
    /// The steps that were passed while nobody looked.
    pub coalesced: Vec<usize>,
    /// The steps that fire, in their order.
    pub fires: Vec<usize>,
    /// The step that comes next.
    pub next: Option<usize>,
}

/// What is found at `now` on a ladder of `steps` that is planned for `plan` and whose step `open` has come, perhaps before its time.
///
/// The highest step that has come fires, with those of the same time. Of the steps that were passed those fire that no later one makes up
/// for: each that opens a channel, since it tells the controller, and the highest that asks a person, unless one is asked anyway.
/// What only reminds of the notice, or tells the processor of it, is said by the highest.
pub fn climb(steps: &[LadderStep], plan: &[OffsetDateTime], open: usize, now: OffsetDateTime) -> Climb {
    let come = plan.iter().skip(open + 1).take_while(|due| **due <= now).count();
    let highest = open + come;
    let level = plan.get(highest);
    let action = |step: usize| steps.get(step).map(|step| step.action);
    let asked = (open..=highest).rev().find(|step| action(*step).is_some_and(Action::asks_a_person));
    let fires = |step: &usize| {
        let is_highest = *step == highest || plan.get(*step) == level;
        is_highest || action(*step) == Some(Action::NextChannel) || Some(*step) == asked
    };
    let (fires, coalesced) = (open..=highest).partition(fires);
    Climb { coalesced, fires, next: (highest + 1 < plan.len()).then_some(highest + 1) }
}

/// A step as a message about it carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rung {
    /// Which ladder.
    pub ladder: Ladder,
    /// Counts from 0.
    pub step: i32,
}

/// More steps than any ladder has.
const STEPS: i32 = 100;

impl Rung {
    /// What the outbox keeps.
    pub fn code(self) -> i32 {
        let ladder = match self.ladder {
            Ladder::Delivered => 0,
            Ladder::Acknowledged => 1,
        };
        ladder * STEPS + self.step
    }

    /// The step that the outbox keeps as `code`.
    pub fn from_code(code: i32) -> Option<Self> {
        let ladder = match code / STEPS {
            0 => Ladder::Delivered,
            1 => Ladder::Acknowledged,
            _ => return None,
        };
        (code >= 0).then_some(Self { ladder, step: code % STEPS })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::domain::terms::Ladders;

    const BEGUN: OffsetDateTime = datetime!(2026-11-22 00:00 UTC);

    fn minute(minutes: i64) -> OffsetDateTime {
        BEGUN + Duration::minutes(minutes)
    }

    fn day() -> Window {
        Window { begun: BEGUN, deadline: BEGUN + Duration::DAY }
    }

    #[test]
    fn a_delivery_ends_the_first_ladder_only() {
        let delivered = Standing { delivered: true, ..Standing::default() };
        assert_eq!(delivered.end_of(Ladder::Delivered), Some(End::Delivered));
        assert_eq!(delivered.end_of(Ladder::Acknowledged), None);
        for (standing, end) in [
            (Standing { acknowledged: true, ..delivered }, End::Acknowledged),
            (Standing { disputed: true, ..Standing::default() }, End::Disputed),
            (Standing { superseded: true, ..Standing::default() }, End::Superseded),
            (Standing { withdrawn: true, ..Standing::default() }, End::Withdrawn),
        ] {
            let ends = [Ladder::Delivered, Ladder::Acknowledged].map(|ladder| standing.end_of(ladder));
            assert_eq!(ends, [Some(end); 2]);
        }
    }

    #[test]
    fn after_a_standstill_what_tells_the_controller_fires_and_the_highest() {
        let steps = Ladders::default().until_delivered;
        let plan = day().plan(&steps);
        let found = climb(&steps, &plan, 0, minute(6 * 60 + 1));
        assert_eq!(found, Climb { coalesced: vec![1], fires: vec![0, 2], next: Some(3) });
        let found = climb(&steps, &plan, 1, minute(13 * 60));
        assert_eq!(
            found,
            Climb { coalesced: vec![1], fires: vec![2, 3], next: Some(4) },
            "somebody calls all the same"
        );
        let found = climb(&steps, &plan, 2, minute(23 * 60));
        assert_eq!(found, Climb { coalesced: vec![2, 3], fires: vec![4, 5], next: Some(6) }, "the courier instead");
        let found = climb(&steps, &plan, 5, minute(2000));
        assert_eq!(found, Climb { coalesced: vec![5], fires: vec![6], next: None });
    }

    #[test]
    fn a_step_that_was_hastened_fires_before_its_time_and_leaves_the_others() {
        let steps = Ladders::default().until_delivered;
        let plan = day().plan(&steps);
        assert_eq!(climb(&steps, &plan, 0, minute(1)), Climb { coalesced: vec![], fires: vec![0], next: Some(1) });
    }

    #[test]
    fn steps_of_one_time_fire_together() {
        let plan = [minute(10), minute(60), minute(60), minute(90)];
        let climb = |open, now| climb(&[], &plan, open, now);
        assert_eq!(climb(1, minute(60)), Climb { coalesced: vec![], fires: vec![1, 2], next: Some(3) });
        assert_eq!(climb(0, minute(70)), Climb { coalesced: vec![0], fires: vec![1, 2], next: Some(3) });
    }

    #[test]
    fn the_outbox_keeps_which_step_it_was() {
        for (ladder, step, code) in [(Ladder::Delivered, 3, 3), (Ladder::Acknowledged, 19, 119)] {
            let rung = Rung { ladder, step };
            assert_eq!((rung.code(), Rung::from_code(code)), (code, Some(rung)));
        }
        assert_eq!([-1, 200].map(Rung::from_code), [None, None]);
    }

    /// Looks at a ladder at those times, as the worker does, and says what fired at which look.
    fn looked(steps: &[LadderStep], plan: &[OffsetDateTime], looks: &BTreeSet<i64>) -> (Vec<(i64, usize)>, Vec<usize>) {
        let (mut open, mut fired, mut coalesced) = ((!plan.is_empty()).then_some(0), Vec::new(), Vec::new());
        for look in looks {
            let Some(step) = open.filter(|step| plan[*step] <= minute(*look)) else { continue };
            let found = climb(steps, plan, step, minute(*look));
            fired.extend(found.fires.into_iter().map(|step| (*look, step)));
            coalesced.extend(found.coalesced);
            open = found.next;
        }
        (fired, coalesced)
    }

    /// The same from the promise alone: of the steps that have come since the last look the latest fire, those that open a channel,
    /// and the last that asks a person; all others are passed.
    fn promised(
        steps: &[LadderStep],
        plan: &[OffsetDateTime],
        looks: &BTreeSet<i64>,
    ) -> (Vec<(i64, usize)>, Vec<usize>) {
        let (mut fired, mut coalesced, mut last) = (Vec::new(), Vec::new(), None);
        for look in looks {
            let is_new = |due: &OffsetDateTime| *due <= minute(*look) && last.is_none_or(|last| *due > minute(last));
            let new: Vec<usize> = (0..plan.len()).filter(|step| is_new(&plan[*step])).collect();
            let latest = new.iter().map(|step| plan[*step]).max();
            let asked = new.iter().filter(|step| steps[**step].action.asks_a_person()).max();
            for step in &new {
                let tells = steps[*step].action == Action::NextChannel || Some(step) == asked;
                if tells || Some(plan[*step]) == latest { fired.push((*look, *step)) } else { coalesced.push(*step) }
            }
            last = Some(*look);
        }
        (fired, coalesced)
    }

    fn any_step() -> impl Strategy<Value = LadderStep> {
        let after = prop::option::of((0_i64..1500).prop_map(|minutes| format!("PT{minutes}M").parse().ok()));
        let action = prop::sample::select(Action::CODES).prop_map(|(_, action)| action);
        (after, 1_u8..=100, action).prop_map(|(after, share, action)| {
            let after = after.flatten();
            let share_percent = (after.is_none() || share % 2 == 0).then_some(share);
            LadderStep { after, share_percent, action }
        })
    }

    proptest! {
        #[test]
        fn every_step_fires_once_or_is_passed(
            steps in prop::collection::vec(any_step(), 0..12),
            hours in 1_i64..80,
            looks in prop::collection::btree_set(0_i64..5000, 0..40),
        ) {
            let window = Window { begun: BEGUN, deadline: BEGUN + Duration::hours(hours) };
            let plan = window.plan(&steps);
            prop_assert!(plan.is_sorted());
            let (fired, coalesced) = looked(&steps, &plan, &looks);
            prop_assert_eq!((&fired, &coalesced), (&promised(&steps, &plan, &looks).0, &promised(&steps, &plan, &looks).1));
            let mut seen: Vec<usize> = fired.iter().map(|(_, step)| *step).chain(coalesced).collect();
            seen.sort_unstable();
            let last = looks.last().copied();
            let come = plan.iter().filter(|due| last.is_some_and(|last| **due <= minute(last))).count();
            prop_assert_eq!(seen, (0..come).collect::<Vec<_>>());
        }
    }
}
