//! Milestones that somebody reports: words of the catalogue that start and end clocks.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::{below, declare, told};
use crate::harness::app::TestApp;
use crate::harness::world::{World, agreement, merge, text};

fn classified(at: &str) -> Value {
    json!({"milestone": "classified", "at": at, "by": "B. Beispiel", "reason": "Geheim: ein Zehntel aller Kunden"})
}

/// A controller reports that it classified the incident.
async fn report(world: &World, filed: &Value, index: usize, at: &str) -> Value {
    world.controller_client(index).post(&below(filed, "milestones"), &classified(at)).await.expect(201).json
}

async fn items(world: &World, filed: &Value, controller: Option<usize>) -> Vec<Value> {
    let client = controller.map_or_else(|| world.processor(), |index| world.controller_client(index));
    client.get(&below(filed, "milestones")).await.expect(200).json["items"].as_array().unwrap().clone()
}

both! {
    async fn a_classification_starts_the_four_hours_and_the_cap_holds(app: TestApp) {
        let world = app.world(2).await;
        for controller in &world.controllers {
            declare(&world.processor(), &controller.id, "dora_systemic").await;
        }
        let filed = world.file().await;
        app.step_workers().await;
        assert_eq!(world.duty(&filed, "dora_systemic_initial", 0).await["state"], "not_started");
        app.advance(Duration::hours(2));
        let reported = report(&world, &filed, 0, "2026-11-22T02:00:00Z").await;
        assert_eq!((&reported["milestone"], &reported["party"]), (&json!("classified"), &json!(world.controllers[0].id)));
        let duty = world.duty(&filed, "dora_systemic_initial", 0).await;
        assert_eq!((&duty["state"], &duty["start_at"]), (&json!("running"), &json!("2026-11-22T02:00:00Z")));
        assert_eq!(duty["legal_due_at"], "2026-11-22T06:00:00Z");
        assert_eq!(world.duty(&filed, "dora_systemic_initial", 1).await["state"], "not_started", "another controller's");
        app.advance(Duration::hours(21));
        report(&world, &filed, 1, "2026-11-22T23:00:00Z").await;
        let duty = world.duty(&filed, "dora_systemic_initial", 1).await;
        assert_eq!(duty["legal_due_at"], "2026-11-23T00:40:00Z", "24 hours from awareness hold before the four hours");

        assert_eq!(items(&world, &filed, None).await.len(), 2);
        assert_eq!(items(&world, &filed, Some(0)).await, [reported]);
        for index in [0, 1] {
            let audit = world.controller_client(index).get("/v1/audit?limit=500").await.expect(200);
            let entries = audit.json["items"].as_array().unwrap();
            let own = entries.iter().filter(|entry| entry["kind"] == "milestone.reported").collect::<Vec<_>>();
            assert_eq!((own.len(), &own[0]["facts"]["party"]), (1, &json!(world.controllers[index].id)));
            assert!(!audit.json.to_string().contains("Zehntel"), "no words, only digests");
        }
    }

    async fn a_milestone_is_a_known_word_and_comes_once(app: TestApp) {
        let (world, filed) = told(&app, 2).await;
        let (path, own) = (below(&filed, "milestones"), world.controller_client(0));
        let nonsense = json!({"milestone": "forgotten", "at": "2026-11-23T00:00:00Z", "more": 1});
        let refused = own.post(&path, &nonsense).await.expect(422);
        let expected =
            [("/milestone", "unknown_code"), ("/at", "time_in_future"), ("/by", "required"), ("/more", "unknown_member")];
        assert_eq!(refused.faults(), expected);
        let detail = text(&refused.json["errors"][0]["detail"]);
        assert!(detail.starts_with("Expected one of: ") && detail.contains("classified"), "{detail}");
        let refused = own.post(&path, &classified("2026-11-21T00:00:00Z")).await.expect(422);
        assert_eq!(refused.faults(), [("/at", "time_order")], "before anything was detected");
        own.post(&path, &classified("2026-11-22T00:40:00Z")).await.expect(201);
        assert_eq!(own.post(&path, &classified("2026-11-22T00:30:00Z")).await.expect(409).problem(), "already-reported");
        world.controller_client(1).post(&path, &classified("2026-11-22T00:40:00Z")).await.expect(201);
        let staff = world.processor();
        staff.post(&path, &classified("2026-11-22T00:40:00Z")).await.expect(201);
        assert_eq!(items(&world, &filed, None).await.len(), 3, "one of each party");

        let mut other = classified("2026-11-22T00:40:00Z");
        merge(&mut other, &json!({"controller": world.controllers[1].id}));
        assert_eq!(own.post(&path, &other).await.expect(422).faults(), [("/controller", "unknown_controller")]);
        assert_eq!(staff.post(&path, &other).await.expect(403).problem(), "forbidden", "a controller classifies itself");
        let stranger = app.world(1).await;
        for client in [stranger.controller_client(0), stranger.processor()] {
            client.post(&path, &other).await.expect(404);
            client.get(&path).await.expect(404);
        }
    }

    async fn an_objection_that_reached_the_processor_ends_the_period_for_it(app: TestApp) {
        let world = app.world(2).await;
        for controller in &world.controllers {
            let path = format!("/v1/agreements/{}", controller.agreement);
            let current = world.processor().get(&path).await.expect(200);
            let mut body = agreement(&controller.id, &text(&current.json["reference"]), &controller.webhook);
            body.as_object_mut().unwrap().remove("controller");
            let terms = json!({"terms": {"triggers": ["subprocessor_change"], "subprocessor_objection": "P14D", "required_content": []}});
            merge(&mut body, &terms);
            world.processor().put(&path, current.header("etag"), &body).await.expect(200);
        }
        let mut filing = world.filing();
        filing["kind"] = json!("subprocessor_change");
        let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
        app.step_workers().await;
        let right = "contract_subprocessor_objection";
        assert_eq!(world.duty(&filed, right, 0).await["state"], "running");
        app.advance(Duration::DAY);
        let objection = json!({
            "milestone": "objection", "at": "2026-11-23T00:00:00Z", "by": "A. Muster", "controller": world.controllers[0].id,
        });
        let kept = world.processor().post(&below(&filed, "milestones"), &objection).await.expect(201).json;
        assert_eq!((&kept["party"], &kept["recorded_by"]), (&json!(world.controllers[0].id), &json!(world.processor)));
        let duty = world.duty(&filed, right, 0).await;
        assert_eq!((&duty["state"], &duty["late"]), (&json!("met"), &json!(false)));
        assert_eq!(world.duty(&filed, right, 1).await["state"], "running");
        app.advance(Duration::days(20));
        app.step_workers().await;
        assert_eq!(world.duty(&filed, right, 1).await["state"], "lapsed", "nobody objected in time");
    }
}
