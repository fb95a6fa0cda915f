//! Sending: what a webhook holds and how it is signed, when it is tried again, and that one bad receiver hurts nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::Duration;

use crate::harness::acts::told_without_endpoint;
use crate::harness::app::TestApp;
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::world::{PROCESSOR, World, instant, text};

/// Lets time pass until the delivery is due again, and sends.
async fn send_again(app: &TestApp, world: &World) -> Value {
    let due = instant(&world.delivery(0).await["next_at"]);
    app.advance(due - app.now());
    app.step_workers().await;
    world.delivery(0).await
}

fn outcomes(delivery: &Value) -> Vec<(String, String, Value)> {
    let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attempts = delivery["attempts"].as_array().unwrap();
    attempts.iter().map(|one| (said(&one["outcome"]), said(&one["kind"]), one["status"].clone())).collect()
}

fn outcome(outcome: &str, kind: &str, status: Value) -> (String, String, Value) {
    (outcome.to_owned(), kind.to_owned(), status)
}

/// Whether a webhook bears a signature under this secret; made by an independent library.
fn is_signed_with(delivery: &crate::harness::receiver::Delivery, secret: &str) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let webhook = standardwebhooks::Webhook::from_bytes(key).unwrap();
    let timestamp = delivery.header("webhook-timestamp").parse().unwrap();
    let expected = webhook.sign(delivery.header("webhook-id"), timestamp, &delivery.body).unwrap();
    delivery.header("webhook-signature").split(' ').any(|signature| signature == expected)
}

