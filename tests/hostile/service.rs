//! One incident that concerns a controller behind every hostile receiver, and some healthy ones among them.

use art33::domain::delivery_outcome::{FailureKind, Outcome};
use serde_json::{Value, json};
use time::Duration;

use super::cases::{self, WISHES, Wish};
use super::client::{black_hole, closed_door};
use super::receiver::Receiver;
use super::tls::{self, Authority};
use crate::harness::app::{Backend, TestApp, run};
use crate::harness::world::{Controller, World, agreement, instant, text};

/// A receiver, and what must be on record about it.
struct Player {
    name: String,
    receiver: Receiver,
    outcome: Outcome,
    /// Only what came within TLS or without it has one.
    status: Option<u16>,
}

fn players(authority: &Authority) -> Vec<Player> {
    let plain = cases::all().into_iter().map(|case| {
        let receiver = Receiver::start(case.script());
        Player { name: case.name, receiver, outcome: case.outcome, status: case.status }
    });
    let secured = tls::all(authority).into_iter().map(|case| {
        let status = case.outcome.is_success().then_some(200);
        Player { name: case.name.to_owned(), receiver: case.receiver, outcome: case.outcome, status }
    });
    plain.chain(secured).collect()
}

/// The longest attempt in milliseconds: the limit in [`on`], and how much later the machine may find out that it has passed.
const MOST_MS: f64 = 11_000.0;

