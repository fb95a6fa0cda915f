//! One filing on its way: told by webhook, both clocks kept, acknowledged, in the ledger.
//! The parts are tested elsewhere; this is the way through.

use serde_json::json;

use crate::harness::app::TestApp;
use crate::harness::receiver::Reply;

both! {
    async fn a_filing_is_told_with_good_signatures_and_acknowledged(app: TestApp) {
        let world = app.world(3).await;
        let filed = world.file().await;
        assert_eq!(filed["affected_count"], 3);
        app.step_workers().await;
        for _ in &world.controllers {
            let notice = world.receiver.next_of("notice.initial").await;
            let index: usize = notice.path[1..].parse().unwrap();
            let controller = &world.controllers[index];
            notice.verify(&controller.secret, &controller.public_key);
            assert_eq!(notice.json["data"]["incident"], filed["id"]);
            assert_eq!(notice.json["data"]["recipient"]["organisation"], controller.id.as_str());

            let path = format!("/v1/notices/{}", notice.json["data"]["notice"].as_str().unwrap());
            let client = world.controller_client(index);
            assert_eq!(client.get(&path).await.expect(200).json["state"], "delivered");
            let hash = &notice.json["data"]["content_sha256"];
            let body = json!({"content_sha256": hash, "by": {"name": "Privacy desk", "role": "dpo"}});
            let receipt = client.post(&format!("{path}/acknowledgement"), &body).await.expect(200);
            assert_eq!(receipt.json["level"], "acknowledged");
            assert_eq!(client.get(&path).await.expect(200).json["state"], "acknowledged");
        }
        let duties = world.processor().get("/v1/duties?state=met").await.expect(200);
        let kinds: Vec<_> = duties.json["items"].as_array().unwrap().iter().map(|duty| &duty["obligation"]).collect();
        assert_eq!(kinds, ["contract_notice"; 3]);
        assert!(app.service().verify_ledger().await.unwrap().verified);
    }

    async fn workers_run_by_themselves_when_they_are_switched_on(app: TestApp, settings = [("WORKERS", "on")]) {
        let world = app.world(1).await;
        world.file().await;
        let controller = &world.controllers[0];
        world.receiver.next_of("notice.initial").await.verify(&controller.secret, &controller.public_key);
    }

    async fn a_receiver_that_hangs_and_fails_is_tried_again_with_the_same_bytes(
        app: TestApp, settings = [("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT0.5S")]
    ) {
        let world = app.world(1).await;
        let incident = world.file().await["id"].as_str().unwrap().to_owned();
        world.receiver.reply(Reply::Status(500));
        world.receiver.reply_once(Reply::Hang);
        world.receiver.reply_once(Reply::With(503, ("retry-after", "60".to_owned()), "later".to_owned()));
        for _ in 0..3 {
            app.step_workers().await;
            app.advance(time::Duration::hours(1));
        }
        world.receiver.reply(Reply::Status(204));
        app.step_workers().await;

        let attempts: Vec<_> =
            world.receiver.taken().await.into_iter().filter(|taken| taken.json["type"] == "notice.initial").collect();
        assert!(attempts.len() >= 4, "{} attempts", attempts.len());
        assert!(attempts.iter().all(|attempt| attempt.header("webhook-id") == attempts[0].header("webhook-id")));

        let staff = world.processor();
        let notices = staff.get(&format!("/v1/notices?incident={incident}")).await.expect(200);
        let notice = notices.json["items"][0]["id"].as_str().unwrap();
        let deliveries = staff.get(&format!("/v1/notices/{notice}/deliveries")).await.expect(200);
        let delivery = &deliveries.json["items"][0];
        let recorded = delivery["attempts"].as_array().unwrap();
        assert_eq!((&delivery["state"], recorded.len()), (&json!("delivered"), attempts.len()));
        let kinds: Vec<_> = recorded.iter().map(|attempt| (&attempt["kind"], &attempt["status"])).collect();
        assert_eq!(kinds[0], (&json!("timeout"), &json!(null)));
        assert_eq!(kinds[1], (&json!("status_5xx"), &json!(503)));
        assert_eq!(kinds[attempts.len() - 1], (&json!(null), &json!(204)));
        app.advance(time::Duration::DAY);
        app.step_workers().await;
        assert!(world.receiver.taken().await.iter().all(|taken| taken.json["type"] != "notice.initial"));
    }
}
