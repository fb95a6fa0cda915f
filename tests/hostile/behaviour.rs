//! Receivers that fail over hours and days, and people who change endpoints meanwhile.

use std::sync::Arc;

use art33::crypto::sha256_hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::Duration;
use tokio::sync::Semaphore;

use crate::harness::app::{START, TestApp};
use crate::harness::receiver::{Delivery, Receiver, Reply};
use crate::harness::world::{World, instant, text};

/// Lets time pass until the delivery of the first controller is due again, and sends.
async fn send_again(app: &TestApp, world: &World) -> Value {
    app.advance(instant(&world.delivery(0).await["next_at"]) - app.now());
    app.step_workers().await;
    world.delivery(0).await
}

fn attempts(delivery: &Value, member: &str) -> Vec<Value> {
    delivery["attempts"].as_array().unwrap().iter().map(|attempt| attempt[member].clone()).collect()
}

/// Moves the endpoint of the first controller.
async fn move_to(world: &World, url: &str) {
    let path = format!("/v1/webhooks/{}", world.controllers[0].webhook);
    let tag = world.processor().get(&path).await.expect(200).header("etag").to_owned();
    world.processor().put(&path, &tag, &json!({"url": url, "events": ["*"]})).await.expect(200);
}

/// Whether a webhook bears a signature under this secret; made by an independent library.
fn is_signed_with(delivery: &Delivery, secret: &str) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let webhook = standardwebhooks::Webhook::from_bytes(key).unwrap();
    let timestamp = delivery.header("webhook-timestamp").parse().unwrap();
    let expected = webhook.sign(delivery.header("webhook-id"), timestamp, &delivery.body).unwrap();
    delivery.header("webhook-signature").split(' ').any(|signature| signature == expected)
}

async fn acknowledge(world: &World, notice: &Value, hash: &Value) -> crate::harness::client::Answer {
    let path = format!("/v1/notices/{}/acknowledgement", text(&notice["id"]));
    let body = json!({"content_sha256": hash, "by": {"name": "A. Muster", "role": "DPO"}});
    world.controller_client(0).post(&path, &body).await
}

