//! Receipts of every level: each verifies with the published keys, each stored one names the one before it, none can be left out.

use serde_json::{Value, json};
use time::Duration;

use crate::acknowledgement::{acknowledge, verified};
use crate::harness::app::TestApp;
use crate::harness::client::Answer;
use crate::harness::receiver::Reply;
use crate::harness::world::{PROCESSOR, World, text};

/// The notice with its receipts, as the processor reads it.
async fn shown(world: &World) -> Value {
    let path = format!("/v1/notices/{}", text(&world.notice(0).await["id"]));
    world.processor().get(&path).await.expect(200).json
}

async fn receipts(world: &World) -> Vec<Value> {
    shown(world).await["receipts"].as_array().unwrap().clone()
}

async fn dispute(world: &World, body: &Value) -> Answer {
    let path = format!("/v1/notices/{}/dispute", text(&world.notice(0).await["id"]));
    world.controller_client(0).post(&path, body).await
}

fn wrong() -> Value {
    let by = json!({"name": "Privacy desk", "role": "data protection officer"});
    json!({"reason": "wrong_content", "by": by, "note": "The numbers are not ours."})
}

/// Goes through every level; the endpoint takes the message for later first.
async fn through_all(app: &TestApp) -> World {
    let world = app.world(1).await;
    world.receiver.reply_once(Reply::Status(202));
    world.file().await;
    app.step_workers().await;
    app.advance(Duration::minutes(1));
    app.step_workers().await;
    let notice = world.notice(0).await;
    app.advance(Duration::minutes(1));
    world.controller_client(0).get(&format!("/v1/notices/{}", text(&notice["id"]))).await.expect(200);
    app.advance(Duration::minutes(1));
    acknowledge(&world, 0, &notice["content_sha256"]).await.expect(200);
    app.advance(Duration::minutes(1));
    dispute(&world, &wrong()).await.expect(200);
    world
}

both! {
    async fn every_level_verifies_with_the_published_keys(app: TestApp) {
        let world = through_all(&app).await;
        let all = receipts(&world).await;
        let told = |member: &str| all.iter().map(|one| one[member].clone()).collect::<Vec<_>>();
        let levels = ["filed", "attempted", "accepted", "delivered", "accessed", "acknowledged", "disputed"];
        assert_eq!(told("level"), levels.map(|level| json!(level)));
        let means = [json!(null), json!("webhook"), json!("webhook"), json!("webhook"), json!("token"), json!("token"), json!("token")];
        assert_eq!(told("means"), means);
        for receipt in &all {
            let (header, payload) = verified(&app, &receipt["jws"]).await;
            assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("receipt+jws")));
            assert_eq!(payload["jti"], receipt["id"]);
            for member in ["level", "at", "notice", "content_sha256", "by", "means", "evidence_sha256", "previous_sha256"] {
                assert_eq!(payload[member], receipt[member], "{member} of {receipt}");
            }
            assert_eq!((&payload["processor"], &payload["controller"]), (&json!(world.processor), &json!(world.controllers[0].id)));
        }
        assert_eq!(receipts(&world).await, all, "what is derived is the same whenever it is read");
        let own = world.controller_client(0).get(&format!("/v1/notices/{}", text(&all[0]["notice"]))).await.expect(200);
        assert_eq!(own.json["receipts"], json!(all), "both sides have the same proof");
    }

    async fn stored_ones_are_a_chain(app: TestApp) {
        let world = through_all(&app).await;
        let all = receipts(&world).await;
        let (derived, stored) = all.split_at(3);
        for receipt in derived {
            let name = format!("{}#{}", text(&receipt["notice"]), text(&receipt["level"]));
            assert_eq!((&receipt["id"], &receipt["previous_sha256"]), (&json!(name), &Value::Null));
        }
        let mut before = Value::Null;
        for receipt in stored {
            assert_eq!(receipt["previous_sha256"], before, "{receipt}");
            before = json!(art33::crypto::sha256_hex(text(&receipt["jws"]).as_bytes()));
        }
    }

    async fn evidence_fits_the_attempts(app: TestApp) {
        let world = through_all(&app).await;
        let all = receipts(&world).await;
        let attempts = world.delivery(0).await["attempts"].clone();
        assert_eq!((&all[1]["at"], &all[1]["evidence_sha256"]), (&attempts[0]["started_at"], &attempts[0]["request_sha256"]));
        assert_eq!((&all[2]["at"], &all[2]["evidence_sha256"]), (&attempts[0]["ended_at"], &attempts[0]["response_sha256"]));
        assert_eq!((&all[3]["at"], &all[3]["evidence_sha256"]), (&attempts[1]["ended_at"], &attempts[1]["response_sha256"]));
    }

    async fn what_was_only_tried_is_only_attempted(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        assert_eq!(receipts(&world).await.len(), 1, "it is filed");
        app.step_workers().await;
        let levels: Vec<_> = receipts(&world).await.iter().map(|one| text(&one["level"])).collect();
        assert_eq!(levels, ["filed", "attempted"]);
    }

    async fn a_dispute_stops_no_clock_and_is_on_record(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        app.step_workers().await;
        let authority = world.duty(&filed, "gdpr_33_1", 0).await;
        let given = dispute(&world, &wrong()).await.expect(200).json;
        assert_eq!((&given["level"], &given["by"]["name"]), (&json!("disputed"), &json!("Privacy desk")));
        let evidence = text(&given["evidence"]);
        assert_eq!(given["evidence_sha256"], art33::crypto::sha256_hex(evidence.as_bytes()));
        let words: Value = serde_json::from_str(&evidence).unwrap();
        assert_eq!(words, json!({"reason": "wrong_content", "note": "The numbers are not ours."}));

        let notice = shown(&world).await;
        assert_eq!((&notice["state"], notice["disputed_at"].is_string()), (&json!("delivered"), true));
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await, authority, "clocks run on");
        app.advance(Duration::HOUR);
        let again = json!({"reason": "other", "by": {"name": "Another", "role": "clerk"}});
        assert_eq!(dispute(&world, &again).await.expect(200).json, given);
        let stream = format!("/v1/audit?stream={}", text(&notice["id"]));
        let entries = world.processor().get(&stream).await.expect(200).json["items"].clone();
        let disputed = entries.as_array().unwrap().iter().find(|entry| entry["kind"] == "notice.disputed").unwrap();
        assert_eq!(disputed["facts"]["evidence_sha256"], given["evidence_sha256"]);
        assert!(!entries.to_string().contains("numbers"), "words stay out of the ledger");
        acknowledge(&world, 0, &notice["content_sha256"]).await.expect(200);
    }

    async fn only_the_controller_who_was_told_disputes(app: TestApp) {
        let world = app.world(2).await;
        world.file().await;
        let path = format!("/v1/notices/{}/dispute", text(&world.notice(0).await["id"]));
        let processor = app.as_org(&world.processor, &format!("{PROCESSOR} notices:ack"));
        assert_eq!(processor.post(&path, &wrong()).await.expect(403).problem(), "forbidden");
        assert_eq!(world.controller_client(1).post(&path, &wrong()).await.expect(404).problem(), "not-found");
        let faulty = world.controller_client(0).post(&path, &json!({"reason": "lost"})).await.expect(422);
        assert_eq!(faulty.faults(), [("/reason", "unknown_code"), ("/by", "required")]);
        assert_eq!(shown(&world).await["disputed_at"], Value::Null);
    }
}
