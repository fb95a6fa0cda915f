//! Clocks of duties: due times, alarms, lateness, closing and opening again.

use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const START: OffsetDateTime = datetime!(2026-11-22 00:10 UTC);

fn terms(span: &str) -> FrozenTerms {
    FrozenTerms {
        span: span.parse().unwrap(),
        rule: CountingRule::NaturalHours,
        region: "DE".to_owned(),
        internal_target: Some(Duration::hours(12)),
    }
}

fn due(terms: &FrozenTerms) -> Due {
    terms.due(START, crate::domain::calendar::tests::region("DE"), None)
}

fn running(terms: &FrozenTerms) -> DutyState {
    DutyState::NotStarted.start(due(terms)).unwrap()
}

fn authority() -> FrozenTerms {
    FrozenTerms {
        span: "PT72H".parse().unwrap(),
        rule: CountingRule::EuHours,
        region: "DE".to_owned(),
        internal_target: None,
    }
}

#[test]
fn a_fulfilment_at_the_due_instant_is_late() {
    let running = running(&terms("PT24H"));
    let due = running.due().unwrap().legal_due_at.unwrap();
    let met = |at| match running.clone().meet(at).unwrap() {
        DutyState::Met { late, .. } => late,
        _ => None,
    };
    assert_eq!(met(due - Duration::microseconds(1)), Some(false));
    assert_eq!(met(due), Some(true));
}

#[test]
fn without_undue_delay_has_a_target_but_no_legal_hours() {
    let due = due(&terms("without_undue_delay"));
    assert_eq!((due.legal_due_at, due.alarm_at), (None, START + Duration::hours(12)));
    assert_eq!(due.is_late(START + Duration::weeks(9)), None);
    let fired = DutyState::Running(due).look(Step::Half, START + Duration::weeks(9), false).unwrap();
    assert_eq!((fired.step, fired.state, fired.next), (Step::Overdue, DutyState::Running(due), None));
}

#[test]
fn after_a_standstill_the_highest_step_fires_once() {
    let running = running(&authority());
    let fired = running.look(Step::Half, START + Duration::hours(66), false).unwrap();
    assert_eq!((fired.step, fired.skipped.as_slice()), (Step::NineTenths, &[Step::Half, Step::ThreeQuarters][..]));
    assert_eq!(fired.next, Some((Step::Overdue, START + Duration::hours(72))));
    assert_eq!(fired.state.look(Step::Overdue, START + Duration::hours(66), false), None);
}

#[test]
fn the_alarm_comes_before_the_law_is_broken() {
    let running = running(&authority());
    let fired = running.look(Step::Overdue, START + Duration::hours(72), false).unwrap();
    assert_eq!((fired.step, fired.state.as_str()), (Step::Overdue, "running"));
    let fired = fired.state.look(Step::Breach, datetime!(2026-11-25 01:00 UTC), false).unwrap();
    assert_eq!((fired.step, fired.state.as_str(), fired.next), (Step::Breach, "breached", None));
}

proptest! {
    #[test]
    fn every_step_fires_exactly_once_however_often_one_looks(gaps in prop::collection::vec(1_i64..400_000, 1..40)) {
        let mut state = running(&authority());
        let (mut from, mut now, mut told) = (Some(Step::Half), START, Vec::new());
        for gap in gaps {
            now += Duration::seconds(gap);
            if let Some(fired) = from.and_then(|from| state.look(from, now, false)) {
                told.extend(fired.skipped.iter().copied().chain([fired.step]));
                (state, from) = (fired.state, fired.next.map(|(step, _)| step));
            }
        }
        let due = *state.due().unwrap();
        let come: Vec<_> = Step::ALL.into_iter().filter(|step| due.at(*step).unwrap() <= now).collect();
        prop_assert_eq!(told, come);
    }

    #[test]
    fn lateness_is_frozen_at_the_first_fulfilment(first in 1_i64..400_000, second in 1_i64..400_000) {
        let running = running(&authority());
        let met = running.meet(START + Duration::seconds(first)).unwrap();
        prop_assert_eq!(met.clone().meet(START + Duration::seconds(second)), Err(InvalidTransition));
        prop_assert_eq!(met.clone().start(due(&authority())), Err(InvalidTransition));
        prop_assert_eq!(met.look(Step::Half, START + Duration::weeks(20), false), None);
    }
}

#[test]
fn what_is_closed_after_its_due_time_stays_late() {
    let running = running(&terms("PT24H"));
    let due = running.due().unwrap().legal_due_at.unwrap();
    for (at, late) in [(due - Duration::microseconds(1), None), (due, Some(true))] {
        let closing = Closing { at, by: "A. Muster".to_owned(), reason: "x".to_owned() };
        assert_eq!(running.clone().cancel(closing.clone()).unwrap().late(), late);
        assert_eq!(running.clone().waive(closing).unwrap().late(), late);
    }
    assert_eq!(running.late(), None);
}

#[test]
fn a_right_that_was_used_in_time_and_recorded_later_is_used() {
    let due = due(&terms("PT24H"));
    let lapsed = DutyState::Lapsed(due);
    let end = due.legal_due_at.unwrap();
    let met_at = end - Duration::MINUTE;
    assert_eq!(lapsed.clone().meet(met_at), Ok(DutyState::Met { due, met_at, late: Some(false) }));
    assert_eq!(lapsed.meet(end), Err(InvalidTransition));
}

#[test]
fn months_in_years_without_known_holidays_end_on_the_same_date() {
    let terms = FrozenTerms { rule: CountingRule::EuMonths, ..terms("P1M") };
    let region = crate::domain::calendar::tests::region("DE");
    let due = terms.due(datetime!(2190-05-07 10:00 UTC), region, None);
    assert_eq!(due.legal_due_at, Some(datetime!(2190-06-07 22:00 UTC)));
    assert_eq!(due.alarm_at, datetime!(2190-06-07 22:00 UTC));
}
