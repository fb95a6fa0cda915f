//! What holds for every event, span and region.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use time::macros::datetime;
use time::{Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::domain::calendar::Region;
use crate::domain::calendar::tests::region;
use crate::domain::counting::{Counted, CountingRule, Step};
use crate::domain::span::Span;

const REGIONS: &[&str] = &["DE", "DE-BY", "DE-SN", "FR", "PT", "FI", "CY", "IE", "GB", "BG", "LI"];

/// An event within the years whose holidays are known, with room for the longest span at the end.
fn event() -> impl Strategy<Value = OffsetDateTime> {
    let (first, last) = (datetime!(2018-01-02 00:00 UTC), datetime!(2043-12-31 00:00 UTC));
    let any = (first.unix_timestamp()..last.unix_timestamp(), 0..1_000_000_i64).prop_map(|(seconds, micros)| {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap() + Duration::microseconds(micros)
    });
    // Full hours and quarters are where rounding shows.
    any.prop_flat_map(move |at| {
        prop_oneof![
            Just(at),
            Just(at - Duration::seconds(at.unix_timestamp() % 900) - Duration::microseconds(at.microsecond().into()))
        ]
    })
}

fn region_of_any() -> impl Strategy<Value = &'static Region> {
    prop::sample::select(REGIONS).prop_map(region)
}

/// A rule with a span that it counts.
fn rule_and_span() -> impl Strategy<Value = (CountingRule, Span)> {
    let rules: Vec<_> = CountingRule::CODES.iter().map(|(_, rule)| *rule).collect();
    let span = prop_oneof![
        (1..200_u16).prop_map(|hours| format!("PT{hours}H")),
        (1..60_u16).prop_map(|days| format!("P{days}D")),
        (1..18_u16).prop_map(|months| format!("P{months}M")),
        (1..3000_u16).prop_map(|minutes| format!("PT{minutes}M")),
    ];
    let span = span.prop_map(|text| text.parse::<Span>().unwrap());
    (prop::sample::select(rules), span).prop_filter("a rule counts its own units", |(rule, span)| rule.counts(span))
}

fn counted(rule: CountingRule, at: OffsetDateTime, span: &Span, region: &Region) -> Counted {
    rule.count(at, span, region).unwrap()
}

/// The local day in which a period ends.
fn last_day(counted: &Counted, region: &Region) -> time::Date {
    region.to_local(counted.due_at - Duration::NANOSECOND).date()
}

