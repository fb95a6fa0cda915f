//! Terms: what is read, what is promised, what is refused.

use serde_json::{Value, json};

use super::*;
use crate::domain::{fault::Faults, parse::Place};

fn parse(value: &Value) -> Result<Terms, Faults> {
    let mut faults = Faults::default();
    let read = Terms::parse(&Place { value, pointer: "/terms".to_owned() }, &mut faults);
    faults.finish(read)
}

fn found(value: &Value) -> Vec<(String, &'static str)> {
    let faults = parse(value).unwrap_err();
    faults.as_slice().iter().map(|fault| (fault.pointer.clone(), fault.code)).collect()
}

#[test]
fn defaults_are_written_out_and_read_back() {
    let terms = parse(&json!({"notify_within": "PT24H", "triggers": ["personal_data_breach"]})).unwrap();
    assert_eq!(terms.internal_target.as_str(), "PT12H");
    assert_eq!(terms.required_content.len(), 9);
    assert_eq!(terms.filing_on_behalf, FilingGate::InstructionRequired);
    assert_eq!(terms.addressees.len(), 1);
    assert!(terms.complete_within.is_none() && terms.subprocessor_objection.is_none());
    let written = serde_json::to_value(&terms).unwrap();
    assert_eq!((&written["counted_from"], &written["authorised_instructors"]), (&json!("awareness"), &json!([])));
    assert_eq!(parse(&written).unwrap(), terms);
    let open = parse(&json!({"notify_within": "without_undue_delay", "triggers": ["disruption"]})).unwrap();
    assert_eq!(open.internal_target.as_str(), DEFAULT_TARGET);
}

#[test]
fn rules_of_a_trigger_and_of_special_categories_meet() {
    let terms = parse(&json!({
        "notify_within": "PT24H", "clause": "5(3)", "triggers": ["personal_data_breach", "disruption"],
        "required_content": ["nature"],
        "special_categories": {"notify_within": "without_undue_delay", "required_content": ["time"], "clause": "5(7)",
                               "internal_target": "PT4H"},
        "per_trigger": [{"triggers": ["disruption"], "notify_within": "without_undue_delay", "clause": "5(4)",
                         "required_content": []}],
    }))
    .unwrap();
    let (breach, disruption) = (IncidentKind::PersonalDataBreach, IncidentKind::Disruption);
    assert_eq!(terms.limit(breach, false).as_str(), "PT24H");
    assert_eq!(terms.limit(breach, true).as_str(), "PT24H", "the fixed limit stays in force");
    assert_eq!(terms.limit(disruption, false).as_str(), "without_undue_delay");
    assert_eq!((terms.clause(breach, true), terms.clause(disruption, false)), (Some("5(3)"), Some("5(4)")));
    assert_eq!(terms.internal_target(true).as_str(), "PT4H");
    let both = BTreeSet::from([ContentMember::Nature, ContentMember::Time]);
    assert_eq!(terms.required_content(breach, true), both);
    assert_eq!(terms.content_clause(breach, true, ContentMember::Time), Some("5(7)"));
    assert_eq!(terms.content_clause(breach, true, ContentMember::Nature), Some("5(3)"));
    assert!(terms.required_content(disruption, false).is_empty());
    assert!(!terms.is_triggered_by(IncidentKind::ViolationOfLaw));
}