both! {
    async fn a_notice_is_thin_addressed_and_signed_twice(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        app.advance(Duration::minutes(5));
        app.step_workers().await;
        let known = &world.controllers[0];
        let arrived = world.receiver.next().await;
        arrived.verify(&known.secret, &known.public_key);
        assert_eq!(arrived.header("content-type"), "application/json");
        assert_eq!(arrived.header("ce-specversion"), "1.0");
        assert_eq!(arrived.header("ce-type"), "notice.initial");
        assert_eq!(arrived.header("ce-id"), arrived.header("webhook-id"));
        assert_eq!(arrived.header("ce-time"), "2026-11-22T00:45:00Z");
        assert_eq!(arrived.header("webhook-timestamp"), app.now().unix_timestamp().to_string());
        assert!(arrived.header("ce-source").starts_with("http://"), "{arrived:?}");

        let notice = world.notice(0).await;
        let id = text(&notice["id"]);
        let url = format!("{}v1/notices/{id}", arrived.header("ce-source"));
        assert_eq!(arrived.json, json!({
            "type": "notice.initial", "timestamp": "2026-11-22T00:45:00Z",
            "data": {
                "notice": id, "incident": filed["id"], "sequence": 1, "supersedes": null,
                "processor": {"id": world.processor, "name": "Muster Lernsysteme GmbH"},
                "recipient": {"organisation": known.id, "webhook": known.webhook}, "severity": null,
                "informed_at_rule": "earlier",
                "controller_alarm_at": "2026-11-25T00:45:00Z", "controller_legal_due_at": "2026-11-25T01:00:00Z",
                "content_sha256": notice["content_sha256"], "notice_url": url,
                "acknowledge_url": format!("{url}/acknowledgement"), "ledger_head": null,
            },
        }));
        let duty = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!(duty["legal_due_at"], arrived.json["data"]["controller_legal_due_at"], "what was said came true");
        let delivery = world.delivery(0).await;
        assert_eq!((&delivery["state"], &delivery["next_at"]), (&json!("delivered"), &Value::Null));
        assert_eq!(delivery["attempts"][0]["request_sha256"], art33::crypto::sha256_hex(&arrived.body));
    }

    async fn the_content_behind_the_link_has_the_hash(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        let notice = world.notice(0).await;
        let path = format!("/v1/notices/{}/content", text(&notice["id"]));
        let content = world.controller_client(0).get(&path).await.expect(200);
        assert_eq!(notice["content_sha256"], art33::crypto::sha256_hex(&content.body));
        assert_eq!(content.header("etag"), format!("\"{}\"", text(&notice["content_sha256"])));
        let receipts = world.processor().get(&path[..path.len() - 8]).await.expect(200).json["receipts"].clone();
        let levels: Vec<_> = receipts.as_array().unwrap().iter().map(|one| text(&one["level"])).collect();
        assert_eq!(levels, ["filed", "delivered", "accessed"]);
    }

    async fn failures_are_tried_again_on_the_schedule(app: TestApp) {
        let world = app.world(1).await;
        let elsewhere = Receiver::start();
        for reply in [
            Reply::Status(500),
            Reply::Hang,
            Reply::With(429, ("retry-after", "300".to_owned()), String::new()),
            Reply::With(307, ("location", elsewhere.url("/")), String::new()),
            Reply::Status(404),
        ] {
            world.receiver.reply_once(reply);
        }
        world.file().await;
        app.step_workers().await;
        // Planned waits of 10, 30, 90, 180 and 420 seconds, a fifth up or down; the receiver's wish prolongs the third.
        for (low, high) in [(8, 12), (24, 36), (300, 300), (144, 216), (336, 504)] {
            let wait = instant(&world.delivery(0).await["next_at"]) - app.now();
            assert!((Duration::seconds(low)..=Duration::seconds(high)).contains(&wait), "{wait} is not {low} to {high} s");
            send_again(&app, &world).await;
        }
        let delivery = world.delivery(0).await;
        assert_eq!(outcomes(&delivery), [
            outcome("transient", "status_5xx", json!(500)),
            outcome("transient", "timeout", Value::Null),
            outcome("transient", "throttled", json!(429)),
            outcome("configuration", "redirect", json!(307)),
            outcome("configuration", "status_4xx", json!(404)),
            outcome("delivered", "", json!(204)),
        ]);
        let attempts = delivery["attempts"].as_array().unwrap();
        let numbers: Vec<_> = attempts.iter().map(|one| one["number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        assert!(attempts.iter().all(|one| one["ended_at"].is_string() && one["url"] == world.receiver.url("/0")));
        assert_eq!(attempts[5]["peer"].as_str().map(|peer| peer.starts_with("127.0.0.1")), Some(true));
        let arrived = world.receiver.taken_of("notice.initial").await;
        let ids: std::collections::BTreeSet<_> = arrived.iter().map(|one| one.header("webhook-id")).collect();
        assert_eq!((arrived.len(), ids.len()), (6, 1), "the same message six times");
        assert_eq!(elsewhere.taken().await.len(), 0, "no redirect is followed");
    }

    async fn what_is_gone_stays_gone_until_somebody_asks(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(410));
        world.file().await;
        app.step_workers().await;
        let delivery = world.delivery(0).await;
        assert_eq!((&delivery["state"], &delivery["next_at"]), (&json!("gone"), &Value::Null));
        app.advance(Duration::days(2));
        app.step_workers().await;
        let first = world.receiver.next().await;
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 0);
        assert_eq!(world.notice(0).await["state"], "pending");

        world.receiver.reply(Reply::Status(204));
        let path = format!("/v1/notices/{}/redeliver", text(&world.notice(0).await["id"]));
        let asked = world.processor().request("POST", &path).send().await.expect(202);
        assert_eq!(asked.json["deliveries"], json!([delivery["id"]]));
        app.step_workers().await;
        let again = world.receiver.taken_of("notice.initial").await;
        assert_eq!(again[0].header("webhook-id"), first.header("webhook-id"));
        assert_eq!(world.notice(0).await["state"], "delivered");
        assert_eq!(world.controller_client(0).request("POST", &path).send().await.status, 403, "not for the controller");
    }

    async fn a_rotated_secret_signs_beside_the_old_one_for_a_day(app: TestApp) {
        let world = app.world(1).await;
        let known = &world.controllers[0];
        let path = format!("/v1/webhooks/{}/rotate", known.webhook);
        let rotated = world.processor().request("POST", &path).send().await.expect(200).json;
        let new = text(&rotated["secret"]);
        assert_ne!(new, known.secret);
        assert_eq!(instant(&rotated["previous_valid_until"]), app.now() + Duration::DAY);
        world.file().await;
        app.step_workers().await;
        let both = world.receiver.next().await;
        assert!(is_signed_with(&both, &new) && is_signed_with(&both, &known.secret));
        both.verify(&new, &known.public_key);
        app.advance(Duration::DAY);
        world.receiver.taken().await;
        world.file().await;
        app.step_workers().await;
        let after = world.receiver.next_of("notice.initial").await;
        assert!(is_signed_with(&after, &new) && !is_signed_with(&after, &known.secret));
    }

    async fn a_secret_that_got_lost_on_its_way_costs_nothing(app: TestApp) {
        let world = app.world(1).await;
        let known = &world.controllers[0];
        let path = format!("/v1/webhooks/{}/rotate", known.webhook);
        let rotate = async |query: &str| world.processor().request("POST", &format!("{path}{query}")).send().await;
        rotate("").await.expect(200);
        app.advance(Duration::HOUR);
        let newest = text(&rotate("").await.expect(200).json["secret"]);
        world.receiver.taken().await;
        world.file().await;
        app.step_workers().await;
        let sent = world.receiver.next_of("notice.initial").await;
        assert!(is_signed_with(&sent, &newest) && is_signed_with(&sent, &known.secret), "what is in use goes on");
        assert_eq!(rotate("").await.expect(409).problem(), "secrets-overlap");
        for bad in ["?overlap=P8D", "?overlap=-PT1H", "?overlap=soon", "?overlap=without_undue_delay"] {
            assert_eq!(rotate(bad).await.expect(400).problem(), "bad-request", "{bad}");
        }
        let after_leak = text(&rotate("?overlap=PT0S").await.expect(200).json["secret"]);
        world.file().await;
        app.step_workers().await;
        let sent = world.receiver.next_of("notice.initial").await;
        assert!(is_signed_with(&sent, &after_leak));
        assert!(!is_signed_with(&sent, &newest) && !is_signed_with(&sent, &known.secret), "all before are ended");
    }

    async fn a_webhook_that_comes_late_gets_what_is_still_owed(app: TestApp) {
        let world = app.world(1).await;
        let late = told_without_endpoint(&app, &world).await;
        let staff = world.processor();
        app.advance(Duration::hours(3));
        app.step_workers().await;
        let inbox = app.as_org(&late, "notices:read webhooks:write").get("/v1/notices").await.expect(200).json;
        assert_eq!(inbox["items"][0]["state"], "pending");
        let redeliver = format!("/v1/notices/{}/redeliver", text(&inbox["items"][0]["id"]));
        assert_eq!(staff.request("POST", &redeliver).send().await.expect(409).problem(), "no-endpoint");

        let webhook = json!({"url": world.receiver.url("/late"), "events": ["notice.*"]});
        let webhook = app.as_org(&late, "webhooks:write").post("/v1/webhooks", &webhook).await.expect(201).json;
        app.step_workers().await;
        let arrived = world.receiver.next().await;
        assert_eq!(arrived.path, "/late");
        arrived.verify(&text(&webhook["secret"]), &text(&webhook["public_key"]));
        assert_eq!(arrived.json["data"]["notice"], inbox["items"][0]["id"]);
        let inbox = app.as_org(&late, "notices:read").get("/v1/notices").await.expect(200).json;
        assert_eq!((&inbox["items"][0]["state"], instant(&inbox["items"][0]["delivered_at"])), (&json!("delivered"), app.now()));
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 0);
    }

    async fn a_test_event_goes_to_one_webhook(app: TestApp) {
        let world = app.world(2).await;
        let known = &world.controllers[1];
        let path = format!("/v1/webhooks/{}/test", known.webhook);
        let asked = world.controller_client(1).request("POST", &path).send().await.expect(202).json;
        app.step_workers().await;
        let arrived = world.receiver.next().await;
        arrived.verify(&known.secret, &known.public_key);
        assert_eq!((arrived.header("webhook-id"), arrived.path.as_str()), (asked["delivery"].as_str().unwrap(), "/1"));
        assert_eq!(world.receiver.taken().await.len(), 0);
    }
}

