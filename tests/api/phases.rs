//! Later versions of an incident: whom they concern, what they say, how they are refused, and who sees them.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::client::Answer;
use crate::harness::world::{World, merge, rfc3339, text};

/// Files the version after `version` of an incident.
pub(crate) async fn amend(world: &World, incident: &Value, version: i32, body: &Value) -> Answer {
    let path = format!("/v1/incidents/{}/versions", text(&incident["id"]));
    world.processor().request("POST", &path).header("if-match", &format!("\"{version}\"")).json(body).send().await
}

/// Files an initial incident for all controllers, with `consequences` still open for a day.
pub(crate) async fn file_open(app: &TestApp, world: &World) -> Value {
    let mut filing = world.filing();
    filing["stage"] = json!("initial");
    filing["consequences"] = json!({"unknown": "being assessed", "owner": "Security desk",
                                    "expected_by": rfc3339(app.now() + Duration::DAY)});
    world.processor().post("/v1/incidents", &filing).await.expect(201).json
}

/// Files an incident and a supplement to it.
pub(crate) async fn some_version(world: &World) -> Answer {
    let filed = world.file().await;
    amend(world, &filed, 1, &json!({"kind": "supplement", "changes": {"title": "Another title"}})).await
}

/// Files an incident and adds a controller that was found late.
pub(crate) async fn some_late_controller(world: &World) -> Answer {
    let staff = world.processor();
    let late = json!({"name": "Spätwerk AG", "roles": ["controller"], "country": "DE"});
    let late = staff.post("/v1/organisations", &late).await.expect(201).id();
    let mut agreement = crate::harness::world::agreement(&late, "AVV-late", "");
    agreement["terms"].as_object_mut().unwrap().remove("addressees");
    staff.post("/v1/agreements", &agreement).await.expect(201);
    let filed = world.file().await;
    let joiner = json!({"controller": late, "known_at": filed["filed_at"], "reason": "Found in an older log."});
    let path = format!("/v1/incidents/{}/affected", text(&filed["id"]));
    staff.request("POST", &path).header("if-match", "\"1\"").json(&json!({"affected": [joiner]})).send().await
}

/// The versions that somebody sees, as (number, phase).
async fn versions(client: &crate::harness::client::Client, incident: &Value) -> Vec<(i64, String)> {
    let path = format!("/v1/incidents/{}/versions", text(&incident["id"]));
    let page = client.get(&path).await.expect(200).json;
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| (item["version"].as_i64().unwrap(), text(&item["phase"]))).collect()
}

/// The notices to one controller, newest first, in full.
async fn notices(world: &World, index: usize) -> Vec<Value> {
    let client = world.controller_client(index);
    let list = client.get("/v1/notices").await.expect(200).json;
    let mut full = Vec::new();
    for notice in list["items"].as_array().unwrap() {
        full.push(client.get(&format!("/v1/notices/{}", text(&notice["id"]))).await.expect(200).json);
    }
    full
}

