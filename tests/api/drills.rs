//! Drills, which are done in full but for sending and owing, and incidents that are kept although nobody has to be told.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::{four_eyes, sees_nothing};
use crate::harness::app::TestApp;
use crate::harness::world::{World, merge, rfc3339, text};
use crate::phases::amend;

/// Files a drill for all controllers, with something still open.
async fn drill(app: &TestApp, world: &World) -> Value {
    let mut filing = world.filing();
    let expected = rfc3339(app.now() + Duration::DAY);
    filing["consequences"] = json!({"unknown": "part of the exercise", "expected_by": expected});
    merge(&mut filing, &json!({"stage": "initial", "drill": true}));
    world.processor().post("/v1/incidents", &filing).await.expect(201).json
}

async fn duties(world: &World, incident: &Value) -> Vec<Value> {
    let path = format!("/v1/duties?limit=500&incident={}", text(&incident["id"]));
    world.processor().get(&path).await.expect(200).json["items"].as_array().unwrap().clone()
}

both! {
    async fn a_drill_shows_every_due_time_and_owes_nothing(app: TestApp) {
        let world = app.world(2).await;
        let filed = drill(&app, &world).await;
        assert_eq!((&filed["drill"], &filed["affected_count"]), (&json!(true), &json!(2)));
        let all = duties(&world, &filed).await;
        assert!(all.len() > 4 && all.iter().all(|duty| duty["state"] == "drill"), "{all:?}");
        let notice = all.iter().find(|duty| duty["obligation"] == "contract_notice").unwrap();
        assert_eq!((&notice["legal_due_at"], &notice["next_alarm_at"]), (&json!("2026-11-23T00:10:00Z"), &Value::Null));
        assert_eq!(world.processor().get("/v1/duties").await.expect(200).json["items"], json!([]), "the board is empty");
        app.advance(Duration::days(9));
        app.step_workers().await;
        assert_eq!(world.receiver.taken().await.len(), 0);
        assert!(duties(&world, &filed).await.iter().all(|duty| duty["state"] == "drill"));
        let outbox = world.processor().get("/v1/notices").await.expect(200).json;
        assert_eq!(outbox["items"].as_array().unwrap().len(), 2, "the processor sees what it would have sent");
        let again = format!("/v1/notices/{}/redeliver", text(&outbox["items"][0]["id"]));
        assert_eq!(world.processor().request("POST", &again).send().await.expect(409).problem(), "no-endpoint");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn a_controller_finds_no_trace_of_a_drill(app: TestApp) {
        let world = app.world(1).await;
        let filed = drill(&app, &world).await;
        let own = world.controller_client(0);
        sees_nothing(&own, &filed).await;
        let webhook = json!({"url": world.receiver.url("/late"), "events": ["*"]});
        own.post("/v1/webhooks", &webhook).await.expect(201);
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 0, "nor does an endpoint that comes later");
        let notice = world.processor().get("/v1/notices").await.expect(200).json["items"][0].clone();
        let path = format!("/v1/notices/{}", text(&notice["id"]));
        own.get(&path).await.expect(404);
        own.get(&format!("{path}/content")).await.expect(404);
        let body = json!({"content_sha256": notice["content_sha256"], "by": {"name": "A", "role": "dpo"}});
        own.post(&format!("{path}/acknowledgement"), &body).await.expect(404);
        let instruction = json!({"kind": "file_with_authority", "scope": "All.", "form": "text", "given_by": "A",
                                 "given_at": "2026-11-22T00:20:00Z"});
        own.post(&format!("/v1/incidents/{}/instructions", text(&filed["id"])), &instruction).await.expect(404);
        for duty in duties(&world, &filed).await {
            own.get(&format!("/v1/duties/{}", text(&duty["id"]))).await.expect(404);
        }
    }

    async fn a_version_of_a_drill_stays_in_the_house_and_waits_for_nobody(app: TestApp) {
        let world = app.world(1).await;
        four_eyes(&world, "page").await;
        let filed = drill(&app, &world).await;
        assert_eq!(filed["release"], Value::Null);
        let given = json!({"kind": "completion", "changes": {"consequences": {"types": ["fraud"]}}});
        let amended = amend(&world, &filed, 1, &given).await.expect(201).json;
        assert_eq!((&amended["release"], &amended["told_count"]), (&Value::Null, &json!(1)));
        app.step_workers().await;
        assert_eq!(world.receiver.taken().await.len(), 0);
        sees_nothing(&world.controller_client(0), &filed).await;
        assert!(duties(&world, &filed).await.iter().all(|duty| duty["state"] == "drill"));
        let changed = json!({"kind": "correction", "reason": "x", "changes": {"drill": false}});
        let refused = amend(&world, &filed, 2, &changed).await.expect(422);
        assert_eq!(refused.faults(), [("/changes/drill", "not_changeable")], "a drill stays one");
    }

    async fn what_nobody_must_be_told_is_kept_with_a_reason_only(app: TestApp) {
        let world = app.world(1).await;
        let mut filing = world.filing();
        merge(&mut filing, &json!({"kind": "contact_change", "affected": "all"}));
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(refused.faults(), [("/affected", "nobody_to_tell")]);
        assert!(text(&refused.json["errors"][0]["detail"]).contains("no_duty_reason"));
        merge(&mut filing, &json!({"affected": []}));
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(refused.faults(), [("/affected", "empty")]);
        assert!(text(&refused.json["errors"][0]["detail"]).contains("no_duty_reason"));
        assert_eq!(world.processor().get("/v1/incidents").await.expect(200).json["items"], json!([]));

        for affected in [json!("all"), json!([]), json!([{"controller": world.controllers[0].id}])] {
            merge(&mut filing, &json!({"affected": affected, "no_duty_reason": "The agreement does not ask for it."}));
            let kept = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
            assert_eq!((&kept["state"], &kept["affected_count"]), (&json!("kept"), &json!(0)), "{affected}");
            let shown = world.processor().get(&format!("/v1/incidents/{}", text(&kept["id"]))).await.expect(200).json;
            assert_eq!((&shown["state"], &shown["chain"]), (&json!("kept"), &json!([])));
            assert_eq!(shown["no_duty_reason"], "The agreement does not ask for it.");
            sees_nothing(&world.controller_client(0), &kept).await;
        }
        app.step_workers().await;
        assert_eq!(world.receiver.taken().await.len(), 0);
        let listed = world.processor().get("/v1/incidents?state=kept").await.expect(200).json;
        assert_eq!(listed["items"].as_array().unwrap().len(), 3);
        let audit = world.processor().get("/v1/audit?limit=500").await.expect(200).json.to_string();
        assert!(!audit.contains("does not ask for it"), "no words, only digests");
    }

    async fn a_reason_does_not_excuse_where_somebody_must_be_told(app: TestApp) {
        let world = app.world(1).await;
        let mut filing = world.filing();
        filing["no_duty_reason"] = json!("We would rather not.");
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(refused.faults(), [("/no_duty_reason", "contradiction")]);
        assert_eq!(world.processor().get("/v1/incidents").await.expect(200).json["items"], json!([]));
        filing["no_duty_reason"] = json!("");
        let refused = world.processor().post("/v1/incidents", &filing).await.expect(422);
        assert_eq!(refused.faults(), [("/no_duty_reason", "empty")]);
    }
}