#[test]
fn each_term_is_promised_where_it_holds() {
    use AgreementTerm::{CompleteWithin, NotifyWithin, SpecialCategories, SubprocessorObjection};
    use IncidentKind::{Disruption, PersonalDataBreach, SubprocessorChange, ViolationOfLaw};

    let terms = parse(&json!({
        "notify_within": "PT24H", "complete_within": "PT48H", "subprocessor_objection": "P14D", "clause": "5(3)",
        "triggers": ["personal_data_breach", "disruption", "subprocessor_change"],
        "special_categories": {"notify_within": "without_undue_delay", "clause": "5(7)"},
        "per_trigger": [
            {"triggers": ["disruption"], "notify_within": "without_undue_delay", "clause": "5(4)"},
            {"triggers": ["subprocessor_change"], "notify_within": "without_undue_delay", "clause": "7"},
        ],
    }))
    .unwrap();
    let promised = |term, kind, special| {
        let promise = terms.promise(term, kind, special)?;
        Some(format!("{} {}", promise.span, promise.clause.unwrap_or_default()))
    };
    for (term, kind, special, expected) in [
        (NotifyWithin, PersonalDataBreach, true, Some("PT24H 5(3)")),
        (NotifyWithin, Disruption, false, Some("without_undue_delay 5(4)")),
        (NotifyWithin, ViolationOfLaw, false, None),
        (CompleteWithin, PersonalDataBreach, false, Some("PT48H 5(3)")),
        (CompleteWithin, Disruption, false, None),
        (CompleteWithin, ViolationOfLaw, false, None),
        (SubprocessorObjection, SubprocessorChange, false, Some("P14D 7")),
        (SubprocessorObjection, PersonalDataBreach, false, None),
        (SpecialCategories, PersonalDataBreach, true, Some("without_undue_delay 5(7)")),
        (SpecialCategories, PersonalDataBreach, false, None),
        (SpecialCategories, ViolationOfLaw, true, None),
    ] {
        assert_eq!(promised(term, kind, special).as_deref(), expected, "{term} {kind} {special}");
    }
}

#[test]
fn a_shorter_special_limit_governs_and_is_cited() {
    let terms = parse(&json!({
        "notify_within": "PT24H", "clause": "3", "triggers": ["personal_data_breach"], "internal_target": "PT1H",
        "special_categories": {"notify_within": "PT2H", "clause": "4"},
    }))
    .unwrap();
    let kind = IncidentKind::PersonalDataBreach;
    assert_eq!((terms.limit(kind, true).as_str(), terms.clause(kind, true)), ("PT2H", Some("4")));
    assert_eq!((terms.limit(kind, false).as_str(), terms.clause(kind, false)), ("PT24H", Some("3")));
}

#[test]
fn all_faults_come_at_once() {
    let pointers = found(&json!({
        "notify_within": "soon", "triggers": [], "required_content": ["weather"], "form": "fax", "language": "German",
        "addressees": [{"role": "dpo", "channel": "email"}, {"role": "desk", "channel": "webhook", "address": "x"}],
        "data_location": ["DE", "XX"], "color": 1, "complete_within": "later", "subprocessor_objection": "P1Y",
        "authorised_instructors": ["management", "management", ""],
    }));
    let expected = [
        ("/terms/notify_within", "invalid"),
        ("/terms/complete_within", "invalid"),
        ("/terms/subprocessor_objection", "invalid"),
        ("/terms/triggers", "empty"),
        ("/terms/required_content/0", "unknown_code"),
        ("/terms/form", "unknown_code"),
        ("/terms/addressees/0/address", "required"),
        ("/terms/addressees/1/address", "unknown_member"),
        ("/terms/authorised_instructors/1", "duplicate"),
        ("/terms/authorised_instructors/2", "empty"),
        ("/terms/data_location/1", "location"),
        ("/terms/language", "language"),
        ("/terms/color", "unknown_member"),
    ];
    assert_eq!(pointers, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
}

#[test]
fn terms_that_contradict_themselves_are_refused() {
    let rule = json!({"triggers": ["disruption"], "notify_within": "PT1H"});
    for (changes, pointer, code) in [
        (json!({"internal_target": "PT24H"}), "/terms/internal_target", "target_after_limit"),
        (
            json!({"special_categories": {"notify_within": "PT2H"}}),
            "/terms/special_categories/internal_target",
            "target_after_limit",
        ),
        (json!({"per_trigger": [rule]}), "/terms/per_trigger/0/triggers", "not_a_trigger"),
        (json!({"triggers": ["disruption", "disruption"]}), "/terms/triggers/1", "duplicate"),
        (json!({"complete_within": "PT23H"}), "/terms/complete_within", "before_notice"),
        (json!({"subprocessor_objection": "P14D"}), "/terms/subprocessor_objection", "not_a_trigger"),
        (json!({"subprocessor_objection": "PT336H"}), "/terms/subprocessor_objection", "days"),
    ] {
        let mut terms = json!({"notify_within": "PT24H", "triggers": ["personal_data_breach"]});
        terms.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        assert_eq!(found(&terms), [(pointer.to_owned(), code)], "{terms}");
    }
}