both! {
    async fn every_other_answer_a_failure_delays_and_loses_nothing(app: TestApp) {
        let world = app.world(1).await;
        app.step_workers().await;
        for _ in 0..5 {
            world.receiver.reply_once(Reply::Status(503));
            world.file().await;
            app.step_workers().await;
            let delivery = send_again(&app, &world).await;
            assert_eq!(attempts(&delivery, "outcome"), ["transient", "delivered"], "{delivery}");
            assert_eq!(world.notice(0).await["state"], "delivered");
        }
    }

    async fn who_recovers_shortly_before_the_end_is_still_told_in_time(app: TestApp) {
        let world = app.world(1).await;
        app.step_workers().await;
        world.receiver.reply(Reply::Status(503));
        let filed = world.file().await;
        app.step_workers().await;
        // The contract's time ends 23 hours and a half after the filing; no wait is longer than 36 minutes.
        while app.now() < START + Duration::minutes(22 * 60 + 10) {
            let delivery = send_again(&app, &world).await;
            assert_eq!(delivery["state"], "open");
        }
        world.receiver.reply(Reply::Status(204));
        let delivery = send_again(&app, &world).await;
        let outcomes = attempts(&delivery, "outcome");
        assert!(outcomes.len() > 40, "{}", outcomes.len());
        assert!(outcomes[..outcomes.len() - 1].iter().all(|outcome| outcome == "transient"));
        assert_eq!((outcomes.last(), &delivery["state"]), (Some(&json!("delivered")), &json!("delivered")));
        let duty = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((&duty["state"], &duty["late"]), (&json!("met"), &json!(false)), "{duty}");
    }

    async fn who_takes_it_and_never_acknowledges_is_not_pestered(app: TestApp) {
        let world = app.world(1).await;
        app.step_workers().await;
        world.file().await;
        app.step_workers().await;
        let told = world.notice(0).await;
        assert_eq!(told["state"], "delivered");
        world.receiver.taken().await;
        app.advance(Duration::days(30));
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 0);
        assert_eq!(world.notice(0).await, told, "nobody claims that it was acknowledged");
    }

    async fn the_acknowledgement_of_an_older_notice_says_nothing_of_a_newer_one(app: TestApp) {
        let world = app.world(1).await;
        app.step_workers().await;
        let filed = world.file().await;
        app.step_workers().await;
        let old = world.notice(0).await;
        let path = format!("/v1/incidents/{}/versions", text(&filed["id"]));
        let change = json!({"kind": "supplement", "changes": {"title": "Another title"}});
        let amended = world.processor().request("POST", &path).header("if-match", "\"1\"").json(&change);
        amended.send().await.expect(201);
        app.step_workers().await;
        let new = world.notice(0).await;
        assert_ne!((&new["id"], &new["content_sha256"]), (&old["id"], &old["content_sha256"]));
        let crossed = acknowledge(&world, &new, &old["content_sha256"]).await.expect(409);
        assert_eq!(crossed.problem(), "content-mismatch");
        acknowledge(&world, &old, &old["content_sha256"]).await.expect(200);
        assert_eq!(world.notice(0).await["state"], "delivered", "the newer one waits for its own");
        acknowledge(&world, &new, &new["content_sha256"]).await.expect(200);
        assert_eq!(world.notice(0).await["state"], "acknowledged");
    }

    async fn a_flood_of_acknowledgements_right_and_wrong_gives_one_receipt(app: TestApp) {
        let world = app.world(1).await;
        app.step_workers().await;
        world.file().await;
        app.step_workers().await;
        let notice = world.notice(0).await;
        let wrong = json!(sha256_hex(b"something else"));
        let flood = (0..60).map(|n| acknowledge(&world, &notice, if n % 3 == 0 { &wrong } else { &notice["content_sha256"] }));
        let answers = futures::future::join_all(flood).await;
        let refused = answers.iter().filter(|answer| answer.status == 409).count();
        assert_eq!((refused, answers.iter().filter(|answer| answer.status == 200).count()), (20, 40));
        let stream = format!("/v1/audit?stream={}", text(&notice["id"]));
        let entries = world.processor().get(&stream).await.expect(200).json["items"].clone();
        let kinds: Vec<_> = entries.as_array().unwrap().iter().map(|entry| text(&entry["kind"])).collect();
        assert_eq!(kinds.iter().filter(|kind| *kind == "notice.acknowledged").count(), 1, "{kinds:?}");
    }

    async fn when_everybody_is_down_everybody_is_told_later_and_once(app: TestApp) {
        let world = app.world(12).await;
        app.step_workers().await;
        world.receiver.reply(Reply::Status(502));
        world.file().await;
        for _ in 0..4 {
            app.step_workers().await;
            app.advance(Duration::minutes(10));
        }
        for index in 0..12 {
            let delivery = world.delivery(index).await;
            assert_eq!(attempts(&delivery, "kind"), vec![json!("status_5xx"); 4], "{delivery}");
        }
        world.receiver.reply(Reply::Status(204));
        world.receiver.taken().await;
        app.step_workers().await;
        let mut paths: Vec<_> = world.receiver.taken_of("notice.initial").await.into_iter().map(|one| one.path).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), 12);
        app.advance(Duration::DAY);
        app.step_workers().await;
        for index in 0..12 {
            let outcomes = attempts(&world.delivery(index).await, "outcome");
            assert_eq!(outcomes.iter().filter(|outcome| **outcome == "delivered").count(), 1, "{outcomes:?}");
        }
    }

    async fn an_attempt_under_way_keeps_the_url_that_it_went_to(app: TestApp) {
        let world = app.world(1).await;
        app.step_workers().await;
        let (old, elsewhere) = (world.receiver.url("/0"), Receiver::start());
        let new = elsewhere.url("/new");
        world.receiver.taken().await;
        world.receiver.reply(Reply::Hang);
        world.file().await;
        let moved = async {
            world.receiver.next_of("notice.initial").await;
            move_to(&world, &new).await;
        };
        tokio::join!(app.step_workers(), moved);
        let delivery = world.delivery(0).await;
        assert_eq!(attempts(&delivery, "url")[0], old.as_str());
        assert_eq!(attempts(&delivery, "kind")[0], "timeout");
        let delivery = if delivery["state"] == "open" { send_again(&app, &world).await } else { delivery };
        assert_eq!(attempts(&delivery, "url"), [json!(old), json!(new)]);
        assert_eq!((&delivery["state"], delivery["attempts"][1]["outcome"].as_str()), (&json!("delivered"), Some("delivered")));
        let arrived = elsewhere.next_of("notice.initial").await;
        assert_eq!(arrived.header("webhook-id"), text(&delivery["id"]), "the same message");
    }

    async fn what_the_old_url_says_too_late_is_not_held_against_the_new_one(
        app: TestApp, settings = [("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT1M")]
    ) {
        let world = app.world(1).await;
        let (old, elsewhere, held) = (world.receiver.url("/0"), Receiver::start(), Arc::new(Semaphore::new(0)));
        let new = elsewhere.url("/new");
        world.receiver.reply(Reply::Held(Arc::clone(&held), 410));
        world.file().await;
        let moved = async {
            world.receiver.next_of("notice.initial").await;
            move_to(&world, &new).await;
            held.add_permits(1);
        };
        let path = format!("/v1/endpoints/{}", world.controllers[0].webhook);
        tokio::join!(app.step_workers(), moved);
        let delivery = world.delivery(0).await;
        let (urls, outcomes) = (attempts(&delivery, "url"), attempts(&delivery, "outcome"));
        assert!(urls.len() > 1 && urls[0] == old.as_str() && urls[1..].iter().all(|url| *url == new), "{delivery}");
        assert_eq!((&outcomes[0], outcomes.last()), (&json!("gone"), Some(&json!("delivered"))), "{delivery}");
        assert_eq!((&delivery["state"], world.notice(0).await["state"].as_str()), (&json!("delivered"), Some("delivered")));
        let shown = world.processor().get(&path).await.expect(200).json;
        assert_eq!((&shown["health"], &shown["failures"]), (&json!("healthy"), &json!(0)), "{shown}");
        assert_eq!(elsewhere.next_of("notice.initial").await.header("webhook-id"), text(&delivery["id"]));
    }

    async fn a_secret_rotated_between_two_attempts_signs_the_second(app: TestApp) {
        let world = app.world(1).await;
        app.step_workers().await;
        world.receiver.taken().await;
        world.receiver.reply_once(Reply::Status(500));
        world.file().await;
        app.step_workers().await;
        let first = world.receiver.next_of("notice.initial").await;
        let path = format!("/v1/webhooks/{}/rotate", world.controllers[0].webhook);
        let new = text(&world.processor().request("POST", &path).send().await.expect(200).json["secret"]);
        let old = &world.controllers[0].secret;
        send_again(&app, &world).await;
        let second = world.receiver.next_of("notice.initial").await;
        assert!(is_signed_with(&first, old) && !is_signed_with(&first, &new));
        assert!(is_signed_with(&second, old) && is_signed_with(&second, &new), "the old one holds for a day");
        assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
        assert_eq!(world.notice(0).await["state"], "delivered");
    }
}
