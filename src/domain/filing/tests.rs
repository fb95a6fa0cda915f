//! What a filing says, to whom, and how it is refused.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;
use time::macros::datetime;

use super::*;
use crate::domain::{
    content::{Ask, demand_faults},
    id::AgreementId,
    terms::Terms,
    vocabulary::ContentMember,
};

const NOW: OffsetDateTime = datetime!(2026-11-22 01:00 UTC);

fn controller(number: u8) -> OrganisationId {
    OrganisationId::from_bytes([number; 16])
}

/// The filing of the contract's example, affecting one controller.
fn body() -> Value {
    json!({
        "kind": "personal_data_breach", "stage": "initial", "title": "Open share link on report archive",
        "detected_at": "2026-11-22T00:40:00+01:00", "aware_at": "2026-11-22T01:10:00+01:00",
        "awareness_reason": "log review confirmed foreign downloads",
        "occurred": {"from": "2026-11-20T18:00:00+01:00", "until": null, "ongoing": false},
        "nature": {"types": ["confidentiality"], "cause": "misconfiguration", "description": "A link was open."},
        "data_categories": ["identity", "contact", "education"], "special_categories": [], "professional_secrecy": false,
        "subjects": {"categories": ["apprentices"], "count": {"about": 1200}},
        "records": {"categories": ["weekly_reports"], "count": {"min": 20000, "max": 26000}},
        "contact": {"role": "dpo", "name": "Data protection desk", "email": "dpo@example.org"},
        "consequences": {"types": ["loss_of_control"], "description": "Reports may be read."},
        "measures": {"taken": [{"description": "link revoked", "at": "2026-11-22T01:15:00+01:00"}],
                     "proposed": [{"description": "review of all links"}]},
        "affected": [{"controller": controller(1), "subjects": {"count": {"exact": 37}}, "records": {"count": {"about": 800}}}],
    })
}

/// The body with the value at `pointer` replaced; an unknown last part is added, `null` takes it away.
fn with(mut body: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match body.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
            parent => parent[name] = value.clone(),
        }
    }
    body
}

fn faults_of(body: &Value) -> Vec<(String, &'static str)> {
    let faults = Filing::parse(body, NOW).unwrap_err();
    faults.as_slice().iter().map(|fault| (fault.pointer.clone(), fault.code)).collect()
}

#[track_caller]
fn assert_refused(changes: &[(&str, Value)], expected: &[(&str, &'static str)]) {
    let expected: Vec<_> = expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), *code)).collect();
    assert_eq!(faults_of(&with(body(), changes)), expected);
}

fn two_controllers(first: &Value, second: &Value) -> Value {
    let mut shares = [first.clone(), second.clone()];
    for (index, share) in shares.iter_mut().enumerate() {
        share["controller"] = json!(controller(u8::try_from(index).unwrap() + 1));
    }
    json!(shares)
}

#[test]
fn the_example_is_understood() {
    let filing = Filing::parse(&body(), NOW).unwrap();
    assert_eq!(filing.common.aware_at, datetime!(2026-11-22 00:10 UTC));
    let Affected::Listed(shares) = &filing.affected else { unreachable!("a list was filed") };
    let content = filing.share_for(shares.first(), 1);
    assert_eq!(content.figures.subjects.count, Some(Count::Exact(37)));
    assert_eq!(content.figures.subjects.categories, filing.total.subjects.categories);
    let every_member = ContentMember::STATUTORY.iter().copied().chain([ContentMember::Time, ContentMember::Extent]);
    assert_eq!(content.missing(&every_member.collect()), []);
    assert!(!content.is_special());
}

#[test]
fn impossible_times_are_refused() {
    assert_refused(&[("/occurred/from", json!("2026-11-22T00:41:00+01:00"))], &[("/occurred/from", "time_order")]);
    assert_refused(&[("/occurred/until", json!("2026-11-20T17:00:00+01:00"))], &[("/occurred/until", "time_order")]);
    assert_refused(&[("/aware_at", json!("2026-11-22T00:39:00+01:00"))], &[("/aware_at", "time_order")]);
    assert_refused(&[("/awareness_reason", Value::Null)], &[("/awareness_reason", "required")]);
    assert_refused(&[("/aware_at", json!("2026-11-22T01:00:06Z"))], &[("/aware_at", "time_in_future")]);
    assert_refused(&[("/aware_at", json!("2026-11-22T02:00:00"))], &[("/aware_at", "time")]);
    let ended = json!({"from": "2026-11-20T18:00:00Z", "until": "2026-11-21T18:00:00Z", "ongoing": true});
    assert_refused(&[("/occurred", ended)], &[("/occurred/ongoing", "contradiction")]);
    let future = json!("2026-11-22T09:00:00Z");
    assert_refused(&[("/measures/taken/0/at", future)], &[("/measures/taken/0/at", "time_in_future")]);
    let skewed = with(body(), &[("/aware_at", json!("2026-11-22T01:00:05Z"))]);
    assert!(Filing::parse(&skewed, NOW).is_ok(), "a clock five seconds ahead is tolerated");
}