/// Whether the ledger of the newest notice tells of its only attempt as it stands on record.
async fn ledger(world: &World, index: usize, attempt: &Value) -> bool {
    let path = format!("/v1/audit?limit=500&stream={}", text(&world.notice(index).await["id"]));
    let story = world.processor().get(&path).await.expect(200).json;
    let attempted = story["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "delivery.attempted");
    let [only] = attempted.collect::<Vec<_>>()[..] else { return false };
    let members = ["number", "outcome", "kind", "status", "request_sha256", "response_sha256"];
    members.into_iter().all(|member| only["facts"][member] == attempt[member])
}

/// Adds a controller whose notices go to `url`.
async fn join(world: &mut World, url: &str) {
    let (staff, index) = (world.processor(), world.controllers.len());
    let body = json!({"name": format!("Beispielwerk {index} AG"), "roles": ["controller"], "country": "DE"});
    let id = staff.post("/v1/organisations", &body).await.expect(201).id();
    let body = json!({"url": url, "events": ["notice.*"], "organisation": id});
    let webhook = staff.post("/v1/webhooks", &body).await.expect(201);
    let (secret, public_key) = (text(&webhook.json["secret"]), text(&webhook.json["public_key"]));
    let body = agreement(&id, &format!("AVV-{index}"), &webhook.id());
    let agreement = staff.post("/v1/agreements", &body).await.expect(201).id();
    world.controllers.push(Controller { id, agreement, webhook: webhook.id(), secret, public_key });
}

/// What the evidence lacks; `before` are the requests that came before the filing.
async fn faults(world: &World, index: usize, player: &Player, before: usize) -> Vec<String> {
    let delivery = world.delivery(index).await;
    let attempts = delivery["attempts"].as_array().unwrap();
    let evidence = json!({
        "outcome": player.outcome.as_str(),
        "kind": player.outcome.kind().map(FailureKind::as_str),
        "status": player.status,
        "url": player.receiver.url,
    });
    let shown = |member: &str| attempts[0][member].clone();
    let recorded = ["outcome", "kind", "status", "url"].into_iter().all(|member| shown(member) == evidence[member]);
    let peer = player.receiver.url.socket_addrs(|| None).unwrap()[0].to_string();
    let answered = if player.status.is_some() {
        shown("peer") == peer && shown("response_sha256").is_string()
    } else {
        shown("peer").is_null() && shown("response_sha256").is_null()
    };
    let delivered = player.outcome == Outcome::Delivered;
    let state = match player.outcome {
        Outcome::Delivered => "delivered",
        Outcome::Gone => "gone",
        _ => "open",
    };
    let notice = world.notice(index).await;
    let checks = [
        ("one attempt", attempts.len() == 1 && player.receiver.requests() <= before + 1),
        ("the evidence", recorded && shown("ended_at").is_string()),
        ("the evidence of an answer", answered),
        ("in the time allowed", shown("duration_ms").as_f64().unwrap() < MOST_MS),
        ("the ledger", ledger(world, index, &attempts[0]).await),
        ("the state of the delivery", delivery["state"] == state),
        (
            "delivered or not",
            (notice["state"] == "delivered") == delivered && notice["delivered_at"].is_null() != delivered,
        ),
        ("still owed", delivery["next_at"].is_string() == (state == "open")),
    ];
    let wrong = checks.into_iter().filter(|(_, holds)| !holds);
    wrong.map(|(what, _)| format!("{}: not {what}: {delivery} {}", player.name, notice["state"])).collect()
}

async fn play(app: TestApp, authority: &Authority) {
    let players = players(authority);
    let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
    let mut world = World::of(&app, &processor);
    for player in &players {
        join(&mut world, player.receiver.url.as_str()).await;
    }
    for healthy in 0..5 {
        let url = world.receiver.url(&format!("/healthy/{healthy}"));
        join(&mut world, &url).await;
    }
    // Whatever endpoints have to prove before they are told anything.
    app.step_workers().await;
    let before: Vec<usize> = players.iter().map(|player| player.receiver.requests()).collect();
    world.file().await;
    app.step_workers().await;

    for index in players.len()..world.controllers.len() {
        assert_eq!(world.notice(index).await["state"], "delivered", "the healthy have it");
    }
    let mut wrong = Vec::new();
    for (index, player) in players.iter().enumerate() {
        wrong.extend(faults(&world, index, player, before[index]).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    wishes(&app, &world, &players).await;
}

/// No wish shortens or stops the schedule, and none prolongs it without bounds.
async fn wishes(app: &TestApp, world: &World, players: &[Player]) {
    for (value, wish) in WISHES {
        let name = format!("status 429, Retry-After: {value}");
        let index = players.iter().position(|player| player.name == name).unwrap();
        let wait = instant(&world.delivery(index).await["next_at"]) - app.now();
        let (low, high) = match wish {
            Wish::None => (Duration::seconds(8), Duration::seconds(12)),
            Wish::TooLong => (Duration::minutes(15), Duration::minutes(15)),
        };
        assert!((low..=high).contains(&wait), "{value}: {wait}");
    }
}

async fn on(backend: Backend) {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("authorities.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let settings = [
        ("ART33_OUTBOUND_EXTRA_CA", file.to_str().unwrap()),
        ("ART33_OUTBOUND_CONNECT_TIMEOUT", "PT8S"),
        ("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT10S"),
    ];
    run(backend, &settings, |app| play(app, &authority)).await;
}

#[tokio::test]
async fn the_healthy_have_it_and_all_others_are_on_record_sqlite() {
    on(Backend::Sqlite).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn the_healthy_have_it_and_all_others_are_on_record_postgres() {
    on(Backend::Postgres).await;
}

both! {
    async fn where_nobody_is_at_home_that_is_on_record(
        app: TestApp, settings = [("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT1M")]
    ) {
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        let mut world = World::of(&app, &processor);
        let ((closed, _socket), (hole, _listener, _waiting)) = (closed_door(), black_hole().await);
        for url in [&closed, &hole] {
            join(&mut world, url.as_str()).await;
        }
        app.step_workers().await;
        world.file().await;
        app.step_workers().await;
        // A closed door says so at once; of a hole nothing is heard until the time for a connection is over.
        for (index, url, took_ms) in [(0, &closed, 0.0..1_000.0), (1, &hole, 2_000.0..3_000.0)] {
            let delivery = world.delivery(index).await;
            let attempt = &delivery["attempts"][0];
            let found = (&attempt["outcome"], &attempt["kind"], &attempt["url"], delivery["attempts"].as_array().map(Vec::len));
            assert_eq!(found, (&json!("transient"), &json!("connect"), &json!(url), Some(1)), "{delivery}");
            let nothing = ["status", "peer", "response_sha256"].into_iter().all(|member| attempt[member].is_null());
            assert!(nothing && attempt["request_sha256"].is_string() && attempt["ended_at"].is_string(), "{delivery}");
            assert!(took_ms.contains(&attempt["duration_ms"].as_f64().unwrap()), "{delivery}");
            assert!(ledger(&world, index, attempt).await);
            assert_eq!((&delivery["state"], &world.notice(index).await["state"]), (&json!("open"), &json!("pending")));
        }
    }

    async fn the_service_itself_as_an_endpoint_makes_no_loop(app: TestApp) {
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        let mut world = World::of(&app, &processor);
        let paths = ["/v1/incidents", "/v1/notices", "/", "/v1/webhooks"];
        for path in paths {
            join(&mut world, &app.url(path)).await;
        }
        app.step_workers().await;
        world.file().await;
        app.step_workers().await;
        for (index, path) in paths.iter().enumerate() {
            let delivery = world.delivery(index).await;
            let attempts = delivery["attempts"].as_array().unwrap();
            let found = (&attempts[0]["outcome"], &attempts[0]["kind"], attempts.len());
            assert_eq!(found, (&json!("configuration"), &json!("status_4xx"), 1), "{path}: {delivery}");
            assert_eq!(world.notice(index).await["state"], "pending");
        }
        let incidents = world.processor().get("/v1/incidents").await.expect(200).json;
        assert_eq!(incidents["items"].as_array().map(Vec::len), Some(1), "nothing was filed by what was sent");
        let webhooks: Value = world.processor().get("/v1/webhooks").await.expect(200).json;
        assert!(webhooks["items"].as_array().unwrap().len() <= paths.len());
    }
}
