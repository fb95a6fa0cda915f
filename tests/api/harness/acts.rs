//! What controllers and processors do after they were told: deciding, filing with the authority, declaring a regime.

use serde_json::{Value, json};

use super::app::TestApp;
use super::client::{Answer, Client};
use super::world::{World, agreement, merge, text};

/// A world whose notices have reached everybody, and the answer to the filing.
pub(crate) async fn told(app: &TestApp, controllers: usize) -> (World, Value) {
    let world = app.world(controllers).await;
    let filed = world.file().await;
    app.step_workers().await;
    (world, filed)
}

/// The same with something that is not known yet, so that more has to follow.
pub(crate) async fn told_in_part(app: &TestApp) -> (World, Value) {
    let world = app.world(1).await;
    let mut filing = world.filing();
    let expected = super::world::rfc3339(app.now() + time::Duration::DAY);
    let unknown = json!({"reason": null, "unknown": "The logs are being read.", "expected_by": expected});
    filing["consequences"] = json!(null);
    merge(&mut filing, &json!({"stage": "initial", "consequences": unknown}));
    let filed = world.processor().post("/v1/incidents", &filing).await.expect(201).json;
    app.step_workers().await;
    (world, filed)
}

/// Files about a controller that is told by webhook and has none; answers it.
pub(crate) async fn told_without_endpoint(app: &TestApp, world: &World) -> String {
    let staff = world.processor();
    let body = json!({"name": "Spätwerk AG", "roles": ["controller"], "country": "DE"});
    let late = staff.post("/v1/organisations", &body).await.expect(201).id();
    let mut agreed = agreement(&late, "AVV-late", "");
    agreed["terms"]["addressees"] = json!([{"role": "controller", "channel": "webhook"}]);
    staff.post("/v1/agreements", &agreed).await.expect(201);
    let filing = super::world::filing(app.now(), &json!([{"controller": late}]));
    staff.post("/v1/incidents", &filing).await.expect(201);
    late
}

/// The body of a decision.
pub(crate) fn decision(authority: bool, persons: &str) -> Value {
    json!({
        "notify_authority": authority, "notify_persons": persons, "reason": "Geheimer Grund der Entscheidung",
        "by": "A. Muster, data protection officer",
    })
}

/// The path of something below an incident.
pub(crate) fn below(incident: &Value, what: &str) -> String {
    format!("/v1/incidents/{}/{what}", text(&incident["id"]))
}

impl World {
    /// A controller decides.
    pub(crate) async fn decide(&self, incident: &Value, index: usize, body: &Value) -> Answer {
        self.controller_client(index).post(&below(incident, "decisions"), body).await
    }

    /// A controller records what it filed; `body` adds to a filing that was made at `filed_at`.
    pub(crate) async fn record(&self, incident: &Value, index: usize, filed_at: &str, body: &Value) -> Answer {
        let body = recorded(filed_at, body);
        self.controller_client(index).post(&below(incident, "filings"), &body).await
    }
}

/// An organisation is bound by a regime from now on; `client` may change it.
pub(crate) async fn declare(client: &Client, organisation: &str, regime: &str) {
    let path = format!("/v1/organisations/{organisation}");
    let current = client.get(&path).await.expect(200);
    let mut body = json!({"regimes": [regime]});
    for name in ["name", "roles", "country", "contacts"] {
        merge(&mut body, &json!({name: current.json[name].clone()}));
    }
    client.put(&path, current.header("etag"), &body).await.expect(200);
}

/// The body of a record of what was filed at `filed_at`.
pub(crate) fn recorded(filed_at: &str, more: &Value) -> Value {
    let mut body = json!({"filed_at": filed_at, "by": "A. Muster, data protection officer"});
    merge(&mut body, more);
    body
}

/// The processor lets nothing leave without a second person, who has half of the time left for it.
pub(crate) async fn four_eyes(world: &World, on_timeout: &str) {
    let path = format!("/v1/organisations/{}", world.processor);
    let current = world.processor().get(&path).await.expect(200);
    let mut body = json!({"release_policy": {"window_share_percent": 50, "on_timeout": on_timeout}});
    for name in ["name", "roles", "country", "region", "contacts"] {
        merge(&mut body, &json!({name: current.json[name].clone()}));
    }
    world.processor().put(&path, current.header("etag"), &body).await.expect(200);
}

/// What the ledger holds of an incident: kind, subject and facts of each entry, as its processor reads it.
pub(crate) async fn story(world: &World, incident: &Value) -> Vec<(String, String, Value)> {
    let path = format!("/v1/audit?limit=500&stream={}", text(&incident["id"]));
    let entries = world.processor().get(&path).await.expect(200).json["items"].as_array().unwrap().clone();
    entries.iter().map(|one| (text(&one["kind"]), text(&one["subject"]), one["facts"].clone())).collect()
}

/// That somebody who is told nothing finds no trace of an incident.
pub(crate) async fn sees_nothing(client: &Client, incident: &Value) {
    for path in ["/v1/incidents", "/v1/notices", "/v1/duties"] {
        assert_eq!(client.get(path).await.expect(200).json["items"], json!([]), "{path}");
    }
    let id = text(&incident["id"]);
    for below in ["", "/versions", "/report", "/authority", "/instructions", "/decisions", "/filings", "/milestones"] {
        client.get(&format!("/v1/incidents/{id}{below}")).await.expect(404);
    }
    let audit = client.get("/v1/audit?limit=500").await.expect(200).json.to_string();
    assert!(!audit.contains(&id), "{audit}");
    let decided = client.post(&below(incident, "decisions"), &decision(true, "undecided")).await;
    assert_eq!((decided.status, decided.problem()), (404, "not-found"));
}

/// The agreement with one controller has no ladders: nothing but the one message is sent.
pub(crate) async fn without_ladders(world: &World, index: usize) {
    agree(world, index, &json!({"escalation": {"until_delivered": [], "until_acknowledged": []}})).await;
}

/// Changes the terms of the agreement with one controller.
pub(crate) async fn agree(world: &World, index: usize, terms: &Value) {
    let known = &world.controllers[index];
    let path = format!("/v1/agreements/{}", known.agreement);
    let current = world.processor().get(&path).await.expect(200);
    let mut change = agreement("", &format!("AVV-{index}"), &known.webhook);
    change.as_object_mut().unwrap().remove("controller");
    merge(&mut change, &json!({"terms": terms}));
    world.processor().put(&path, current.header("etag"), &change).await.expect(200);
}
