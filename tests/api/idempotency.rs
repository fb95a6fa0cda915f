//! Keys that make a filing safe to repeat: one incident per key, whatever comes in between or at the same instant.

use std::collections::BTreeMap;

use futures::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::client::{Answer, Client};
use crate::harness::world::{World, merge};

async fn file(client: &Client, key: &str, body: &Value) -> Answer {
    client.request("POST", "/v1/incidents").header("idempotency-key", key).json(body).send().await
}

async fn incidents(world: &World) -> usize {
    world.processor().get("/v1/incidents?limit=500").await.expect(200).json["items"].as_array().unwrap().len()
}

/// A good filing that differs from those of other numbers.
fn numbered(world: &World, number: usize) -> Value {
    let mut filing = world.filing();
    merge(&mut filing, &json!({"title": format!("Incident {number}")}));
    filing
}

both! {
    async fn the_same_request_gets_the_same_answer(app: TestApp) {
        let world = app.world(1).await;
        let filing = world.filing();
        let first = file(&world.processor(), "key 1", &filing).await.expect(201);
        app.advance(time::Duration::hours(3));
        app.step_workers().await;
        let again = file(&world.processor(), "key 1", &filing).await.expect(201);
        assert_eq!((&again.body, again.header("location")), (&first.body, first.header("location")));
        assert_eq!(again.header("etag"), first.header("etag"));
        assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
        assert_eq!(incidents(&world).await, 1);
        file(&world.processor(), "key 2", &filing).await.expect(201);
        assert_eq!(incidents(&world).await, 2, "another key is another filing");
    }

    async fn another_body_under_the_same_key_is_refused(app: TestApp) {
        let world = app.world(1).await;
        file(&world.processor(), "key", &numbered(&world, 1)).await.expect(201);
        let refused = file(&world.processor(), "key", &numbered(&world, 2)).await.expect(409);
        assert_eq!(refused.problem(), "idempotency-key-reused");
        assert_eq!(incidents(&world).await, 1);
    }

    async fn keys_belong_to_one_organisation_and_one_path(app: TestApp) {
        let (one, other) = (app.world(1).await, app.world(1).await);
        let first = file(&one.processor(), "key", &one.filing()).await.expect(201);
        let second = file(&other.processor(), "key", &other.filing()).await.expect(201);
        assert_ne!(first.id(), second.id());
        let webhook = json!({"url": one.receiver.url("/x"), "events": ["*"]});
        let request = one.processor().request("POST", "/v1/webhooks").header("idempotency-key", "key");
        assert_eq!(request.json(&webhook).send().await.expect(409).problem(), "idempotency-key-reused");
    }

    async fn a_refused_filing_leaves_its_key_free(app: TestApp) {
        let world = app.world(1).await;
        let mut filing = world.filing();
        filing["affected"] = json!([]);
        file(&world.processor(), "key", &filing).await.expect(422);
        file(&world.processor(), "key", &world.filing()).await.expect(201);
        for bad in ["", "ä"] {
            let request = world.processor().request("POST", "/v1/incidents").header("idempotency-key", bad);
            request.json(&world.filing()).send().await.expect(400);
        }
        assert_eq!(incidents(&world).await, 1);
    }

    async fn equal_requests_at_the_same_instant_make_one_incident(app: TestApp) {
        let world = app.world(2).await;
        let (client, filing) = (world.processor(), world.filing());
        let answers = join_all((0..24).map(|_| file(&client, "at once", &filing))).await;
        let first = &answers[0];
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (201, &first.body), "{answer}");
        }
        let fresh = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count();
        assert_eq!((fresh, incidents(&world).await), (1, 1));
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 2, "each controller is told once");
    }

    async fn any_interleaving_of_keys_and_bodies_makes_one_incident_per_key(app: TestApp) {
        let world = app.world(1).await;
        let bodies: Vec<Value> = (0..3).map(|number| numbered(&world, number)).collect();
        let wave = prop::collection::vec((0..4_usize, 0..3_usize), 1..7);
        let waves = prop::collection::vec(wave, 1..5);
        let mut runner = TestRunner::deterministic();
        let mut total = 0;
        for case in 0..8 {
            let mut known: BTreeMap<usize, (usize, Vec<u8>)> = BTreeMap::new();
            for wave in waves.new_tree(&mut runner).unwrap().current() {
                let client = world.processor();
                let sent = wave.iter().map(|(key, body)| {
                    let (client, body) = (client.clone(), &bodies[*body]);
                    async move { file(&client, &format!("{case}-{key}"), body).await }
                });
                let answers = join_all(sent).await;
                for ((key, body), answer) in wave.iter().zip(&answers).filter(|(_, answer)| answer.status == 201) {
                    let (winner, text) = known.entry(*key).or_insert_with(|| (*body, answer.body.clone()));
                    assert_eq!((*winner, &*text), (*body, &answer.body), "two answers under one key");
                }
                for ((key, body), answer) in wave.iter().zip(&answers).filter(|(_, answer)| answer.status != 201) {
                    assert_eq!(answer.status, 409, "{answer}");
                    assert_ne!(known[key].0, *body, "the body that won is never refused");
                }
            }
            total += known.len();
        }
        assert_eq!(incidents(&world).await, total);
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }
}
