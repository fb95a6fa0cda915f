//! What versions change and whom they concern.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use proptest::sample;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::domain::content::ShareContent;
use crate::domain::fault::Faults;
use crate::domain::filing::Filing;
use crate::domain::id::{NoticeId, OrganisationId};
use crate::domain::vocabulary::CountedFrom;

const FILED: OffsetDateTime = datetime!(2026-11-22 01:00 UTC);
const LATER: OffsetDateTime = datetime!(2026-11-24 09:00 UTC);

fn controller(number: u8) -> OrganisationId {
    OrganisationId::from_bytes([number; 16])
}

fn told(number: u8) -> Vec<OrganisationId> {
    (1..=number).map(controller).collect()
}

/// An initial filing that affects two controllers and leaves three things open.
fn body() -> Value {
    let open = json!({"unknown": "being counted", "expected_by": "2026-11-23T08:00:00Z", "owner": "security desk"});
    json!({
        "kind": "personal_data_breach", "stage": "initial", "title": "Open share link",
        "detected_at": "2026-11-22T00:10:00Z", "aware_at": "2026-11-22T00:10:00Z",
        "nature": {"types": ["confidentiality"], "description": "A link was public."},
        "data_categories": ["identity"], "consequences": {"unknown": "being assessed"},
        "subjects": {"categories": ["apprentices"], "count": open}, "records": {"count": {"about": 800}},
        "affected": [{"controller": controller(1), "records": {"count": {"exact": 40}}}, {"controller": controller(2)}],
    })
}

fn filing(body: &Value) -> Filing {
    Filing::parse(body, FILED).unwrap()
}

fn standing(body: &Value) -> Standing {
    Standing::read(body.clone(), &told(2), FILED).unwrap()
}

fn amendment(body: &Value) -> Amendment {
    let (read, faults) = Amendment::read(body);
    assert!(faults.is_empty(), "{faults:?}");
    read.unwrap()
}

fn joining(body: &Value) -> Joining {
    let (read, faults) = Joining::read(body, LATER);
    assert!(faults.is_empty(), "{faults:?}");
    read.unwrap()
}

fn places(faults: &Faults) -> Vec<(String, &'static str)> {
    faults.as_slice().iter().map(|fault| (fault.pointer.clone(), fault.code)).collect()
}

