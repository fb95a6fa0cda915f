//! The service's own keys change: old receipts go on verifying, both keys sign for a while, nothing is taken twice after a restart.

use art33::crypto::KeyHistory;
use art33::entropy::Entropy;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use time::Duration;

use crate::acknowledgement::{acknowledge, verified};
use crate::harness::app::TestApp;
use crate::harness::receiver::Delivery;
use crate::harness::world::{World, text};

/// Changes the key and starts the service again.
async fn rotated(app: &TestApp, world: World, overlap: Duration) -> (TestApp, World) {
    KeyHistory::rotate(app.directory(), &Entropy::seeded(7), app.now(), overlap).unwrap();
    let app = app.restarted().await;
    let world = world.at(&app);
    (app, world)
}

async fn keys(app: &TestApp) -> Vec<Value> {
    app.anonymous().get("/.well-known/jwks.json").await.expect(200).json["keys"].as_array().unwrap().clone()
}

/// How many `v1a` signatures a webhook bears, and whether one of them holds under a key in its written form.
fn signed_by(delivery: &Delivery, public_key: &str) -> (usize, bool) {
    let bytes = STANDARD.decode(public_key.strip_prefix("whpk_").unwrap()).unwrap();
    let key = VerifyingKey::from_bytes(&bytes.try_into().unwrap()).unwrap();
    let signed = [
        format!("{}.{}.", delivery.header("webhook-id"), delivery.header("webhook-timestamp")).as_bytes(),
        &delivery.body,
    ]
    .concat();
    let signatures: Vec<_> = delivery
        .header("webhook-signature")
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1a,"))
        .map(|one| STANDARD.decode(one).unwrap())
        .collect();
    let holds = signatures.iter().any(|one| key.verify_strict(&signed, &Signature::from_slice(one).unwrap()).is_ok());
    (signatures.len(), holds)
}

both! {
    async fn old_receipts_verify_after_the_key_has_changed(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        app.step_workers().await;
        let path = format!("/v1/notices/{}", text(&world.notice(0).await["id"]));
        let before = world.processor().get(&path).await.expect(200).json["receipts"].clone();
        app.advance(Duration::HOUR);
        let (app, world) = rotated(&app, world, Duration::DAY).await;
        acknowledge(&world, 0, &world.notice(0).await["content_sha256"]).await.expect(200);

        let published = keys(&app).await;
        assert_eq!(published.len(), 2);
        assert_eq!((&published[0]["valid_from"], &published[0]["valid_until"]), (&json!("2026-11-22T01:40:00Z"), &Value::Null));
        assert_eq!((&published[1]["valid_from"], &published[1]["valid_until"]), (&Value::Null, &json!("2026-11-23T01:40:00Z")));
        assert!(published.iter().all(|key| key["d"].is_null()));
        let after = world.processor().get(&path).await.expect(200).json["receipts"].clone();
        let stored = |all: &Value| all.as_array().unwrap().iter().filter(|one| text(&one["id"]).starts_with("rcp_")).cloned().collect::<Vec<_>>();
        assert_eq!(stored(&after)[0], stored(&before)[0], "what was given stays as it was");
        for (receipts, newest) in [(&before, 1), (&after, 0)] {
            for receipt in receipts.as_array().unwrap() {
                let (header, payload) = verified(&app, &receipt["jws"]).await;
                let key = published.iter().find(|key| key["kid"] == header["kid"]).unwrap();
                let dated = |member: &str| crate::harness::world::instant(&key[member]).unix_timestamp();
                let iat = payload["iat"].as_i64().unwrap();
                assert!(key["valid_from"].is_null() || iat >= dated("valid_from"), "{payload}");
                assert!(key["valid_until"].is_null() || iat < dated("valid_until"), "{payload}");
            }
            let (header, _) = verified(&app, &receipts[0]["jws"]).await;
            assert_eq!(header["kid"], published[newest]["kid"], "what is derived is signed when it is read");
        }
        app.stop().await;
    }

    async fn both_keys_sign_webhooks_during_the_overlap(app: TestApp) {
        let world = app.world(1).await;
        let old = world.controllers[0].public_key.clone();
        let (app, world) = rotated(&app, world, Duration::DAY).await;
        world.file().await;
        app.step_workers().await;
        let path = format!("/v1/webhooks/{}", world.controllers[0].webhook);
        let new = text(&world.processor().get(&path).await.expect(200).json["public_key"]);
        assert_ne!(new, old);
        let during = world.receiver.taken_of("notice.initial").await;
        assert_eq!(signed_by(&during[0], &old), (2, true), "who knows the old key goes on verifying");
        assert_eq!(signed_by(&during[0], &new), (2, true));

        app.advance(Duration::days(2));
        world.file().await;
        app.step_workers().await;
        let after = world.receiver.taken_of("notice.initial").await;
        assert_eq!(signed_by(&after[0], &new), (1, true));
        assert_eq!(signed_by(&after[0], &old), (1, false));
        assert_eq!(keys(&app).await.len(), 2, "it stays published");
        app.stop().await;
    }

    async fn what_came_in_before_a_restart_is_known_after_it(app: TestApp) {
        const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let world = app.world(1).await;
        let source = json!({"name": "Rechenwerk Hosting GmbH", "secret": SECRET});
        let id = world.processor().post("/v1/sources", &source).await.expect(201).id();
        let body = json!({"type": "notice.initial", "data": {"incident": "inc_far", "notice": "ntc_far"}}).to_string();
        let signed_at = app.now().unix_timestamp();
        let signature = standardwebhooks::Webhook::new(SECRET).unwrap().sign("dlv_1", signed_at, body.as_bytes()).unwrap();
        let send = |app: &TestApp| {
            let request = app.anonymous().request("POST", &format!("/inbound/{id}")).header("webhook-id", "dlv_1");
            let request = request.header("webhook-timestamp", &signed_at.to_string()).header("webhook-signature", &signature);
            request.body("application/json", body.clone()).send()
        };
        let first = send(&app).await.expect(200).json;
        let story = |world: &World| {
            let (client, stream) = (world.processor(), format!("/v1/audit?stream={}", text(&first["incident"])));
            async move { client.get(&stream).await.expect(200).json }
        };
        let before = story(&world).await;
        app.advance(Duration::minutes(4));
        let app = app.restarted().await;
        let world = world.at(&app);
        assert_eq!(send(&app).await.expect(200).json, first, "the same answer");
        assert_eq!(story(&world).await, before, "and nothing new");
        assert_eq!(world.processor().get("/v1/incidents").await.expect(200).json["items"].as_array().unwrap().len(), 1);
        app.advance(Duration::seconds(61));
        assert_eq!(send(&app).await.expect(401).problem(), "not-genuine", "after five minutes it is no message at all");
        app.stop().await;
    }
}