#[test]
fn contradicting_numbers_are_refused() {
    let range = json!({"min": 2, "max": 1});
    assert_refused(&[("/subjects/count", range)], &[("/subjects/count", "min_above_max")]);
    let share = "/affected/0/subjects/count";
    assert_refused(&[(share, json!({"exact": 5000}))], &[(share, "contradiction")]);
    assert_refused(
        &[
            ("/records/count", json!({"exact": 100})),
            (
                "/affected",
                two_controllers(
                    &json!({"records": {"count": {"exact": 60}}}),
                    &json!({"records": {"count": {"exact": 41}}}),
                ),
            ),
        ],
        &[("/records/count", "contradiction")],
    );
    assert_refused(
        &[
            ("/records/count", json!({"exact": 100})),
            (
                "/affected",
                two_controllers(
                    &json!({"records": {"count": {"exact": 60}}}),
                    &json!({"records": {"count": {"exact": 39}}}),
                ),
            ),
        ],
        &[("/records/count", "contradiction")],
    );
    let shared_person =
        two_controllers(&json!({"subjects": {"count": {"exact": 60}}}), &json!({"subjects": {"count": {"exact": 60}}}));
    let fits = with(body(), &[("/subjects/count", json!({"exact": 60})), ("/affected", shared_person)]);
    assert!(Filing::parse(&fits, NOW).is_ok(), "one person can be known to two controllers");
}

#[test]
fn only_an_initial_filing_declares_members_unknown() {
    let unknown = json!({"unknown": "logs are being read", "expected_by": "2026-11-23T08:00:00Z"});
    let members = ["/nature", "/occurred", "/contact", "/consequences", "/measures", "/data_categories", "/subjects"];
    let changes: Vec<_> = members.map(|member| (member, unknown.clone())).into_iter().collect();
    let filing = Filing::parse(&with(body(), &changes), NOW).unwrap();
    // Persons stand for two items: their categories and their number.
    let open: Vec<_> = filing.whole().open_items().iter().map(|item| item.member.as_str()).collect();
    let expected = [
        "nature",
        "data_categories",
        "subject_categories",
        "subject_count",
        "contact",
        "consequences",
        "measures",
        "time",
    ];
    assert_eq!(open, expected);
    let complete = [&changes[..], &[("/stage", json!("complete"))]].concat();
    let refused = faults_of(&with(body(), &complete));
    assert_eq!(refused.len(), members.len());
    assert!(
        refused.iter().all(|(pointer, code)| members.contains(&pointer.as_str()) && *code == "unknown_in_complete")
    );
}

#[test]
fn a_promise_in_the_past_is_refused() {
    let past = json!({"unknown": "logs", "expected_by": "2026-11-22T00:59:00Z"});
    assert_refused(
        &[("/records/count", past.clone()), ("/affected/0/records/count", past)],
        &[("/records/count", "time_in_past"), ("/affected/0/records/count", "time_in_past")],
    );
}

#[test]
fn who_is_affected_must_be_clear() {
    let twice = json!([{"controller": controller(1)}, {"controller": controller(1)}]);
    assert_refused(&[("/affected", twice)], &[("/affected/1/controller", "duplicate")]);
    assert_refused(&[("/affected", json!([]))], &[("/affected", "empty")]);
    assert_refused(&[("/affected", json!("some"))], &[("/affected", "type")]);
    assert_refused(&[("/affected", Value::Null)], &[("/affected", "required")]);
    assert_refused(&[("/affected/0/controller", json!("inc_1"))], &[("/affected/0/controller", "invalid")]);
    let product = Filing::parse(&with(body(), &[("/affected", json!({"product": "azubiheft"}))]), NOW).unwrap();
    assert_eq!(product.affected, Affected::Product("azubiheft".to_owned()));
    let all = Filing::parse(&with(body(), &[("/affected", json!("all"))]), NOW).unwrap();
    assert_eq!(all.affected, Affected::All);
}

#[test]
fn a_controller_among_several_never_sees_the_total() {
    let affected = two_controllers(&json!({"subjects": {"count": {"exact": 37}}, "note": "yours"}), &json!({}));
    let filing = Filing::parse(&with(body(), &[("/affected", affected)]), NOW).unwrap();
    let Affected::Listed(shares) = &filing.affected else { unreachable!("a list was filed") };
    let [first, second] = [0, 1].map(|index| filing.share_for(shares.get(index), 2));
    assert_eq!((&first.figures.subjects.count, &first.figures.records.count), (&Some(Count::Exact(37)), &None));
    assert_eq!((&second.figures.subjects.count, &second.figures.note), (&None, &None));
    let told = [first.to_json().unwrap(), second.to_json().unwrap()].concat();
    assert!(!told.contains("1200") && !told.contains("26000"), "{told}");
    let alone = filing.share_for(None, 1);
    assert_eq!(alone.figures, filing.total);
}

