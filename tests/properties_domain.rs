//! Properties of reading documents: no input panics, what is written reads back equal, and no fault hides another.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use art33::domain::{
    agreement::NewAgreement,
    content::ShareContent,
    count::Count,
    fault::Faults,
    filing::{Affected, Filing},
    id::OrganisationId,
    organisation::NewOrganisation,
    parse::Place,
    span::Span,
    terms::Terms,
};
use proptest::{collection, prelude::*, sample};
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// Words that documents are made of, so that arbitrary documents come near to meaningful ones.
const WORDS: &[&str] = &[
    "kind",
    "stage",
    "title",
    "detected_at",
    "occurred",
    "from",
    "nature",
    "types",
    "subjects",
    "count",
    "exact",
    "about",
    "min",
    "max",
    "unknown",
    "expected_by",
    "affected",
    "controller",
    "all",
    "product",
    "initial",
    "complete",
    "terms",
    "triggers",
    "notify_within",
    "PT24H",
    "disruption",
    "2026-11-22T00:40:00+01:00",
    "org_00000000000000000000000000",
    "a/b~c",
    "",
];

fn any_json() -> impl Strategy<Value = Value> {
    let word = sample::select(WORDS).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            collection::btree_map(word.clone(), inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn filing_body() -> Value {
    json!({
        "kind": "personal_data_breach", "stage": "initial", "title": "Open share link",
        "detected_at": "2026-11-22T00:40:00+01:00", "aware_at": "2026-11-22T01:10:00+01:00", "awareness_reason": "log review",
        "occurred": {"from": "2026-11-20T18:00:00+01:00", "until": "2026-11-22T00:50:00+01:00", "ongoing": false},
        "nature": {"types": ["confidentiality"], "cause": "misconfiguration", "description": "A link was open."},
        "data_categories": ["identity"], "special_categories": [], "professional_secrecy": false,
        "subjects": {"categories": ["apprentices"], "count": {"about": 1200}},
        "records": {"categories": ["weekly_reports"], "count": {"min": 20000, "max": 26000}},
        "contact": {"role": "dpo", "name": "Data protection desk", "email": "dpo@example.org"},
        "consequences": {"types": ["loss_of_control"]},
        "measures": {"taken": [{"description": "link revoked", "at": "2026-11-22T01:15:00+01:00"}], "proposed": []},
        "affected": [{"controller": OrganisationId::from_bytes([1; 16]), "subjects": {"count": {"exact": 37}}},
                     {"controller": OrganisationId::from_bytes([2; 16]), "note": "nothing else"}],
    })
}

/// Pointers to every value in a document.
fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| pointers(value, &format!("{at}/{name}"), into));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), into));
        }
        _ => {}
    }
}

/// The filing with one value replaced by anything.
fn damaged_filing() -> impl Strategy<Value = Value> {
    let mut places = Vec::new();
    pointers(&filing_body(), "", &mut places);
    (sample::select(places), any_json()).prop_map(|(pointer, value)| {
        let mut body = filing_body();
        *body.pointer_mut(&pointer).unwrap() = value;
        body
    })
}

/// Every fault names a place that is there, or a member that is missing in an object that is there.
fn assert_places(body: &Value, faults: &Faults) {
    assert!(!faults.as_slice().is_empty());
    for fault in faults.as_slice() {
        let parent = fault.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        let found = body.pointer(&fault.pointer).is_some() || body.pointer(parent).is_some_and(Value::is_object);
        assert!(found, "{} is nowhere in {body}", fault.pointer);
    }
}

fn parse_count(value: &Value) -> Result<Count, Faults> {
    let mut faults = Faults::default();
    let read = Count::parse(&Place::root(value), &mut faults);
    faults.finish(read)
}

fn parse_terms(value: &Value) -> Result<Terms, Faults> {
    let mut faults = Faults::default();
    let read = Terms::parse(&Place::root(value), &mut faults);
    faults.finish(read)
}

/// A count as somebody may write it, and whether it is one.
fn count() -> impl Strategy<Value = Value> {
    let number = 0..=u64::try_from(i64::MAX).unwrap();
    prop_oneof![
        number.clone().prop_map(|number| json!({"exact": number})),
        number.clone().prop_map(|number| json!({"about": number})),
        (number.clone(), number).prop_map(|(one, other)| json!({"min": one.min(other), "max": one.max(other)})),
        "[a-z]{1,20}".prop_map(|reason| json!({"unknown": reason, "expected_by": "2026-11-23T08:00:00.5Z"})),
    ]
}