fn wall(instant: OffsetDateTime, region: &Region) -> PrimitiveDateTime {
    let local = region.to_local(instant);
    PrimitiveDateTime::new(local.date(), local.time())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn never_earlier_than_moment_to_moment(at in event(), (rule, span) in rule_and_span(), region in region_of_any()) {
        let due_at = counted(rule, at, &span, region).due_at;
        match &span {
            // Hours are elapsed time; a day or a month is one on the calendar, be it 23 hours long.
            Span::Within(within) if rule.weekends().as_str() == "counted" || within.days() == 0 => {
                prop_assert!(due_at >= at + within.length());
            }
            Span::Within(within) if rule != CountingRule::DoraWeekendNoon => {
                prop_assert!(wall(due_at, region) > wall(at, region) + Duration::days(within.days().into()));
            }
            Span::Within(within) => prop_assert!(due_at >= at + within.length()),
            _ => {
                let months = |at: OffsetDateTime| at.year() * 12 + i32::from(u8::from(at.month()));
                let (local, due) = (region.to_local(at), region.to_local(due_at));
                let Span::Months(span) = &span else { unreachable!() };
                prop_assert!(months(due) >= months(local) + i32::from(span.count()));
            }
        }
    }

    #[test]
    fn a_later_event_is_never_due_earlier(
        at in event(), after in 0..400_000_i64, (rule, span) in rule_and_span(), region in region_of_any()
    ) {
        let (first, second) = (counted(rule, at, &span, region), counted(rule, at + Duration::seconds(after), &span, region));
        // Holds without exception for the day in which the period ends.
        prop_assert!(last_day(&first, region) <= last_day(&second, region));
        if !matches!(rule, CountingRule::DoraWeekendNoon | CountingRule::EuHoursMin2wdTouch) {
            prop_assert!(first.due_at <= second.due_at);
        }
    }

    #[test]
    fn the_senders_offset_changes_nothing(
        at in event(), quarters in -56_i32..=56, (rule, span) in rule_and_span(), region in region_of_any()
    ) {
        let elsewhere = at.to_offset(UtcOffset::from_whole_seconds(quarters * 900).unwrap());
        prop_assert_eq!(counted(rule, at, &span, region), counted(rule, elsewhere, &span, region));
    }

    #[test]
    fn counting_twice_gives_the_same_and_an_end_on_a_working_day_stays(
        at in event(), (rule, span) in rule_and_span(), region in region_of_any()
    ) {
        let once = counted(rule, at, &span, region);
        prop_assert_eq!(&once, &counted(rule, at, &span, region));
        let moves = |step: &Step| matches!(step, Step::NextWorkingDay { .. } | Step::NoonOfNextWorkingDay { .. });
        let stays = |step: &Step| matches!(step, Step::StaysOnWorkingDay { .. });
        prop_assert!(!(once.steps.iter().any(moves) && once.steps.iter().any(stays)));
        let shifting = matches!(rule.weekends().as_str(), "next_working_day" | "noon_of_next_working_day" | "skipped");
        if shifting {
            let last = last_day(&once, region);
            prop_assert_eq!(region.is_working_day(last), Ok(true));
        }
        // Whatever was moved away from was no working day, and nothing between is one.
        for step in &once.steps {
            if let Step::NextWorkingDay { from, to } | Step::NoonOfNextWorkingDay { from, to } = step {
                let mut day = *from;
                while day < *to {
                    prop_assert_eq!(region.is_working_day(day), Ok(false));
                    day = day.next_day().unwrap();
                }
                prop_assert_eq!(region.is_working_day(*to), Ok(true));
            }
        }
    }

    #[test]
    fn hours_are_rounded_in_the_legal_zone(at in event(), region in region_of_any(), hours in 1..200_i64) {
        let span = format!("PT{hours}H").parse().unwrap();
        let literal = counted(CountingRule::EuHours, at, &span, region);
        let begun = region.to_local(literal.counted_from.unwrap());
        prop_assert_eq!((begun.minute(), begun.second(), begun.nanosecond()), (0, 0, 0));
        let natural = at + Duration::hours(hours);
        prop_assert!(literal.due_at > natural && literal.due_at - natural <= Duration::HOUR);
        let practice = counted(CountingRule::EuHoursCeil, at, &span, region);
        prop_assert!(practice.due_at >= natural && practice.due_at - natural < Duration::HOUR);
        for minority in [CountingRule::EuHoursMin2wdTouch, CountingRule::EuHoursMin2wdFull] {
            prop_assert!(counted(minority, at, &span, region).due_at >= literal.due_at);
        }
    }

    #[test]
    fn two_days_or_more_hold_two_working_days(at in event(), region in region_of_any(), hours in 48..200_i64) {
        let span = format!("PT{hours}H").parse().unwrap();
        let working = |first: time::Date, last: time::Date| {
            let days = std::iter::successors(Some(first), |day| day.next_day()).take_while(|day| *day <= last);
            days.filter(|day| region.is_working_day(*day) == Ok(true)).collect::<Vec<_>>()
        };
        let touched = counted(CountingRule::EuHoursMin2wdTouch, at, &span, region);
        let begun = region.to_local(touched.counted_from.unwrap()).date();
        prop_assert!(working(begun, last_day(&touched, region)).len() >= 2);
        let full = counted(CountingRule::EuHoursMin2wdFull, at, &span, region);
        let lies_within = |day: &time::Date| {
            region.midnight(*day) >= full.counted_from.unwrap() && region.midnight(day.next_day().unwrap()) <= full.due_at
        };
        prop_assert!(working(begun, last_day(&full, region)).iter().filter(|day| lies_within(day)).count() >= 2);
    }
}

#[test]
fn the_two_rules_that_are_not_monotone() {
    let (germany, three_days) = (region("DE"), "PT72H".parse().unwrap());
    let due = |rule: CountingRule, at| counted(rule, at, &three_days, germany).due_at;
    // The end on Sunday evening moves to Monday noon; the end on Monday at nine stays.
    let noon = CountingRule::DoraWeekendNoon;
    assert!(due(noon, datetime!(2026-11-19 20:00 +1)) > due(noon, datetime!(2026-11-20 09:00 +1)));
    // From midnight, 72 hours touch Friday alone; an hour later they reach into Monday.
    let touch = CountingRule::EuHoursMin2wdTouch;
    assert!(due(touch, datetime!(2026-11-19 23:30 +1)) > due(touch, datetime!(2026-11-20 00:30 +1)));
}
