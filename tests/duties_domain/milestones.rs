//! Milestones as properties: in any order, and with their two effects apart.

use art33::domain::course::{Earlier, Effect, Reached, course};
use art33::domain::duty::DutyState;
use art33::domain::duty_record::Duty;
use art33::domain::milestone::Milestone;
use proptest::prelude::*;
use time::Duration;

use super::{CALENDAR, START, born};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn ending_and_starting_apart_is_the_same_as_both_but_for_when_clocks_start(
        informed in prop::sample::select(vec![Milestone::ControllerInformed, Milestone::ControllerFullyInformed]),
        told in 1_i64..100,
        later in 0_i64..100,
    ) {
        let delivered = START + Duration::hours(told);
        let acknowledged = delivered + Duration::hours(later);
        let at = |at, effect| vec![Reached::new(informed.clone(), at).having(effect)];
        let after = |duties: Vec<Duty>, reached| {
            let changed = course(duties.clone(), reached, Earlier::default(), &CALENDAR);
            let now = |duty: Duty| changed.iter().find(|one| one.id == duty.id).cloned().unwrap_or(duty);
            duties.into_iter().map(now).collect::<Vec<_>>()
        };
        let ended = after(born(), at(delivered, Effect::Ends));
        for (before, now) in born().iter().zip(&ended) {
            // The delivery fulfils what the processor owes and starts nothing that waits for the controller's knowledge.
            prop_assert!(before.ends_with(&informed) || before.state == now.state, "{now:?}");
            let met = matches!(now.state, DutyState::Met { met_at, .. } if met_at == delivered);
            prop_assert!(met == before.ends_with(&informed), "{now:?}");
        }
        let started = after(ended.clone(), at(acknowledged, Effect::Starts));
        for (before, now) in ended.iter().zip(&started) {
            prop_assert!(before.starts_with(&informed) || before.state == now.state, "{now:?}");
            if before.starts_with(&informed) && before.state == DutyState::NotStarted {
                prop_assert_eq!(now.state.due().map(|due| due.start_at), Some(acknowledged));
            }
        }
        let apart = after(after(born(), at(acknowledged, Effect::Ends)), at(acknowledged, Effect::Starts));
        let states = |duties: Vec<Duty>| duties.into_iter().map(|duty| (duty.state, duty.next)).collect::<Vec<_>>();
        prop_assert_eq!(states(apart), states(after(born(), at(acknowledged, Effect::Whole))));
    }

    #[test]
    fn milestones_mean_the_same_in_any_order_at_one_instant(
        order in Just(vec![Milestone::ControllerInformed, Milestone::ControllerFullyInformed, Milestone::ControllerDecided]).prop_shuffle(),
        hours in 1_i64..100,
    ) {
            let at = START + Duration::hours(hours);
        let reached = |order: &[Milestone]| -> Vec<_> { order.iter().map(|one| Reached::new(one.clone(), at)).collect() };
        let sorted = |order: &[Milestone]| {
            let mut after = course(born(), reached(order), Earlier::default(), &CALENDAR);
            after.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
            after.into_iter().map(|duty| (duty.id, duty.state)).collect::<Vec<_>>()
        };
        let usual = [Milestone::ControllerInformed, Milestone::ControllerFullyInformed, Milestone::ControllerDecided];
        prop_assert_eq!(sorted(&order), sorted(&usual));
    }
}