both! {
    async fn private_addresses_need_permission(
        app: TestApp, settings = [("ART33_OUTBOUND_ALLOW", "203.0.113.0/24"), ("ART33_OUTBOUND_PORTS", "any")]
    ) {
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        let staff = app.as_org(&processor, PROCESSOR);
        let receiver = Receiver::start();
        for url in [
            &receiver.url("/x"), "https://10.0.0.1/x", "https://192.168.1.1/x", "https://169.254.169.254/latest/meta-data",
            "https://[::1]/x", "https://[fd00::1]/x", "https://[::ffff:127.0.0.1]/x", "https://0x7f000001/x",
        ] {
            let refused = staff.post("/v1/webhooks", &json!({"url": url, "events": ["*"]})).await.expect(422);
            assert_eq!(refused.json["errors"][0]["pointer"], "/url", "{url}");
        }
        // A name can lead anywhere, so it is judged when it is used.
        let port = receiver.url("").rsplit(':').next().unwrap().to_owned();
        let body = json!({"name": "Beispielwerk AG", "roles": ["controller"], "country": "DE"});
        let controller = staff.post("/v1/organisations", &body).await.expect(201).id();
        let mut agreement = crate::harness::world::agreement(&controller, "AVV-1", "");
        agreement["terms"]["addressees"] = json!([{"role": "controller", "channel": "webhook"}]);
        staff.post("/v1/agreements", &agreement).await.expect(201);
        let hidden = json!({"url": format!("http://localhost:{port}/x"), "events": ["*"], "organisation": controller});
        staff.post("/v1/webhooks", &hidden).await.expect(201);
        let told = crate::harness::world::filing(app.now(), &json!([{"controller": controller}]));
        staff.post("/v1/incidents", &told).await.expect(201);
        app.step_workers().await;
        let notices = staff.get("/v1/notices").await.expect(200).json;
        let path = format!("/v1/notices/{}/deliveries", text(&notices["items"][0]["id"]));
        let delivery = staff.get(&path).await.expect(200).json["items"][0].clone();
        assert_eq!(outcomes(&delivery), [outcome("configuration", "forbidden_address", Value::Null)]);
        assert_eq!(receiver.taken().await.len(), 0, "nothing reaches loopback");
    }

    async fn plain_http_needs_permission(app: TestApp, settings = [("ART33_OUTBOUND_ALLOW_HTTP", "false")]) {
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        let body = json!({"url": "http://hooks.example.org/x", "events": ["*"]});
        let refused = app.as_org(&processor, PROCESSOR).post("/v1/webhooks", &body).await.expect(422);
        assert_eq!(refused.json["errors"][0]["pointer"], "/url");
    }
}