#[test]
fn numbers_not_broken_down_are_open_at_first_and_missing_in_the_end() {
    let initial = Filing::parse(&with(body(), &[("/affected", json!("all"))]), NOW).unwrap();
    let open: Vec<_> = initial.share_for(None, 5).open_items().into_iter().map(|item| item.member).collect();
    assert_eq!(open, [ContentMember::SubjectCount, ContentMember::RecordCount]);
    let complete = with(body(), &[("/affected", json!("all")), ("/stage", json!("complete"))]);
    let complete = Filing::parse(&complete, NOW).unwrap().share_for(None, 5);
    assert_eq!((complete.figures.subjects.count.as_ref(), complete.open_items()), (None, vec![]));
}

#[test]
fn what_agreements_demand_is_said_once_with_basis_and_agreement() {
    let text = json!({"notify_within": "PT24H", "triggers": ["personal_data_breach"], "clause": "§ 5(3)"});
    let mut faults = Faults::default();
    let terms = Terms::parse(&Place::root(&text), &mut faults).unwrap();
    let ids: Vec<_> = (0..3).map(|number| AgreementId::from_bytes([number; 16])).collect();
    let affected =
        two_controllers(&json!({"records": {"count": {"about": 1}}}), &json!({"subjects": {"count": {"about": 1}}}));
    let changes = [("/nature", Value::Null), ("/contact", json!({"unknown": "x"})), ("/affected", affected)];
    let filing = Filing::parse(&with(body(), &changes), NOW).unwrap();
    let Affected::Listed(shares) = &filing.affected else { unreachable!("a list was filed") };
    let contents: Vec<_> = shares.iter().map(|share| filing.share_for(Some(share), 2)).collect();
    let asks = contents.iter().zip(&ids).enumerate().map(|(position, (share, agreement))| Ask {
        agreement,
        terms: &terms,
        share,
        position: Some(position),
        alone: false,
    });
    let faults = demand_faults(asks);
    let told: Vec<_> =
        faults.as_slice().iter().map(|fault| (fault.pointer.as_str(), fault.legal_basis.as_deref())).collect();
    let basis = Some("Art. 33(3)(a) GDPR");
    assert_eq!(told, [("/nature", basis), ("/affected/0/subjects/count", basis), ("/affected/1/records/count", basis)]);
    let nature = &faults.as_slice()[0];
    assert_eq!(nature.agreement.as_deref(), Some(ids[0].as_str()));
    assert!(
        nature.detail.contains("§ 5(3)") && nature.detail.ends_with("and by one further agreement."),
        "{}",
        nature.detail
    );
}

#[test]
fn a_complete_filing_for_all_is_asked_for_the_list() {
    let text =
        json!({"notify_within": "PT24H", "triggers": ["personal_data_breach"], "required_content": ["subject_count"]});
    let terms = Terms::parse(&Place::root(&text), &mut Faults::default()).unwrap();
    let filing =
        Filing::parse(&with(body(), &[("/affected", json!("all")), ("/stage", json!("complete"))]), NOW).unwrap();
    let (agreement, share) = (AgreementId::from_bytes([1; 16]), filing.share_for(None, 9));
    let ask = Ask { agreement: &agreement, terms: &terms, share: &share, position: None, alone: false };
    let faults = demand_faults([ask; 9]);
    assert_eq!(faults.as_slice().len(), 1);
    assert_eq!(faults.as_slice()[0].pointer, "/affected");
    assert!(faults.as_slice()[0].detail.contains("8 further agreements"));
}

#[test]
fn reading_goes_on_beside_faults_so_that_demands_can_be_checked() {
    let (read, faults) = Filing::read(&with(body(), &[("/title", json!("")), ("/nature/types", json!([]))]), NOW);
    assert_eq!(faults.as_slice().len(), 2);
    assert!(read.is_some_and(|filing| filing.common.nature.is_absent()));
    let (none, _) = Filing::read(&with(body(), &[("/kind", json!("fire"))]), NOW);
    assert!(none.is_none());
}

#[test]
fn stored_content_comes_back_equal_and_altered_content_does_not() {
    let filing = Filing::parse(&body(), NOW).unwrap();
    let json = filing.whole().to_json().unwrap();
    assert_eq!(ShareContent::from_stored(&json).unwrap(), filing.whole());
    assert!(ShareContent::from_stored(&json.replace("2026-11-22T00:10", "2026-11-21T00:10")).is_err());
    assert!(ShareContent::from_stored(&json[1..]).is_err());
}

#[test]
fn special_data_are_known_by_category_or_by_secrecy() {
    for change in [("/special_categories", json!(["health"])), ("/professional_secrecy", json!(true))] {
        assert!(Filing::parse(&with(body(), &[change]), NOW).unwrap().whole().is_special());
    }
    let open = ("/special_categories", json!({"unknown": "being looked at"}));
    assert!(!Filing::parse(&with(body(), &[open]), NOW).unwrap().whole().is_special());
}