both! {
    async fn only_those_whose_share_changed_are_told_and_of_what(app: TestApp) {
        let world = app.world(3).await;
        let filed = world.file().await;
        app.step_workers().await;
        let first = notices(&world, 1).await.remove(0);
        world.receiver.taken().await;

        let own = json!({"controller": world.controllers[1].id, "records": {"count": {"exact": 300}}});
        let supplement = amend(&world, &filed, 1, &json!({"kind": "supplement", "affected": [own]})).await.expect(201);
        assert_eq!((supplement.header("etag"), &supplement.json["version"]), ("\"2\"", &json!(2)));
        assert_eq!((&supplement.json["told_count"], &supplement.json["affected_count"]), (&json!(1), &json!(3)));
        app.step_workers().await;
        let sent = world.receiver.taken().await;
        assert_eq!(sent.len(), 1, "nobody else is told");
        assert_eq!((sent[0].path.as_str(), &sent[0].json["type"]), ("/1", &json!("notice.supplement")));
        sent[0].verify(&world.controllers[1].secret, &world.controllers[1].public_key);
        let data = &sent[0].json["data"];
        assert_eq!((&data["sequence"], &data["supersedes"]), (&json!(2), &first["id"]));

        let told = notices(&world, 1).await;
        assert_eq!(told.len(), 2, "the earlier notice stays");
        assert_eq!((&told[1]["content"], &told[1]["content_sha256"]), (&first["content"], &first["content_sha256"]));
        let content = &told[0]["content"];
        assert_eq!((&content["version"], &content["phase"], &content["supersedes"]), (&json!(2), &json!("supplement"), &first["id"]));
        assert_eq!(content["changes"], json!([{"pointer": "/records/count", "before": null, "after": {"exact": 300}}]));
        assert_eq!(content["records"]["count"], json!({"exact": 300}));

        let reason = "The title named another archive.";
        let correction = json!({"kind": "correction", "reason": reason, "changes": {"title": "Open link on the mail archive"}});
        assert_eq!(amend(&world, &filed, 2, &correction).await.expect(201).json["told_count"], 3);
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.correction").await.len(), 3);
        let (none, both) = (notices(&world, 0).await, notices(&world, 1).await);
        assert_eq!((&none[0]["sequence"], &none[0]["supersedes"]), (&json!(2), &none[1]["id"]));
        assert_eq!((&both[0]["sequence"], &both[0]["supersedes"]), (&json!(3), &both[1]["id"]));
        assert_eq!((&both[0]["content"]["reason"], &both[0]["version"]), (&json!(reason), &json!(3)));
        assert_eq!(both[0]["content"]["changes"][0]["pointer"], "/title");
        // As a word: digests and ids hold these digits by chance.
        let seen = serde_json::to_string(&none).unwrap();
        assert!(seen.split(|sign: char| !sign.is_ascii_alphanumeric()).all(|word| word != "300"), "nothing of others: {seen}");
        let report = format!("/v1/incidents/{}/report?format=json&lang=en", text(&filed["id"]));
        let report = world.controller_client(1).get(&report).await.expect(200).json;
        assert_eq!(report["notices"].as_array().unwrap().len(), 3, "the report tells every notice");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn everybody_sees_the_versions_that_concern_it(app: TestApp) {
        let world = app.world(2).await;
        let filed = world.file().await;
        let own = json!({"controller": world.controllers[1].id, "note": "Only you know."});
        amend(&world, &filed, 1, &json!({"kind": "supplement", "affected": [own]})).await.expect(201);
        amend(&world, &filed, 2, &json!({"kind": "supplement", "changes": {"title": "Another title"}})).await.expect(201);
        let all = |numbers: &[i64]| -> Vec<(i64, String)> {
            numbers.iter().map(|number| (*number, if *number == 1 { "initial" } else { "supplement" }.to_owned())).collect()
        };
        assert_eq!(versions(&world.processor(), &filed).await, all(&[1, 2, 3]));
        assert_eq!(versions(&world.controller_client(0), &filed).await, all(&[1, 3]));
        assert_eq!(versions(&world.controller_client(1), &filed).await, all(&[1, 2, 3]));
        let path = format!("/v1/incidents/{}/versions", text(&filed["id"]));
        let seen = world.processor().get(&path).await.expect(200).json;
        assert_eq!(seen["items"][1]["affected"], json!([own]));
        assert_eq!(seen["items"][2]["changes"][0]["after"], "Another title");
        assert_eq!(seen["items"][2]["release"]["state"], "not_needed");
        let seen = world.controller_client(0).get(&path).await.expect(200).json;
        assert!(!seen.to_string().contains("Only you know"), "{seen}");
        assert_eq!((&seen["items"][1]["affected"], &seen["items"][1]["filed_by"]), (&json!(null), &json!(null)));
        let page = world.processor().get(&format!("{path}?limit=2")).await.expect(200).json;
        let rest = world.processor().get(&format!("{path}?limit=2&cursor={}", text(&page["next"]))).await.expect(200).json;
        assert_eq!((rest["items"].as_array().unwrap().len(), &rest["items"][0]["version"]), (1, &json!(3)));
        let stranger = app.world(1).await;
        stranger.processor().get(&path).await.expect(404);
        stranger.controller_client(0).get(&path).await.expect(404);
        let incident = world.processor().get(&format!("/v1/incidents/{}", text(&filed["id"]))).await.expect(200);
        assert_eq!((incident.header("etag"), &incident.json["title"]), ("\"3\"", &json!("Another title")));
    }

    async fn refusals_name_everything_and_keep_nothing(app: TestApp) {
        let world = app.world(2).await;
        let filed = file_open(&app, &world).await;
        let stranger = app.organisation("Fremdwerk AG", &["controller"]).await;
        let completion = json!({"kind": "completion", "changes": {"colour": "red", "contact": null, "stage": "initial"},
                                "affected": [{"controller": stranger}, {"controller": world.controllers[0].id, "records": {"count": {"exact": -1}}}]});
        let answer = amend(&world, &filed, 1, &completion).await.expect(422);
        let mut faults = answer.faults();
        faults.sort_unstable();
        assert_eq!(faults, [
            ("/affected/0/controller", "not_affected"),
            ("/affected/1/records/count/exact", "type"),
            ("/changes/colour", "unknown_member"),
            ("/changes/consequences", "unknown_in_complete"),
            ("/changes/contact", "required"),
            ("/changes/stage", "not_changeable"),
        ]);
        for (body, expected) in [
            (json!({"kind": "supplement"}), vec![("", "nothing_changed")]),
            (json!({"kind": "supplement", "changes": {"title": world.filing()["title"]}}), vec![("", "nothing_changed")]),
            (json!({"kind": "supplement", "changes": {"records": {"count": {"about": 900}}}}), vec![("", "nothing_changed")]),
            (json!({"kind": "correction", "changes": {"title": "x"}}), vec![("/reason", "required")]),
            (json!({"kind": "withdrawal"}), vec![("/reason", "required")]),
            (json!({"kind": "joined"}), vec![("/kind", "unknown_code")]),
            (json!({"kind": "supplement", "changes": {"aware_at": "2026-11-22T00:20:00Z"}}),
             vec![("/changes/awareness_reason", "required"), ("/changes/aware_at", "correction_needed")]),
        ] {
            let answer = amend(&world, &filed, 1, &body).await.expect(422);
            assert_eq!(answer.faults(), expected, "{body}");
        }
        assert_eq!(versions(&world.processor(), &filed).await.len(), 1);
        assert_eq!(notices(&world, 0).await.len(), 1);
    }

    async fn demands_are_those_of_the_agreement_as_it_was(app: TestApp) {
        let world = app.world(1).await;
        let filed = file_open(&app, &world).await;
        let path = format!("/v1/agreements/{}", world.controllers[0].agreement);
        let current = world.processor().get(&path).await.expect(200);
        let mut changed = crate::harness::world::agreement(&world.controllers[0].id, "AVV-0", &world.controllers[0].webhook);
        changed.as_object_mut().unwrap().remove("controller");
        merge(&mut changed, &json!({"terms": {"required_content": ["nature", "time", "how_obtained"]}}));
        world.processor().put(&path, current.header("etag"), &changed).await.expect(200);
        let without = json!({"kind": "completion", "changes": {"consequences": null}});
        let answer = amend(&world, &filed, 1, &without).await.expect(422);
        assert_eq!(answer.faults(), [("/changes/consequences", "required")]);
        assert_eq!(answer.json["errors"][0]["agreement"], world.controllers[0].agreement.as_str());
        let given = json!({"kind": "completion", "changes": {"consequences": {"types": ["fraud"]}}});
        assert_eq!(amend(&world, &filed, 1, &given).await.expect(201).json["stage"], "complete");
        let again = amend(&world, &filed, 2, &json!({"kind": "completion"})).await.expect(422);
        assert_eq!(again.faults(), [("/kind", "already_complete")]);
    }

    async fn where_nobody_was_listed_single_controllers_can_still_be_told(app: TestApp) {
        let world = app.world(3).await;
        let mut filing = world.filing();
        merge(&mut filing, &json!({"stage": "initial", "affected": "all"}));
        let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
        let own = json!({"controller": world.controllers[2].id, "subjects": {"count": {"exact": 7}}});
        assert_eq!(amend(&world, &filed, 1, &json!({"kind": "supplement", "affected": [own]})).await.expect(201).json["told_count"], 1);
        let told = notices(&world, 2).await;
        let change = &told[0]["content"]["changes"];
        assert_eq!(change[0]["pointer"], "/subjects/count");
        assert_eq!(change[0]["before"]["unknown"], "not yet broken down per controller");
        assert_eq!((change.as_array().unwrap().len(), &change[0]["after"]), (1, &json!({"exact": 7})));
        assert_eq!(notices(&world, 0).await.len(), 1);
    }

    async fn versions_follow_each_other_one_by_one(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        let path = format!("/v1/incidents/{}/versions", text(&filed["id"]));
        let body = json!({"kind": "supplement", "changes": {"title": "Another title"}});
        world.processor().post(&path, &body).await.expect(428);
        assert_eq!(amend(&world, &filed, 2, &body).await.expect(412).problem(), "version-mismatch");
        let keyed = |version: &'static str, body: Value| {
            let request = world.processor().request("POST", &path).header("if-match", version);
            request.header("idempotency-key", "once").json(&body).send()
        };
        let (one, other) = futures::join!(amend(&world, &filed, 1, &body), amend(&world, &filed, 1, &body));
        let mut both = [one.status, other.status];
        both.sort_unstable();
        assert_eq!(both, [201, 412], "of two at the same instant one is first");
        let next = json!({"kind": "supplement", "changes": {"title": "A third title"}});
        let first = keyed("\"2\"", next.clone()).await.expect(201);
        let again = keyed("\"2\"", next).await.expect(201);
        assert_eq!((&again.body, again.header("etag")), (&first.body, first.header("etag")));
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(versions(&world.processor(), &filed).await.len(), 3);
        let controller = app.as_org(&world.controllers[0].id, "incidents:write");
        controller.request("POST", &path).header("if-match", "\"3\"").json(&body).send().await.expect(404);
    }

    async fn a_drill_stays_in_the_house(app: TestApp) {
        let world = app.world(1).await;
        let mut filing = world.filing();
        filing["drill"] = json!(true);
        let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
        let body = json!({"kind": "supplement", "changes": {"title": "Another title"}});
        assert_eq!(amend(&world, &filed, 1, &body).await.expect(201).json["told_count"], 1);
        let withdrawn = json!({"kind": "withdrawal", "reason": "The drill is over."});
        amend(&world, &filed, 2, &withdrawn).await.expect(201);
        app.step_workers().await;
        assert_eq!(world.receiver.taken().await.len(), 0);
        assert_eq!(world.controller_client(0).get("/v1/notices").await.expect(200).json["items"], json!([]));
        let path = format!("/v1/incidents/{}/versions", text(&filed["id"]));
        world.controller_client(0).get(&path).await.expect(404);
    }
}
