//! Filing: every refusal by itself and all at once, what is accepted, and that nothing of a refused filing is kept.

use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::world::{World, filing, merge, text};

/// One thing that is wrong: what is changed in a good filing (RFC 7396), and the faults that must come of it.
type Refusal = (&'static str, Value, Vec<(&'static str, &'static str)>);

fn times() -> Vec<Refusal> {
    vec![
        (
            "it occurred after it was detected",
            json!({"occurred": {"from": "2026-11-22T00:20:00Z"}}),
            vec![("/occurred/from", "time_order")],
        ),
        (
            "it ended before it began",
            json!({"occurred": {"from": "2026-11-21T10:00:00Z", "until": "2026-11-21T09:00:00Z"}}),
            vec![("/occurred/until", "time_order")],
        ),
        (
            "it has ended and goes on",
            json!({"occurred": {"from": "2026-11-21T10:00:00Z", "until": "2026-11-21T11:00:00Z", "ongoing": true}}),
            vec![("/occurred/ongoing", "contradiction")],
        ),
        (
            "aware before it was detected",
            json!({"aware_at": "2026-11-22T00:09:59Z"}),
            vec![("/aware_at", "time_order")],
        ),
        (
            "aware later than detected without a reason",
            json!({"aware_at": "2026-11-22T00:11:00Z"}),
            vec![("/awareness_reason", "required")],
        ),
        (
            "aware in the future",
            json!({"aware_at": "2026-11-22T00:41:00Z", "awareness_reason": "log review"}),
            vec![("/aware_at", "time_in_future")],
        ),
        (
            "both in the future, given with another offset",
            json!({"detected_at": "2026-11-22T01:41:00+01:00", "aware_at": "2026-11-22T01:41:00+01:00"}),
            vec![("/detected_at", "time_in_future"), ("/aware_at", "time_in_future")],
        ),
        (
            "a measure taken in the future",
            json!({"measures": {"taken": [{"description": "x", "at": "2026-11-22T02:00:00Z"}]}}),
            vec![("/measures/taken/0/at", "time_in_future")],
        ),
        ("a time without offset", json!({"aware_at": "2026-11-22T00:10:00"}), vec![("/aware_at", "time")]),
    ]
}

fn counts() -> Vec<Refusal> {
    vec![
        (
            "min above max",
            json!({"subjects": {"count": {"exact": null, "min": 9, "max": 3}}}),
            vec![("/subjects/count", "min_above_max")],
        ),
        (
            "two forms at once",
            json!({"subjects": {"count": {"exact": 3, "about": 3}}}),
            vec![("/subjects/count", "count")],
        ),
        ("less than nobody", json!({"subjects": {"count": {"exact": -1}}}), vec![("/subjects/count/exact", "type")]),
        (
            "unknown in a complete filing",
            json!({"subjects": {"count": {"exact": null, "unknown": "logs are being read"}}}),
            vec![("/subjects/count", "unknown_in_complete")],
        ),
    ]
}

fn content() -> Vec<Refusal> {
    let unknown = json!({"types": null, "description": null, "unknown": "being assessed"});
    vec![
        ("no nature", json!({"nature": null}), vec![("/nature", "required")]),
        ("no contact", json!({"contact": null}), vec![("/contact", "required")]),
        ("no consequences", json!({"consequences": null}), vec![("/consequences", "required")]),
        ("no measures", json!({"measures": null}), vec![("/measures", "required")]),
        (
            "consequences unknown in a complete filing",
            json!({"consequences": unknown}),
            vec![("/consequences", "unknown_in_complete")],
        ),
        ("a kind that is none", json!({"kind": "mishap"}), vec![("/kind", "unknown_code")]),
        ("no title", json!({"title": null}), vec![("/title", "required")]),
        ("a member that is not known", json!({"colour": "red"}), vec![("/colour", "unknown_member")]),
        ("nobody affected", json!({"affected": []}), vec![("/affected", "empty")]),
        ("nothing said of whom it affects", json!({"affected": null}), vec![("/affected", "required")]),
        ("affected is a number", json!({"affected": 5}), vec![("/affected", "type")]),
        ("a product of nobody", json!({"affected": {"product": "nothing"}}), vec![("/affected", "nobody_to_tell")]),
        (
            "a kind that no agreement asks for",
            json!({"kind": "irregularity"}),
            vec![("/affected/0/controller", "not_triggered"), ("/affected/1/controller", "not_triggered")],
        ),
        (
            "a kind that no agreement asks for, to all",
            json!({"kind": "irregularity", "affected": "all"}),
            vec![("/affected", "nobody_to_tell")],
        ),
    ]
}

/// Refusals that name the controllers.
fn shares(world: &World, stranger: &str) -> Vec<Refusal> {
    let (first, second) = (&world.controllers[0].id, &world.controllers[1].id);
    let records = |count: u64| json!({"count": {"exact": count}});
    let share = |controller: &str, count| json!({"controller": controller, "records": records(count)});
    let whole = json!({"categories": ["weekly_reports"], "count": {"about": null, "exact": 100}});
    vec![
        (
            "the same controller twice",
            json!({"affected": [{"controller": first}, {"controller": second}, {"controller": first}]}),
            vec![("/affected/2/controller", "duplicate")],
        ),
        (
            "a controller without an agreement",
            json!({"affected": [{"controller": first}, {"controller": stranger}]}),
            vec![("/affected/1/controller", "no_agreement")],
        ),
        (
            "one has more than there is",
            json!({"records": whole, "affected": [share(first, 101), share(second, 0)]}),
            vec![("/affected/0/records/count", "contradiction")],
        ),
        (
            "together they have more than there is",
            json!({"records": whole, "affected": [share(first, 60), share(second, 41)]}),
            vec![("/records/count", "contradiction")],
        ),
        (
            "together they have less than there is",
            json!({"records": whole, "affected": [share(first, 60), share(second, 39)]}),
            vec![("/records/count", "contradiction")],
        ),
        (
            "more persons than there are",
            json!({"affected": [{"controller": first, "subjects": {"count": {"min": 38, "max": 40}}}]}),
            vec![("/affected/0/subjects/count", "contradiction")],
        ),
    ]
}

/// How much of everything there is: incidents, notices, duties, entries of the ledger.
async fn stored(world: &World, app: &TestApp) -> [usize; 4] {
    let mut found = [0; 4];
    let audit = app.as_org(&world.processor, "audit:read");
    for (place, path) in ["/v1/incidents", "/v1/notices", "/v1/duties"].into_iter().enumerate() {
        let page = world.processor().get(path).await.expect(200).json;
        found[place] = page["items"].as_array().unwrap().len();
    }
    let entries = audit.get("/v1/audit?limit=500").await.expect(200).json;
    found[3] = entries["items"].as_array().unwrap().len();
    found
}

both! {
    async fn every_refusal_names_its_place_and_nothing_is_kept(app: TestApp) {
        let world = app.world(2).await;
        let stranger = app.organisation("Fremdwerk AG", &["controller"]).await;
        let before = stored(&world, &app).await;
        for (name, change, expected) in [times(), counts(), content(), shares(&world, &stranger)].concat() {
            let mut filing = world.filing();
            merge(&mut filing, &change);
            let answer = world.processor().post("/v1/incidents", &filing).await.expect(422);
            assert_eq!((answer.problem(), answer.faults()), ("content", expected), "{name}");
        }
        app.step_workers().await;
        assert_eq!(stored(&world, &app).await, before);
        assert_eq!(world.receiver.taken().await.len(), 0);
    }

    async fn missing_content_names_article_and_agreement(app: TestApp) {
        let world = app.world(2).await;
        for (member, basis) in [
            ("nature", "Art. 33(3)(a) GDPR"),
            ("contact", "Art. 33(3)(b) GDPR"),
            ("consequences", "Art. 33(3)(c) GDPR"),
            ("measures", "Art. 33(3)(d) GDPR"),
        ] {
            let mut filing = world.filing();
            filing.as_object_mut().unwrap().remove(member);
            let answer = world.processor().post("/v1/incidents", &filing).await.expect(422);
            let fault = &answer.json["errors"][0];
            let asking: Vec<_> = world.controllers.iter().map(|known| json!(known.agreement)).collect();
            assert_eq!(fault["legal_basis"], basis);
            assert!(asking.contains(&fault["agreement"]), "{fault}");
            assert!(text(&fault["detail"]).contains("one further agreement"), "{fault}");
        }
    }

    async fn all_faults_come_in_one_answer(app: TestApp) {
        let world = app.world(2).await;
        let stranger = app.organisation("Fremdwerk AG", &["controller"]).await;
        let (first, second) = (&world.controllers[0].id, &world.controllers[1].id);
        let before = stored(&world, &app).await;
        let mut filing = world.filing();
        merge(&mut filing, &json!({
            "detected_at": "2026-11-22T00:45:00Z", "aware_at": "2026-11-22T00:50:00Z",
            "occurred": {"from": "2026-11-22T00:46:00Z", "until": "2026-11-22T00:39:00Z"},
            "consequences": {"types": null, "description": null, "unknown": "being assessed"},
            "nature": null, "contact": null, "colour": "red",
            "subjects": {"count": {"exact": null, "min": 9, "max": 3}},
            "records": {"count": {"about": null, "exact": 100}},
            "affected": [{"controller": first, "records": {"count": {"exact": 101}}}, {"controller": stranger},
                         {"controller": second}, {"controller": second}],
        }));
        let answer = world.processor().post("/v1/incidents", &filing).await.expect(422);
        let mut found = answer.faults();
        found.sort_unstable();
        assert_eq!(found, [
            ("/affected/0/records/count", "contradiction"),
            ("/affected/1/controller", "no_agreement"),
            ("/affected/3/controller", "duplicate"),
            ("/aware_at", "time_in_future"),
            ("/awareness_reason", "required"),
            ("/colour", "unknown_member"),
            ("/consequences", "unknown_in_complete"),
            ("/contact", "required"),
            ("/detected_at", "time_in_future"),
            ("/nature", "required"),
            ("/occurred/from", "time_in_future"),
            ("/occurred/from", "time_order"),
            ("/occurred/until", "time_order"),
            ("/subjects/count", "min_above_max"),
        ]);
        assert_eq!(stored(&world, &app).await, before);
    }

    async fn an_initial_filing_may_declare_what_is_not_known_yet(app: TestApp) {
        let world = app.world(1).await;
        let unknown = json!({"unknown": "being assessed", "expected_by": "2026-11-23T08:00:00Z"});
        let mut filing = world.filing();
        merge(&mut filing, &json!({"stage": "initial"}));
        for member in ["consequences", "contact", "measures", "nature", "subjects"] {
            filing[member] = unknown.clone();
        }
        let filed = world.processor().post("/v1/incidents", &filing).await.expect(201);
        assert_eq!(filed.header("location"), format!("/v1/incidents/{}", filed.id()));
        let notice = world.notice(0).await;
        let notice = world.controller_client(0).get(&format!("/v1/notices/{}", text(&notice["id"]))).await.expect(200);
        assert_eq!(notice.json["content"]["consequences"], unknown);

        let absent = { filing.as_object_mut().unwrap().remove("measures"); filing.clone() };
        let refused = world.processor().post("/v1/incidents", &absent).await.expect(422);
        assert_eq!(refused.faults(), [("/measures", "required")], "absent is not the same as unknown");
        filing["measures"] = json!({"unknown": "being assessed", "expected_by": "2026-11-22T00:40:00Z"});
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(refused.faults(), [("/measures", "time_in_past")]);
    }

    async fn a_complete_filing_is_told_with_one_transaction_and_no_unknowns(app: TestApp) {
        let world = app.world(3).await;
        let filed = world.file().await;
        assert_eq!((&filed["stage"], &filed["state"]), (&json!("complete"), &json!("telling")));
        assert_eq!((&filed["affected_count"], &filed["version"]), (&json!(3), &json!(1)));
        let count = |row: &str| filed["duties"]["items"].as_array().unwrap().iter().filter(|duty| duty["obligation"] == row).count();
        let rows = ["contract_notice", "gdpr_33_1", "gdpr_33_5", "gdpr_34"];
        assert_eq!(rows.map(count), [3; 4], "each controller has its own");
        assert_eq!(filed["duties"]["items"].as_array().unwrap().len(), 12, "and nothing is open");
        let shown = world.processor().get(&format!("/v1/incidents/{}", text(&filed["id"]))).await.expect(200);
        assert_eq!(shown.json["notices"], json!({"pending": 3, "delivered": 0, "acknowledged": 0}));
    }

    async fn affected_may_be_all_or_a_product(app: TestApp) {
        let world = app.world(2).await;
        let (staff, receiver) = (world.processor(), world.receiver.url("/other"));
        let body = json!({"name": "Anderswerk AG", "roles": ["controller"], "country": "DE"});
        let other = staff.post("/v1/organisations", &body).await.expect(201).id();
        let webhook = json!({"url": receiver, "events": ["*"], "organisation": other});
        let webhook = staff.post("/v1/webhooks", &webhook).await.expect(201).id();
        let mut agreement = crate::harness::world::agreement(&other, "AVV-other", &webhook);
        agreement["products"] = json!(["ai-value"]);
        staff.post("/v1/agreements", &agreement).await.expect(201);
        for (affected, told) in [(json!("all"), 3), (json!({"product": "azubiheft"}), 2), (json!({"product": "ai-value"}), 1)] {
            let filed = staff.post("/v1/incidents", &filing(app.now(), &affected)).await.expect(201);
            assert_eq!(filed.json["affected_count"], told, "{affected}");
        }
        assert_eq!(app.as_org(&other, "notices:read").get("/v1/notices").await.expect(200).json["items"].as_array().unwrap().len(), 2);
    }

    async fn only_processors_file(app: TestApp) {
        let world = app.world(1).await;
        let answer = app.as_org(&world.controllers[0].id, "incidents:write").post("/v1/incidents", &world.filing()).await;
        assert_eq!((answer.status, answer.problem()), (403, "forbidden"));
    }
}
