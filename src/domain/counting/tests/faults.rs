//! What cannot be counted, and questions that make no sense.
#![expect(clippy::unwrap_used, reason = "tests")]

use time::macros::datetime;

use crate::domain::calendar::tests::{BUILT_IN, region};
use crate::domain::catalogue::Weekends;
use crate::domain::counting::{Asked, CountingError, CountingRule, Question};
use crate::domain::span::Span;

#[test]
fn every_rule_counts_its_own_units_only() {
    let spans = ["PT72H", "PT90M", "P14D", "P1DT12H", "P1M", "P1Y", "without_undue_delay"];
    for (rule, counts) in [
        ("natural_hours", "PT72H PT90M P14D P1DT12H"),
        ("eu_hours", "PT72H"),
        ("eu_hours_ceil", "PT72H"),
        ("eu_hours_min2wd_touch", "PT72H"),
        ("eu_hours_min2wd_full", "PT72H"),
        ("eu_days", "P14D"),
        ("eu_working_days", "P14D"),
        ("eu_months", "P1M P1Y"),
        ("bgb_days", "P14D P1M P1Y"),
        ("dora_weekend_noon", "PT72H PT90M P14D P1DT12H P1M P1Y"),
    ] {
        let rule = CountingRule::from_code(rule).unwrap();
        for text in spans {
            let span: Span = text.parse().unwrap();
            let expected = counts.split(' ').any(|counted| counted == text);
            assert_eq!(rule.counts(&span), expected, "{rule} {text}");
            let counted = rule.count(datetime!(2026-11-20 12:00 UTC), &span, region("DE"));
            assert_eq!(counted.is_ok(), expected, "{rule} {text}: {counted:?}");
            assert!(expected || matches!(counted, Err(CountingError::Unit { .. })), "{rule} {text}");
        }
    }
    assert_eq!(CountingRule::CODES.len(), 10);
}

#[test]
fn what_rules_do_at_weekends() {
    let of = |weekends| -> Vec<_> {
        let rules = CountingRule::CODES.iter().filter(|(_, rule)| rule.weekends() == weekends);
        rules.map(|(name, _)| *name).collect()
    };
    assert_eq!(of(Weekends::Counted), ["natural_hours", "eu_hours", "eu_hours_ceil"]);
    assert_eq!(of(Weekends::NextWorkingDay), ["eu_days", "eu_months", "bgb_days"]);
    assert_eq!(of(Weekends::Skipped), ["eu_working_days"]);
    assert_eq!(of(Weekends::NoonOfNextWorkingDay), ["dora_weekend_noon"]);
    assert_eq!(of(Weekends::TwoWorkingDays), ["eu_hours_min2wd_touch", "eu_hours_min2wd_full"]);
}

#[test]
fn years_without_holidays_are_named() {
    let error = CountingRule::EuDays.count(datetime!(2045-12-30 12:00 UTC), &"P3D".parse().unwrap(), region("DE-BW"));
    let text = error.unwrap_err().to_string();
    assert_eq!(text, "no holidays of DE-BW are known for 2046, only for 2018 to 2045");
}

#[test]
fn the_end_of_time_is_no_crash() {
    for (rule, span) in
        [("natural_hours", "PT1H"), ("eu_hours", "PT72H"), ("eu_hours_ceil", "PT1H"), ("eu_hours_min2wd_full", "PT47H")]
    {
        let rule = CountingRule::from_code(rule).unwrap();
        let counted = rule.count(datetime!(9999-12-31 23:59:59 UTC), &span.parse().unwrap(), region("FI"));
        assert_eq!(counted, Err(CountingError::TooFar), "{rule}");
    }
    for (rule, span) in
        [("eu_days", "P366D"), ("eu_months", "P120M"), ("bgb_days", "P1D"), ("dora_weekend_noon", "P1M")]
    {
        let rule = CountingRule::from_code(rule).unwrap();
        let counted = rule.count(datetime!(9999-12-31 23:59:59 UTC), &span.parse().unwrap(), region("DE"));
        assert!(counted.is_err(), "{rule}");
    }
}

fn faults(rule: &str, span: &str, from: &str, region: &str) -> Vec<String> {
    let text = |text: &str| Some(text.to_owned());
    let asked = Asked { rule: text(rule), span: text(span), from: text(from), region: text(region) };
    let faults = Question::answer(&asked, &BUILT_IN).unwrap_err();
    faults.as_slice().iter().map(|fault| format!("{} {} {}", fault.pointer, fault.code, fault.detail)).collect()
}

#[test]
fn every_fault_of_a_question_is_named_at_once() {
    let all = faults("eu_hour", "72", "now", "DE-XX");
    assert_eq!(all.len(), 4, "{all:?}");
    for (fault, begins) in all.iter().zip(["/rule invalid", "/span invalid", "/from invalid", "/region invalid"]) {
        assert!(fault.starts_with(begins), "{fault}");
    }
    let missing = faults("", "", "", "");
    assert_eq!(missing.len(), 3, "{missing:?}");
    assert!(missing.iter().all(|fault| fault.contains(" required ")), "{missing:?}");
    let unit = faults("eu_hours", "P3D", "now", "DE");
    assert_eq!(unit[0], "/from invalid Expected a time with offset, such as 2026-10-24T14:20:00+02:00.");
    assert_eq!(unit[1], "/span unit `eu_hours` counts whole hours, such as PT72H, not `P3D`.");
    let open = faults("eu_hours", "without_undue_delay", "2026-11-22T00:00:00Z", "DE");
    assert_eq!(open.len(), 1, "{open:?}");
    let unknown = faults("eu_days", "P3D", "2046-11-22T00:00:00Z", "DE");
    assert!(unknown[0].starts_with("/from holidays_unknown No holidays of DE are known for 2046"), "{unknown:?}");
    assert!(faults("natural_hours", "P1D", "9999-12-31T23:59:59Z", "DE")[0].starts_with("/from too_far The period"));
    for (region, known) in [("EU", false), ("US", false), ("de", false), ("DE-BW\u{0}", false), ("AT-9", true)] {
        let found = faults("eu_hours", "P3D", "2026-11-22T00:00:00Z", region);
        assert_eq!(found.len(), if known { 1 } else { 2 }, "{region} {found:?}");
    }
}
