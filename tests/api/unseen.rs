//! What has not left the house: of a drill, and of a version that waits for its release, a controller learns nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::Duration;

use crate::contract::send;
use crate::harness::app::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::spec::SPEC;
use crate::harness::world::{CONTROLLER, PROCESSOR, World, merge, rfc3339, text};
use crate::phases::amend;

/// Everything that a token can allow, so that no refusal here is for want of a scope.
fn all_powerful(app: &TestApp, world: &World) -> Client {
    app.as_org(&world.controllers[0].id, &format!("{CONTROLLER} incidents:write"))
}

/// The processor lets nothing leave without a second person.
async fn four_eyes(world: &World) {
    let path = format!("/v1/organisations/{}", world.processor);
    let current = world.processor().get(&path).await.expect(200);
    let mut body = json!({"release_policy": {"window_share_percent": 50, "on_timeout": "page"}});
    for name in ["name", "roles", "country", "region", "contacts"] {
        merge(&mut body, &json!({name: current.json[name].clone()}));
    }
    world.processor().put(&path, current.header("etag"), &body).await.expect(200);
}

/// A second person releases the version that an answer speaks of.
async fn release(app: &TestApp, world: &World, incident: &Value, version: &Value) -> Answer {
    let body = json!({"version": version["version"], "content_sha256": version["release"]["content_sha256"]});
    let second = app.as_person(&world.processor, PROCESSOR, "second");
    second.post(&format!("/v1/incidents/{}/release", text(&incident["id"])), &body).await
}

/// What the processor does for the first controller: an instruction that it enters, and another authority. Answers the instruction.
async fn act_for(app: &TestApp, world: &World, incident: &Value) -> String {
    let (staff, id) = (world.processor(), text(&incident["id"]));
    let given = json!({"kind": "file_with_authority", "scope": "The initial report.", "form": "oral",
                       "given_by": "Erika Beispiel", "given_at": rfc3339(app.now())});
    let given = staff.post(&format!("/v1/incidents/{id}/instructions"), &given).await.expect(201);
    let confirmed = json!({"form": "text", "by": "Erika Beispiel", "at": rfc3339(app.now())});
    staff.post(&format!("/v1/instructions/{}/confirmation", given.id()), &confirmed).await.expect(200);
    let choice = json!({"authority": "de-bw", "reason": "It has the file already.", "by": "Max Muster"});
    staff.request("PUT", &format!("/v1/incidents/{id}/authority")).json(&choice).send().await.expect(200);
    given.id()
}

async fn items(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.expect(200).json["items"].as_array().unwrap().clone()
}

/// The ledger as somebody reads it.
async fn ledger(client: &Client) -> Vec<Value> {
    items(client, "/v1/audit?limit=500").await
}

/// Walks every operation that an id stands in, and every list: none of them knows anything.
async fn walk(app: &TestApp, world: &World, incident: &Value, before: &[Value]) {
    let (staff, controller) = (world.processor(), all_powerful(app, world));
    let instruction = act_for(app, world, incident).await;
    let incident = text(&incident["id"]);
    let notices = items(&staff, &format!("/v1/notices?incident={incident}")).await;
    let duties = items(&staff, &format!("/v1/duties?limit=500&incident={incident}")).await;
    assert!(!notices.is_empty() && !duties.is_empty(), "the processor sees them");
    let known = [
        ("/v1/incidents/{id}", vec![incident.clone()]),
        ("/v1/notices/{id}", notices.iter().map(|notice| text(&notice["id"])).collect()),
        ("/v1/duties/{id}", duties.iter().map(|duty| text(&duty["id"])).collect()),
        ("/v1/instructions/{id}", vec![instruction]),
    ];
    let mut walked = BTreeSet::new();
    for operation in &SPEC.operations {
        let Some((_, ids)) = known.iter().find(|(prefix, _)| operation.path.starts_with(prefix)) else { continue };
        for id in ids {
            let answer = send(&controller, operation, &operation.path.replace("{id}", id)).await;
            assert_eq!((answer.status, answer.problem()), (404, "not-found"), "{} {id}: {answer}", operation.id);
        }
        walked.insert(operation.id.as_str());
    }
    assert!(walked.len() > 25, "{walked:?}");
    let notice = &notices[0];
    let body = json!({"content_sha256": notice["content_sha256"], "by": {"name": "Privacy desk", "role": "dpo"}});
    controller.post(&format!("/v1/notices/{}/acknowledgement", text(&notice["id"])), &body).await.expect(404);
    for path in ["/v1/incidents", "/v1/incidents?q=share", "/v1/incidents?state=telling", "/v1/notices", "/v1/duties"] {
        assert_eq!(items(&controller, path).await, Vec::<Value>::new(), "{path}");
    }
    for list in ["notices", "duties"] {
        assert_eq!(items(&controller, &format!("/v1/{list}?incident={incident}")).await, Vec::<Value>::new(), "{list}");
    }
    assert_eq!(ledger(&controller).await, before);
}

/// That the controllers' endpoints hear nothing while everything that is owed gets overdue.
async fn silence(app: &TestApp, world: &World) {
    for _ in 0..4 {
        app.step_workers().await;
        app.advance(Duration::hours(30));
    }
    app.step_workers().await;
    let heard = world.receiver.taken().await;
    assert!(heard.is_empty(), "{heard:?}");
}

