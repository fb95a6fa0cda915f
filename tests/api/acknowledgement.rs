//! Acknowledgement: a counter-signed receipt that anybody can verify, given once, to the right controller, for the right bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::client::Answer;
use crate::harness::receiver::Reply;
use crate::harness::world::{CONTROLLER, PROCESSOR, World, text};

pub(crate) async fn acknowledge(world: &World, index: usize, hash: &Value) -> Answer {
    let path = format!("/v1/notices/{}/acknowledgement", text(&world.notice(index).await["id"]));
    let body = json!({"content_sha256": hash, "by": {"name": "Privacy desk", "role": "data protection officer"}});
    world.controller_client(index).post(&path, &body).await
}

/// Header and payload of a compact JWS whose signature holds under the published keys; checked with an independent library.
pub(crate) async fn verified(app: &TestApp, jws: &Value) -> (Value, Value) {
    let jws = text(jws);
    let (signed, signature) = jws.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let json = |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let header = json(header);
    let keys = app.anonymous().get("/.well-known/jwks.json").await.expect(200).json;
    let keys = keys["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).expect("the key is published");
    assert_eq!((&key["kty"], &key["crv"]), (&json!("OKP"), &json!("Ed25519")));
    let key = URL_SAFE_NO_PAD.decode(text(&key["x"])).unwrap();
    let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    assert!(key.verify_strict(signed.as_bytes(), &signature).is_ok(), "{jws}");
    assert!(key.verify_strict(format!("{signed}A").as_bytes(), &signature).is_err());
    (header, json(payload))
}

both! {
    async fn the_receipt_verifies_with_the_published_key(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        app.step_workers().await;
        app.advance(Duration::HOUR);
        let notice = world.notice(0).await;
        let receipt = acknowledge(&world, 0, &notice["content_sha256"]).await.expect(200).json;
        assert_eq!((&receipt["level"], &receipt["by"]["name"]), (&json!("acknowledged"), &json!("Privacy desk")));
        let (header, payload) = verified(&app, &receipt["jws"]).await;
        assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("receipt+jws")));
        let expected = [
            ("jti", receipt["id"].clone()),
            ("level", json!("acknowledged")),
            ("notice", notice["id"].clone()),
            ("incident", filed["id"].clone()),
            ("processor", json!(world.processor)),
            ("controller", json!(world.controllers[0].id)),
            ("content_sha256", notice["content_sha256"].clone()),
            ("by", receipt["by"].clone()),
            ("iat", json!(app.now().unix_timestamp())),
        ];
        for (member, value) in expected {
            assert_eq!(payload[member], value, "{member}");
        }
        let path = format!("/v1/notices/{}", text(&notice["id"]));
        let shown = world.processor().get(&path).await.expect(200).json;
        let levels: Vec<_> = shown["receipts"].as_array().unwrap().iter().map(|one| text(&one["level"])).collect();
        assert_eq!((levels, text(&shown["state"])), (vec!["filed", "attempted", "accepted", "delivered", "acknowledged"].into_iter().map(str::to_owned).collect(), "acknowledged".into()));
        for receipt in shown["receipts"].as_array().unwrap() {
            verified(&app, &receipt["jws"]).await;
        }
        let incident = world.processor().get(&format!("/v1/incidents/{}", text(&filed["id"]))).await.expect(200).json;
        assert_eq!(incident["state"], "acknowledged");
    }

    async fn it_is_given_once(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        app.step_workers().await;
        let hash = world.notice(0).await["content_sha256"].clone();
        let first = acknowledge(&world, 0, &hash).await.expect(200).json;
        app.advance(Duration::days(2));
        let again = acknowledge(&world, 0, &hash).await.expect(200).json;
        assert_eq!(again, first);
        let at_once = futures::future::join_all((0..8).map(|_| acknowledge(&world, 0, &hash))).await;
        assert!(at_once.iter().all(|answer| answer.json == first));
        let upper = json!(text(&hash).to_ascii_uppercase());
        acknowledge(&world, 0, &upper).await.expect(422);
    }

    async fn eight_at_the_same_instant_get_one_receipt(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        let hash = world.notice(0).await["content_sha256"].clone();
        let at_once = futures::future::join_all((0..8).map(|_| acknowledge(&world, 0, &hash))).await;
        assert!(at_once.iter().all(|answer| answer.status == 200 && answer.json == at_once[0].json), "{at_once:?}");
        let stream = format!("/v1/audit?stream={}", text(&world.notice(0).await["id"]));
        let entries = world.processor().get(&stream).await.expect(200).json["items"].clone();
        let kinds: Vec<_> = entries.as_array().unwrap().iter().map(|entry| text(&entry["kind"])).collect();
        assert_eq!(kinds, ["notice.acknowledged"]);
    }

    async fn another_hash_is_a_conflict(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        app.step_workers().await;
        let refused = acknowledge(&world, 0, &json!("0".repeat(64))).await.expect(409);
        assert_eq!(refused.problem(), "content-mismatch");
        acknowledge(&world, 0, &json!("abc")).await.expect(422);
        assert_eq!(world.notice(0).await["state"], "delivered");
    }

    async fn only_the_controller_who_was_told_acknowledges(app: TestApp) {
        let world = app.world(2).await;
        world.file().await;
        let notice = world.notice(0).await;
        let path = format!("/v1/notices/{}/acknowledgement", text(&notice["id"]));
        let body = json!({"content_sha256": notice["content_sha256"], "by": {"name": "x", "role": "y"}});
        let processor = app.as_org(&world.processor, &format!("{PROCESSOR} notices:ack"));
        assert_eq!(processor.post(&path, &body).await.expect(403).problem(), "forbidden");
        assert_eq!(world.controller_client(1).post(&path, &body).await.expect(404).problem(), "not-found");
        let without = CONTROLLER.replace("notices:ack", "");
        let reader = app.as_org(&world.controllers[0].id, &without);
        assert_eq!(reader.post(&path, &body).await.expect(403).problem(), "missing-scope");
        assert_eq!(world.notice(0).await["state"], "pending");
    }

    async fn it_counts_even_before_the_delivery(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        app.advance(Duration::minutes(50));
        let notice = world.notice(0).await;
        acknowledge(&world, 0, &notice["content_sha256"]).await.expect(200);
        let known = world.notice(0).await;
        assert_eq!((&known["state"], &known["delivered_at"]), (&json!("acknowledged"), &known["acknowledged_at"]));
        let contract = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((&contract["state"], &contract["met_at"]), (&json!("met"), &json!("2026-11-22T01:30:00Z")));
        let authority = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&authority["state"], &authority["legal_due_at"]), (&json!("running"), &json!("2026-11-25T02:00:00Z")));

        world.receiver.reply(Reply::Status(204));
        world.receiver.taken().await;
        app.advance(Duration::hours(1));
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 0, "whoever has it is not asked again");
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await, authority);
        assert_eq!(world.notice(0).await, known);
    }

    async fn taken_for_later_is_no_delivery(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(202));
        let filed = world.file().await;
        app.step_workers().await;
        app.advance(Duration::hours(2));
        app.step_workers().await;
        assert_eq!(world.delivery(0).await["attempts"][1]["outcome"], "accepted");
        assert_eq!(world.notice(0).await["state"], "pending");
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["state"], "running");
        acknowledge(&world, 0, &world.notice(0).await["content_sha256"]).await.expect(200);
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["met_at"], "2026-11-22T02:40:00Z");
    }
}