fn merged(before: &Standing, change: &Value) -> (Option<Standing>, Vec<(String, &'static str)>) {
    let (amended, faults) = amendment(change).merge(before, LATER);
    (amended, places(&faults))
}

#[track_caller]
fn amended(before: &Standing, change: &Value) -> Standing {
    let (amended, faults) = merged(before, change);
    assert_eq!(faults, []);
    amended.unwrap()
}

/// The pointers of what each of two controllers is told anew.
fn concerned(body: &Value, amendment: &Value) -> Vec<Vec<String>> {
    let new = amended(&standing(body), amendment);
    let concerns = concern(&filing(body), &new.filing, &told(2)).unwrap();
    concerns.iter().map(|one| one.changes.iter().map(|change| change.pointer.clone()).collect()).collect()
}

fn refused(amendment: &Value) -> Vec<(String, &'static str)> {
    places(&Amendment::read(amendment).1)
}

fn found(faults: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    faults.iter().map(|(pointer, code)| ((*pointer).to_owned(), *code)).collect()
}

#[test]
fn the_form_of_a_version_is_refused_with_all_its_faults() {
    let double = json!([{"controller": controller(1)}, {"controller": controller(1)}, {"note": "x"}]);
    let body = json!({"kind": "correction", "changes": {"stage": "complete", "kind": "disruption"}, "affected": double, "x": 1});
    assert_eq!(
        refused(&body),
        found(&[
            ("/reason", "required"),
            ("/changes/kind", "not_changeable"),
            ("/changes/stage", "not_changeable"),
            ("/affected/1/controller", "duplicate"),
            ("/affected/2/controller", "required"),
            ("/x", "unknown_member"),
        ])
    );
    assert_eq!(refused(&json!({"kind": "initial"})), found(&[("/kind", "unknown_code")]));
    let withdrawal = json!({"kind": "withdrawal", "reason": "a drill of the red team", "changes": {"title": "x"}});
    assert_eq!(refused(&withdrawal), found(&[("/changes", "not_in_withdrawal")]));
}

#[test]
fn only_a_suspicion_becomes_another_kind_of_event() {
    let confirming =
        |kind: &str| json!({"kind": kind, "reason": "The logs show it.", "changes": {"kind": "personal_data_breach"}});
    let mut suspected = body();
    suspected["kind"] = json!("suspected_breach");
    for kind in ["supplement", "correction"] {
        let confirmed = amended(&standing(&suspected), &confirming(kind));
        assert_eq!(confirmed.body["kind"], "personal_data_breach");
        assert_eq!(
            merged(&standing(&body()), &confirming(kind)).1,
            found(&[("/changes/kind", "not_changeable")]),
            "it is one already"
        );
    }
    assert!(
        merged(&standing(&suspected), &confirming("completion"))
            .1
            .contains(&("/changes/kind".to_owned(), "not_changeable"))
    );
    let undone = json!({"kind": "supplement", "changes": {"kind": "suspected_breach"}});
    assert_eq!(refused(&undone), found(&[("/changes/kind", "not_changeable")]));
}

#[test]
fn another_form_of_a_number_or_an_unknown_replaces_the_whole() {
    for (before, patch, after) in [
        (json!({"about": 3}), json!({"exact": 4}), json!({"exact": 4})),
        (json!({"about": 3}), json!({"about": null, "exact": 4}), json!({"exact": 4})),
        (json!({"min": 3, "max": 9}), json!({"max": 7}), json!({"min": 3, "max": 7})),
        (json!({"unknown": "a", "owner": "b"}), json!({"owner": "c"}), json!({"unknown": "a", "owner": "c"})),
        (json!({"unknown": "a", "owner": "b"}), json!({"types": ["fraud"]}), json!({"types": ["fraud"]})),
        (json!({"types": ["fraud"], "description": "x"}), json!({"unknown": "a"}), json!({"unknown": "a"})),
        (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": null, "d": 3}}), json!({"a": {"c": 2, "d": 3}})),
        (json!([1, 2]), json!({"a": null}), json!({})),
    ] {
        let mut document = before.clone();
        merge_patch(&mut document, &patch);
        assert_eq!(document, after, "{before} {patch}");
    }
}

#[test]
fn only_those_whose_share_changed_are_concerned() {
    let common = json!({"kind": "supplement", "changes": {"consequences": {"types": ["fraud"]}}});
    assert_eq!(concerned(&body(), &common), [["/consequences"], ["/consequences"]]);
    let own =
        json!({"kind": "supplement", "affected": [{"controller": controller(2), "records": {"count": {"exact": 7}}}]});
    assert_eq!(concerned(&body(), &own), [vec![], vec!["/records".to_owned()]]);
    let total = json!({"kind": "supplement", "changes": {"records": {"count": {"about": 900}}}});
    assert_eq!(concerned(&body(), &total), [Vec::<String>::new(), vec![]], "nobody sees the total");
    let same = json!({"kind": "supplement", "changes": {"title": "Open share link"}});
    assert_eq!(concerned(&body(), &same), [Vec::<String>::new(), vec![]]);
}

#[test]
fn a_part_stays_open_when_only_the_total_becomes_known() {
    let total = json!({"kind": "supplement", "changes": {"subjects": {"count": {"exact": 90}}},
                       "affected": [{"controller": controller(1), "subjects": {"count": {"exact": 30}}}]});
    assert_eq!(concerned(&body(), &total), [vec!["/subjects/count".to_owned()], vec![]]);
    let new = amended(&standing(&body()), &total);
    let share = Shares::of(&new.filing, 2).share(&controller(2)).0;
    assert_eq!(share.open_items().len(), 2, "its number and the consequences");
}

#[test]
fn what_was_stated_before_is_no_fault_of_a_later_version() {
    let title = json!({"kind": "supplement", "changes": {"title": "Open link"}});
    assert_eq!(merged(&standing(&body()), &title).1, []);
    let late = json!({"kind": "supplement", "changes": {"consequences": {"unknown": "x", "expected_by": "2026-11-24T08:00:00Z"}}});
    assert_eq!(merged(&standing(&body()), &late).1, found(&[("/changes/consequences", "time_in_past")]));
}

#[test]
fn a_completion_leaves_nothing_open_and_faults_point_into_it() {
    let completion = json!({"kind": "completion", "changes": {"colour": "red"},
        "affected": [{"controller": controller(2), "records": {"count": {"exact": 1300}}}, {"controller": controller(3)}]});
    let (_, mut faults) = merged(&standing(&body()), &completion);
    faults.sort_unstable();
    assert_eq!(
        faults,
        found(&[
            ("/affected/0/records/count", "contradiction"),
            ("/affected/1/controller", "not_affected"),
            ("/changes/colour", "unknown_member"),
            ("/changes/consequences", "unknown_in_complete"),
            ("/changes/subjects/count", "unknown_in_complete"),
        ])
    );
    let changes = json!({"consequences": {"types": ["fraud"]}, "subjects": {"count": {"exact": 9}}});
    let complete = amended(&standing(&body()), &json!({"kind": "completion", "changes": changes}));
    assert_eq!(complete.body["stage"], "complete");
    assert_eq!(merged(&complete, &json!({"kind": "completion"})).1, found(&[("/kind", "already_complete")]));
}

#[test]
fn only_a_correction_with_a_reason_moves_the_clock() {
    let changes = json!({"aware_at": "2026-11-22T00:40:00Z"});
    let supplement = json!({"kind": "supplement", "changes": changes});
    assert_eq!(
        merged(&standing(&body()), &supplement).1,
        found(&[("/changes/awareness_reason", "required"), ("/changes/aware_at", "correction_needed")])
    );
    let changes = json!({"aware_at": "2026-11-22T00:40:00Z", "awareness_reason": "the log was read only then"});
    let correction = json!({"kind": "correction", "reason": "wrong hour", "changes": changes});
    let new = amended(&standing(&body()), &correction);
    assert_eq!(new.filing.start(CountedFrom::Awareness), datetime!(2026-11-22 00:40 UTC));
    assert_eq!(new.filing.start(CountedFrom::Suspicion), datetime!(2026-11-22 00:10 UTC));
    let again = json!({"kind": "correction", "reason": "x", "changes": {"aware_at": "2026-11-22T00:50:00Z"}});
    let faults = merged(&new, &again).1;
    assert_eq!(faults, found(&[("/changes/awareness_reason", "required")]), "the reason before does not explain it");
}

#[test]
fn those_found_late_stand_behind_the_others() {
    let mut alone = body();
    alone["affected"] = json!([{"controller": controller(1)}]);
    let joiner = |number| {
        json!({"controller": controller(number), "known_at": "2026-11-23T10:00:00Z", "reason": "found in the logs",
                                 "records": {"count": {"exact": 9}}})
    };
    let second = joining(&json!({"affected": [joiner(2)]}));
    let (both, faults) = second.merge(&standing(&alone), LATER);
    assert!(faults.is_empty(), "{faults:?}");
    let both = both.unwrap();
    let concerns = concern(&filing(&alone), &both.filing, &told(1)).unwrap();
    assert_eq!(concerns[0].changes, [], "who was alone keeps its numbers");
    let share = Shares::of(&both.filing, 2).share(&controller(2)).0;
    assert_eq!(serde_json::to_value(share.figures.records.count).unwrap(), json!({"exact": 9}));

    let (_, faults) = second.merge(&both, LATER);
    assert_eq!(places(&faults), found(&[("/affected/0/controller", "already_affected")]));
    let mut early = joiner(3);
    early["known_at"] = json!("2026-11-22T00:09:00Z");
    early["records"] = json!({"count": {"exact": 90_000}, "colour": 1});
    let (_, faults) = joining(&json!({"affected": [early]})).merge(&both, LATER);
    assert_eq!(
        places(&faults),
        found(&[
            ("/affected/0/known_at", "time_order"),
            ("/affected/0/records/colour", "unknown_member"),
            ("/affected/0/records/count", "contradiction"),
        ])
    );
    let bad = json!({"affected": [{"controller": controller(1), "known_at": "2026-11-24T10:00:00Z"}],
                     "changes": {"title": "x", "records": {"categories": []}}});
    assert_eq!(
        places(&Joining::read(&bad, LATER).1),
        found(&[
            ("/affected/0/known_at", "time_in_future"),
            ("/affected/0/reason", "required"),
            ("/changes/records/categories", "unknown_member"),
            ("/changes/title", "unknown_member"),
        ])
    );
}

#[test]
fn a_later_notice_reads_back_as_its_share() {
    let new = amended(&standing(&body()), &json!({"kind": "supplement", "changes": {"title": "Open link"}}));
    let concern = concern(&filing(&body()), &new.filing, &told(2)).unwrap().remove(0);
    let supersedes = NoticeId::from_bytes([1; 16]);
    let later = LaterNotice {
        version: 2,
        phase: PhaseKind::Supplement,
        reason: None,
        supersedes: &supersedes,
        changes: &concern.changes,
    };
    let json = later.to_json(&concern.share).unwrap();
    assert!(json.starts_with(r#"{"version":2,"phase":"supplement","supersedes":"ntc_"#), "{json}");
    assert_eq!(ShareContent::from_stored(&json).unwrap(), concern.share);
}

/// Changes of which any may meet in one version.
fn patches() -> Vec<Value> {
    vec![
        json!({"title": "Another title"}),
        json!({"title": "Open share link"}),
        json!({"consequences": {"types": ["fraud"], "description": "x"}}),
        json!({"consequences": {"unknown": "still being assessed", "owner": "legal"}}),
        json!({"nature": {"description": "Two links were public.", "how_obtained": "by guessing"}}),
        json!({"nature": {"cause": "software_bug"}}),
        json!({"data_categories": ["identity", "contact"]}),
        json!({"data_categories": null}),
        json!({"special_categories": []}),
        json!({"subjects": {"count": {"exact": 90}}}),
        json!({"subjects": {"categories": null}}),
        json!({"records": {"count": {"min": 60, "max": 900}}}),
        json!({"records": {"unknown": "lost count"}}),
        json!({"occurred": {"from": "2026-11-20T00:00:00Z", "ongoing": true}}),
        json!({"contact": {"role": "dpo", "name": "Desk", "email": "dpo@example.org"}}),
    ]
}

fn own_patches() -> Vec<Value> {
    vec![
        json!({"note": "a word"}),
        json!({"records": {"count": {"exact": 12}}}),
        json!({"records": {"unknown": "lost"}}),
        json!({"subjects": {"count": {"about": 5}, "categories": ["patients"]}}),
        json!({"data_categories": ["contact"]}),
        json!({}),
    ]
}

fn affected() -> impl Strategy<Value = Value> {
    let listed = |number: u8| {
        let entry = |place: u8| match place {
            1 => json!({"controller": controller(1), "records": {"count": {"exact": 40}}}),
            _ => json!({"controller": controller(place)}),
        };
        (1..=number).map(entry).collect::<Value>()
    };
    prop_oneof![Just(json!("all")), Just(json!({"product": "azubiheft"})), (1..=3_u8).prop_map(listed)]
}

fn content(share: &ShareContent) -> Value {
    serde_json::from_str(&share.to_json().unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_changes_told_make_of_the_old_share_the_new_one(
        affected in affected(),
        common in sample::subsequence(patches(), 0..5),
        own in sample::select(own_patches()),
        number in 1..=3_u8,
        completes in any::<bool>(),
    ) {
        let mut body = body();
        body["affected"] = affected;
        let told = told(body["affected"].as_array().map_or(3, |list| u8::try_from(list.len()).unwrap()));
        let mut changes = json!({});
        for patch in &common {
            merge_patch(&mut changes, patch);
        }
        let mut entry = own;
        entry["controller"] = json!(controller(number.min(u8::try_from(told.len()).unwrap())));
        let kind = if completes { "completion" } else { "supplement" };
        let amendment = amendment(&json!({"kind": kind, "changes": changes, "affected": [entry]}));
        let old = filing(&body);
        let before = Standing::read(body, &told, FILED).unwrap();
        let unchanged = concern(&old, &before.filing, &told).unwrap();
        prop_assert!(unchanged.iter().all(|one| one.changes.is_empty()), "listing the controllers changes no share");
        let (Some(new), faults) = amendment.merge(&before, LATER) else { return Ok(()) };
        prop_assume!(faults.is_empty());
        prop_assert_eq!(&Filing::read_all(&new.body, LATER).0.unwrap(), &new.filing, "the stored body says the same");
        let concerns = concern(&old, &new.filing, &told).unwrap();
        for (controller, concern) in told.iter().zip(&concerns) {
            let before = Shares::of(&old, told.len()).share(controller).0;
            prop_assert_eq!(concern.changes.is_empty(), before == concern.share);
            let mut applied = content(&before);
            apply(&mut applied, &concern.changes);
            prop_assert_eq!(applied, content(&concern.share));
            if *controller.as_str() != *amendment.affected[0].controller.as_str() && told.len() > 1 {
                let seen = serde_json::to_string(&concern.changes).unwrap();
                let strange = ["a word", r#"{"exact":12}"#, r#"{"about":5}"#, r#"{"exact":90}"#];
                prop_assert!(!strange.iter().any(|part| seen.contains(part)), "{}", seen);
            }
        }
    }

    #[test]
    fn a_difference_is_the_way_from_one_to_the_other(
        one in sample::subsequence(patches(), 0..8),
        other in sample::subsequence(patches(), 0..8),
    ) {
        let document = |patches: &[Value]| {
            let mut document = json!({});
            for patch in patches {
                merge_patch(&mut document, patch);
            }
            document
        };
        let (before, after) = (document(&one), document(&other));
        let changes = differences(&before, &after);
        prop_assert_eq!(changes.is_empty(), before == after);
        let mut applied = before.clone();
        apply(&mut applied, &changes);
        prop_assert_eq!(applied, after);
        for change in &changes {
            prop_assert_eq!(before.pointer(&change.pointer).unwrap_or(&Value::Null), &change.before);
        }
    }
}