both! {
    async fn of_what_waits_for_a_release_a_controller_learns_nothing(app: TestApp) {
        let world = app.world(1).await;
        four_eyes(&world).await;
        let before = ledger(&world.controller_client(0)).await;
        let filed = world.file().await;
        assert_eq!(filed["release"]["state"], "awaited");
        walk(&app, &world, &filed, &before).await;
        silence(&app, &world).await;
        assert_eq!(ledger(&world.controller_client(0)).await, before, "not even that somebody is late");
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["state"], "breached");

        let own = json!({"url": world.receiver.url("/own"), "events": ["*"]});
        let own = world.controller_client(0).post("/v1/webhooks", &own).await.expect(201).id();
        let seen = ledger(&world.controller_client(0)).await;
        let entry = seen.iter().find(|entry| entry["object"] == own.as_str()).unwrap();
        assert_eq!(entry["facts"]["notices_enqueued"], 0, "nor how much waits for an endpoint");
        app.step_workers().await;
        assert!(world.receiver.taken().await.is_empty());

        release(&app, &world, &filed, &filed).await.expect(200);
        app.step_workers().await;
        let kinds: Vec<_> = world.receiver.taken().await.iter().map(|one| (one.path.clone(), text(&one.json["type"]))).collect();
        for path in ["/0", "/own"] {
            assert!(kinds.contains(&(path.to_owned(), "notice.initial".to_owned())), "{kinds:?}");
        }
        let id = text(&filed["id"]);
        assert_eq!(items(&world.controller_client(0), &format!("/v1/incidents/{id}/instructions")).await.len(), 1, "now it is told");
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn of_a_drill_a_controller_learns_nothing(app: TestApp) {
        let world = app.world(1).await;
        let before = ledger(&world.controller_client(0)).await;
        let mut filing = world.filing();
        filing["drill"] = json!(true);
        let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
        walk(&app, &world, &filed, &before).await;
        silence(&app, &world).await;
        assert_eq!(ledger(&world.controller_client(0)).await, before);
    }

    async fn an_incident_stands_for_a_controller_as_it_was_told(app: TestApp) {
        let world = app.world(1).await;
        four_eyes(&world).await;
        let filed = world.file().await;
        release(&app, &world, &filed, &filed).await.expect(200);
        app.step_workers().await;
        let (controller, staff, id) = (world.controller_client(0), world.processor(), text(&filed["id"]));
        let below = |what: &str| format!("/v1/incidents/{id}{what}");
        let views = [below(""), below("/versions"), below("/report?format=json&lang=en"), "/v1/incidents".to_owned(), "/v1/notices".to_owned()];
        let view = async || {
            let mut seen = Vec::new();
            for path in &views {
                seen.push(controller.get(path).await.expect(200).json);
            }
            // What is owed changes with time alone here, and is told elsewhere.
            seen[2].as_object_mut().unwrap().remove("duties");
            seen
        };
        let listed = async |client: &Client, query: &str| items(client, &format!("/v1/incidents?{query}")).await.len();
        let (first, entries) = (view().await, ledger(&controller).await);
        assert_eq!((&first[0]["version"], &first[0]["state"]), (&json!(1), &json!("told")));

        let aware = rfc3339(app.now() - Duration::minutes(20));
        let correction = json!({"kind": "correction", "reason": "Another archive.", "changes": {
            "title": "Open link on the mail archive", "aware_at": aware, "awareness_reason": "The logs came late."}});
        let second = amend(&world, &filed, 1, &correction).await.expect(201).json;
        assert_eq!(second["release"]["state"], "awaited");
        app.step_workers().await;
        assert_eq!(view().await, first);
        assert_eq!(ledger(&controller).await, entries);
        for (query, told, kept) in [("q=mail", 0, 1), ("q=share", 1, 0), ("state=told", 1, 0)] {
            assert_eq!((listed(&controller, query).await, listed(&staff, query).await), (told, kept), "{query}");
        }
        act_for(&app, &world, &filed).await;
        let told = serde_json::to_string(&ledger(&controller).await).unwrap();
        let all = items(&staff, "/v1/notices").await;
        assert!(told.contains("instruction.given") && told.contains(&text(&all[1]["id"])), "{told}");
        assert!(!told.contains(&text(&all[0]["id"])), "{told}");

        release(&app, &world, &filed, &second).await.expect(200);
        let shown = controller.get(&below("")).await.expect(200).json;
        assert_eq!((&shown["version"], &shown["title"]), (&json!(2), &json!("Open link on the mail archive")));
        assert_eq!((&shown["aware_at"], &shown["awareness_reason"]), (&json!(aware), &json!("The logs came late.")));
        assert_eq!((&shown["state"], &shown["withdrawn_at"]), (&json!("telling"), &Value::Null));
        assert_eq!((listed(&controller, "q=mail").await, listed(&controller, "q=share").await), (1, 0));

        app.step_workers().await;
        let before = view().await;
        let withdrawal = json!({"kind": "withdrawal", "reason": "The link led nowhere."});
        let third = amend(&world, &filed, 2, &withdrawal).await.expect(201).json;
        assert_eq!(third["release"]["state"], "awaited");
        assert_eq!((view().await, listed(&controller, "state=withdrawn").await), (before, 0));
        release(&app, &world, &filed, &third).await.expect(200);
        let shown = controller.get(&below("")).await.expect(200).json;
        assert_eq!((&shown["version"], &shown["state"]), (&json!(3), &json!("withdrawn")));
        assert_eq!((shown["withdrawn_at"].is_string(), listed(&controller, "state=withdrawn").await), (true, 1));
    }
}
