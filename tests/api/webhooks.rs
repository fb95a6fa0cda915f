//! Webhook endpoints: secrets, tenants, tests, and what those who come late are told.

use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::client::Answer;
use crate::harness::receiver::Reply;
use crate::harness::world::{PROCESSOR, agreement, filing};

fn endpoint(url: &str, events: &[&str]) -> Value {
    json!({"url": url, "events": events})
}

fn secret(answer: &Answer) -> String {
    answer.json["secret"].as_str().unwrap().to_owned()
}

both! {
    async fn a_secret_is_shown_once_and_never_again(app: TestApp) {
        let world = app.world(1).await;
        let staff = world.processor();
        let created = staff.post("/v1/webhooks", &endpoint(&world.receiver.url("/p"), &["*"])).await.expect(201);
        let path = format!("/v1/webhooks/{}", created.id());
        assert_eq!((created.header("location"), created.header("etag")), (path.as_str(), "\"1\""));
        let shown = staff.get(&path).await.expect(200);
        let listed = staff.get("/v1/webhooks").await.expect(200);
        assert_eq!(listed.json["items"].as_array().unwrap().len(), 2);
        let changed = staff.put(&path, "\"1\"", &endpoint(&world.receiver.url("/q"), &["duty.*"])).await.expect(200);
        assert_eq!((changed.header("etag"), &changed.json["events"]), ("\"2\"", &json!(["duty.*"])));
        for answer in [shown, listed, changed] {
            assert!(!String::from_utf8_lossy(&answer.body).contains("whsec_"), "{answer}");
        }
        staff.put(&path, "\"1\"", &endpoint(&world.receiver.url("/q"), &["*"])).await.expect(412);
        staff.request("PUT", &path).json(&endpoint(&world.receiver.url("/q"), &["*"])).send().await.expect(428);
    }

    async fn every_fault_is_named_and_forbidden_addresses_are_refused(app: TestApp) {
        let staff = app.world(0).await.processor();
        let bad = json!({"url": "https://user:hunter2@10.0.0.1/", "events": ["fire"], "organisation": "x", "secret": "y"});
        let answer = staff.post("/v1/webhooks", &bad).await.expect(422);
        let pointers: Vec<_> = answer.faults().into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/url", "/events/0", "/organisation", "/secret"]);
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
        for url in ["https://10.0.0.1/", "ftp://example.org/", "https://[fd00::1]/", "nowhere"] {
            let answer = staff.post("/v1/webhooks", &endpoint(url, &["*"])).await.expect(422);
            assert_eq!(answer.faults().len(), 1, "{url}");
            assert_eq!(answer.faults()[0].0, "/url");
        }
    }

    async fn endpoints_are_for_oneself_and_for_ones_controllers(app: TestApp) {
        let world = app.world(2).await;
        let path = format!("/v1/webhooks/{}", world.controllers[0].webhook);
        world.processor().get(&path).await.expect(200);
        world.controller_client(0).get(&path).await.expect(200);
        let stranger = app.organisation("Fremd GmbH", &["processor"]).await;
        for client in [app.as_org(&stranger, PROCESSOR), world.controller_client(1)] {
            client.get(&path).await.expect(404);
            client.put(&path, "\"1\"", &endpoint(&world.receiver.url("/x"), &["*"])).await.expect(404);
            client.request("POST", &format!("{path}/rotate")).send().await.expect(404);
            client.request("POST", &format!("{path}/test")).send().await.expect(404);
        }
        let mut foreign = endpoint(&world.receiver.url("/x"), &["*"]);
        foreign["organisation"] = json!(world.controllers[0].id);
        for client in [app.as_org(&stranger, PROCESSOR), world.controller_client(1)] {
            let answer = client.post("/v1/webhooks", &foreign).await.expect(422);
            assert_eq!(answer.faults(), [("/organisation", "unknown_organisation")]);
        }
    }

    async fn after_a_rotation_both_secrets_sign_for_a_day(app: TestApp) {
        let world = app.world(1).await;
        let (staff, known) = (world.processor(), &world.controllers[0]);
        let path = format!("/v1/webhooks/{}", known.webhook);
        let rotated = staff.request("POST", &format!("{path}/rotate")).send().await.expect(200);
        assert_ne!(secret(&rotated), known.secret);
        for overlapping in [true, false] {
            let queued = staff.request("POST", &format!("{path}/test")).send().await.expect(202);
            app.step_workers().await;
            let delivery = world.receiver.next().await;
            assert_eq!(delivery.header("webhook-id"), queued.json["delivery"].as_str().unwrap());
            delivery.verify(&secret(&rotated), &known.public_key);
            let signatures = delivery.header("webhook-signature").split(' ').filter(|part| part.starts_with("v1,")).count();
            assert_eq!(signatures, if overlapping { 2 } else { 1 });
            if overlapping {
                delivery.verify(&known.secret, &known.public_key);
            }
            app.advance(time::Duration::hours(25));
        }
    }

    async fn who_registers_late_is_told_what_is_open(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        app.step_workers().await;
        world.receiver.taken().await;
        world.receiver.reply(Reply::Status(204));
        let late = world.controller_client(0).post("/v1/webhooks", &endpoint(&world.receiver.url("/late"), &["notice.*"])).await.expect(201);
        app.step_workers().await;
        let arrived = world.receiver.taken_of("notice.initial").await;
        let [delivery] = arrived.iter().filter(|delivery| delivery.path == "/late").collect::<Vec<_>>()[..] else {
            panic!("{arrived:?}")
        };
        delivery.verify(&secret(&late), late.json["public_key"].as_str().unwrap());

        world.controller_client(0).post("/v1/webhooks", &endpoint(&world.receiver.url("/later"), &["*"])).await.expect(201);
        app.step_workers().await;
        let later = world.receiver.taken().await;
        assert!(!later.iter().any(|one| one.path == "/later" && one.json["type"] == "notice.initial"), "{later:?}");
    }

    async fn an_endpoint_that_one_processor_registered_hears_nothing_of_another(app: TestApp) {
        let world = app.world(0).await;
        let common = app.organisation("Gemeinsam AG", &["controller"]).await;
        let rival = app.organisation("Zweite GmbH", &["processor"]).await;
        let register = async |processor: &str, path: &str| {
            let mut body = endpoint(&world.receiver.url(path), &["*"]);
            body["organisation"] = json!(common);
            app.as_org(processor, PROCESSOR).post("/v1/webhooks", &body).await.expect(201)
        };
        register(&rival, "/early").await;
        let mut body = agreement(&common, "AVV-1", "");
        body["terms"].as_object_mut().unwrap().remove("addressees");
        world.processor().post("/v1/agreements", &body).await.expect(201);
        let filing = filing(app.now(), &json!([{"controller": common}]));
        world.processor().post("/v1/incidents", &filing).await.expect(201);
        register(&rival, "/late").await;
        app.step_workers().await;
        assert!(world.receiver.taken().await.is_empty());

        register(&world.processor, "/own").await;
        app.step_workers().await;
        let paths: Vec<_> = world.receiver.taken().await.into_iter().map(|delivery| delivery.path).collect();
        assert!(!paths.is_empty() && paths.iter().all(|path| path == "/own"), "{paths:?}");
    }

    async fn the_same_request_registers_once_and_shows_the_same_secret(app: TestApp) {
        let world = app.world(0).await;
        let staff = world.processor();
        let send = async |path: &str| {
            let request = staff.request("POST", "/v1/webhooks").header("idempotency-key", "w");
            request.json(&endpoint(&world.receiver.url(path), &["*"])).send().await
        };
        let first = send("/a").await.expect(201);
        let again = send("/a").await.expect(201);
        assert_eq!(secret(&first), secret(&again));
        send("/b").await.expect(409);
        assert_eq!(staff.get("/v1/webhooks").await.expect(200).json["items"].as_array().unwrap().len(), 1);
    }
}
