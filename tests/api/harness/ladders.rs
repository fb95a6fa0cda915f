//! Ladders and tasks as tests read them, and controllers that can be reached in several ways.

use art33::domain::id::MailboxId;
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use serde_json::{Value, json};

use super::acts::agree;
use super::app::TestApp;
use super::world::{World, text};

/// Where the first controller takes notices of breaches.
pub(crate) const DESK: &str = "breach@beispielwerk.example";

/// Settings for a relay that nobody can reach: mail is owed, and does not leave.
pub(crate) const SILENT_RELAY: [(&str, &str); 5] = [
    ("ART33_MAIL_HOST", "127.0.0.1"),
    ("ART33_MAIL_PORT", "9"),
    ("ART33_MAIL_TLS", "none"),
    ("ART33_MAIL_FROM", "notices@lernsysteme.example"),
    ("ART33_MAIL_AREAS", "DE"),
];

/// Runs statements on the database under the service.
pub(crate) fn run(app: &TestApp, statements: &str) {
    let url = app.database_url();
    match url.strip_prefix("sqlite://") {
        Some(path) => SqliteConnection::establish(path).unwrap().batch_execute(statements).unwrap(),
        #[cfg(feature = "postgres")]
        None => diesel::PgConnection::establish(url).unwrap().batch_execute(statements).unwrap(),
        #[cfg(not(feature = "postgres"))]
        None => panic!("no database behind {url}"),
    }
}

/// A mailbox of a controller that the processor keeps; answers its id.
pub(crate) fn mailbox(app: &TestApp, world: &World, index: usize, number: u8, address: &str, place: &str) -> String {
    let (id, owner) = (MailboxId::from_bytes([number; 16]), &world.controllers[index].id);
    let processor = &world.processor;
    // The agreement may have registered it already, under an id of its own.
    run(
        app,
        &format!("DELETE FROM delivery WHERE endpoint_id IN (SELECT id FROM endpoint WHERE address = '{address}')"),
    );
    run(app, &format!("DELETE FROM endpoint WHERE address = '{address}'"));
    run(
        app,
        &format!(
            "INSERT INTO endpoint (id, organisation_id, created_by, channel, address, location, events, secret_sealed, health, \
             failures, version, created_at, changed_at) VALUES ('{id}', '{owner}', '{processor}', 'email', '{address}', '{place}', \
             '[\"*\"]', '', 'unverified', 0, 1, 0, 0)"
        ),
    );
    id.to_string()
}

/// The first controller is told by webhook, then e-mail, then telephone; answers the ids of the mailbox that its agreement names and of
/// another one.
pub(crate) async fn three_channels(app: &TestApp, world: &World, terms: &Value) -> [String; 2] {
    let addressees = json!({"addressees": [
        {"role": "breach_desk", "channel": "webhook", "webhook": world.controllers[0].webhook},
        {"role": "breach_desk", "channel": "email", "address": DESK},
        {"role": "on_call", "channel": "manual", "address": "+49 711 123456"},
    ]});
    agree(world, 0, &addressees).await;
    if terms.is_object() {
        let mut both = addressees;
        super::world::merge(&mut both, terms);
        agree(world, 0, &both).await;
    }
    let other = mailbox(app, world, 0, 2, "dpo@beispielwerk.example", "DE");
    [mailbox(app, world, 0, 1, DESK, "DE"), other]
}

/// Both ladders of a notice.
pub(crate) async fn escalation(world: &World, notice: &Value) -> Value {
    let path = format!("/v1/notices/{}/escalation", text(&notice["id"]));
    world.processor().get(&path).await.expect(200).json
}

/// Action, state and outcome of the steps of a ladder that are no plan.
pub(crate) fn steps(ladder: &Value) -> Vec<(String, String, String)> {
    let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let steps = ladder["steps"].as_array().unwrap().iter().filter(|step| step["state"] != "planned");
    steps.map(|step| (said(&step["action"]), said(&step["state"]), said(&step["outcome"]))).collect()
}

/// What [`steps`] answers, written short.
pub(crate) fn expected(steps: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    steps.iter().map(|(one, two, three)| ((*one).into(), (*two).into(), (*three).into())).collect()
}

/// Type and endpoint of everything that the outbox holds of a notice.
pub(crate) async fn outbox(world: &World, notice: &Value) -> Vec<(String, String)> {
    let path = format!("/v1/notices/{}/deliveries?limit=500", text(&notice["id"]));
    let page = world.processor().get(&path).await.expect(200).json;
    let mut found: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|one| (text(&one["type"]), text(&one["endpoint"]))).collect();
    found.sort_unstable();
    found
}

/// The tasks of the processor.
pub(crate) async fn tasks(world: &World, query: &str) -> Vec<Value> {
    let page = world.processor().get(&format!("/v1/tasks?limit=500{query}")).await.expect(200).json;
    page["items"].as_array().unwrap().clone()
}

/// A task for the telephone, made at once: its controller can be reached in no other way.
pub(crate) async fn some_task(app: &TestApp, world: &World) -> Value {
    let staff = world.processor();
    let body = json!({"name": "Fernwerk AG", "roles": ["controller"], "country": "DE"});
    let controller = staff.post("/v1/organisations", &body).await.expect(201).id();
    let mut agreement = super::world::agreement(&controller, "AVV-call", "");
    agreement["terms"]["addressees"] = json!([{"role": "on_call", "channel": "manual", "address": "+49 711 123456"}]);
    staff.post("/v1/agreements", &agreement).await.expect(201);
    let filing = super::world::filing(app.now(), &json!([{"controller": controller}]));
    let filed = staff.post("/v1/incidents", &filing).await.expect(201).id();
    app.step_workers().await;
    tasks(world, &format!("&state=open&incident={filed}")).await.remove(0)
}