/// One fault that somebody can make: where it is made, what stands there instead, and where it is reported.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("/kind", r#""fire""#, "/kind"),
    ("/title", r#""""#, "/title"),
    ("/awareness_reason", "null", "/awareness_reason"),
    ("/occurred/from", r#""2026-11-22T00:41:00+01:00""#, "/occurred/from"),
    ("/nature/types", "[]", "/nature/types"),
    ("/data_categories/0", r#""mood""#, "/data_categories/0"),
    ("/special_categories", r#"["health", "health"]"#, "/special_categories/1"),
    ("/professional_secrecy", r#""no""#, "/professional_secrecy"),
    ("/subjects/categories", r#""apprentices""#, "/subjects/categories"),
    ("/records/count", r#"{"min": 2, "max": 1}"#, "/records/count"),
    ("/contact/email", r#""nobody""#, "/contact/email"),
    ("/consequences", "{}", "/consequences"),
    ("/measures/taken/0/at", r#""2027-01-01T00:00:00Z""#, "/measures/taken/0/at"),
    ("/affected/0/subjects/count", r#"{"exact": 9000}"#, "/affected/0/subjects/count"),
    ("/affected/1/controller", r#""org_1""#, "/affected/1/controller"),
    ("/affected/1/note", "7", "/affected/1/note"),
    ("/colour", r#""red""#, "/colour"),
];

fn replace(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_document_panics_and_every_refusal_names_its_places(body in any_json()) {
        let refusals = [
            Filing::parse(&body, NOW).err(),
            NewAgreement::parse(&body).err(),
            NewOrganisation::parse(&body).err(),
            parse_count(&body).err(),
            parse_terms(&body).err(),
        ];
        for faults in refusals.into_iter().flatten() {
            assert_places(&body, &faults);
        }
        let _ = ShareContent::from_stored(&body.to_string());
    }

    #[test]
    fn a_damaged_filing_is_refused_by_place_or_still_consistent(body in damaged_filing()) {
        match Filing::parse(&body, NOW) {
            Err(faults) => assert_places(&body, &faults),
            Ok(filing) => {
                let whole = filing.whole();
                prop_assert_eq!(ShareContent::from_stored(&whole.to_json().unwrap()).unwrap(), whole);
            }
        }
    }

    #[test]
    fn independent_mistakes_are_all_reported_at_once(chosen in sample::subsequence(MISTAKES, 1..=MISTAKES.len())) {
        let mut body = filing_body();
        for (pointer, value, _) in &chosen {
            replace(&mut body, pointer, serde_json::from_str(value).unwrap());
        }
        let faults = Filing::parse(&body, NOW).unwrap_err();
        let found: BTreeSet<_> = faults.as_slice().iter().map(|fault| fault.pointer.as_str()).collect();
        prop_assert_eq!(found, chosen.iter().map(|(_, _, reported)| *reported).collect());
    }

    #[test]
    fn a_count_is_written_as_it_was_read(value in count()) {
        let read = parse_count(&value).unwrap();
        prop_assert_eq!(serde_json::to_value(&read).unwrap(), value);
        prop_assert!(read.lower() <= read.upper());
        prop_assert!(!read.contradicts(&read), "a number never contradicts itself");
    }

    #[test]
    fn a_range_upside_down_is_refused(min in 1..1_000_000_u64, below in 1..1_000_000_u64) {
        let value = json!({"min": min, "max": min.saturating_sub(below)});
        prop_assert_eq!(parse_count(&value).unwrap_err().as_slice()[0].code, "min_above_max");
    }

    #[test]
    fn a_span_is_written_as_it_was_read(days in 0..366_u32, hours in 0..24_u32, minutes in 1..60_u32) {
        let text = format!("P{days}DT{hours}H{minutes}M");
        let span: Span = text.parse().unwrap();
        prop_assert_eq!(span.to_string(), text);
        let whole = i64::from(days) * 1440 + i64::from(hours) * 60 + i64::from(minutes);
        prop_assert_eq!(span.length().unwrap().whole_minutes(), whole);
    }

    #[test]
    fn no_text_panics_as_a_span(text in "(P|PT|p|-)?[0-9DHMTSWY.+-]{0,24}|\\PC{0,20}") {
        if let Ok(span) = text.parse::<Span>() {
            prop_assert_eq!(span.to_string(), text);
        }
    }

    #[test]
    fn no_controller_sees_more_than_its_own_numbers(own in 0..37_u64, others in 2..9_usize, stage in sample::select(vec!["initial", "complete"])) {
        let mut body = filing_body();
        body["stage"] = json!(stage);
        body["affected"] = (0..others)
            .map(|number| json!({"controller": OrganisationId::from_bytes([u8::try_from(number).unwrap(); 16])}))
            .collect();
        replace(&mut body, "/affected/0/subjects", json!({"count": {"exact": own}}));
        let filing = Filing::parse(&body, NOW).unwrap();
        let Affected::Listed(shares) = &filing.affected else { unreachable!("a list was filed") };
        for (index, share) in shares.iter().enumerate() {
            let content = filing.share_for(Some(share), shares.len());
            let told: Map<String, Value> = serde_json::from_str(&content.to_json().unwrap()).unwrap();
            let expected = if index == 0 { json!({"exact": own}) } else { Value::Null };
            prop_assert_eq!(&told["subjects"]["count"], &expected);
            prop_assert_eq!(&told["records"]["count"], &Value::Null);
            prop_assert_eq!(ShareContent::from_stored(&content.to_json().unwrap()).unwrap(), content);
        }
    }
}
