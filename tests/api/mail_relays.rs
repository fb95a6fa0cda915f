//! E-mail without a relay that works: nothing is held against mailboxes, and nothing is lost.

use art33::domain::id::DeliveryId;
use serde_json::json;
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::ladders::SILENT_RELAY;
use crate::harness::mailing::{DESK, Mailing};
use crate::harness::smtp::SmtpServer;
use crate::harness::world::{agreement, instant, text};

/// The same, with room for one message at a time that comes back.
const NARROW: [(&str, &str); 7] = [
    SILENT_RELAY[0],
    SILENT_RELAY[1],
    SILENT_RELAY[2],
    SILENT_RELAY[3],
    SILENT_RELAY[4],
    ("ART33_RATE_LIMIT_PER_SECOND", "1"),
    ("ART33_RATE_LIMIT_BURST", "1"),
];

both! {
    async fn made_up_return_paths_use_up_nothing(app: TestApp, settings = NARROW) {
        let genuine = app.service().mail.as_ref().unwrap().return_paths.address(&DeliveryId::from_bytes([7; 16]), 1);
        let forged = genuine.replace("-1-", "-2-");
        let status = |address: &str| {
            let path = format!("/inbound/mail?recipient={}", address.replace('+', "%2B"));
            let request = app.anonymous().request("POST", &path).body("message/rfc822", "Subject: a\r\n\r\nb\r\n");
            async move { request.send().await.status }
        };
        for _ in 0..5 {
            assert_eq!(status(&forged).await, 404);
        }
        assert_eq!(status(&genuine).await, 404, "made by us, though for nothing that was sent");
        assert_eq!(status(&genuine).await, 429, "that one counted");
    }

    async fn while_the_relay_is_down_nothing_is_held_against_the_mailbox(app: TestApp, settings = SILENT_RELAY) {
        let mailing = Mailing::new(app, SmtpServer::start(&json!({})), DESK, &json!({})).await;
        mailing.file().await;
        mailing.app.step_workers().await;
        let delivery = mailing.delivery().await;
        let attempt = &delivery["attempts"][0];
        assert_eq!((&attempt["outcome"], &attempt["kind"]), (&json!("transient"), &json!("connect")));
        assert!(instant(&delivery["next_at"]) - mailing.app.now() < Duration::MINUTE, "{delivery}");
        let id: DeliveryId = text(&delivery["id"]).parse().unwrap();
        let owner = mailing.controller.parse().unwrap();
        let endpoint = text(&delivery["endpoint"]).parse().unwrap();
        let found = mailing.app.service().store.read::<_, art33::store::StoreError>(move |connection| {
            art33::store::endpoints::find(connection, &owner, &endpoint)
        });
        let found = found.await.unwrap().unwrap();
        assert_eq!((found.failures, found.health.as_str()), (0, "unverified"), "{id}");
    }

    async fn without_a_relay_mailboxes_are_known_and_nothing_waits(app: TestApp) {
        let world = app.world(1).await;
        let staff = world.processor();
        let mut body = agreement(&world.controllers[0].id, "AVV-9", "");
        body["terms"]["addressees"] = json!([{"role": "desk", "channel": "email", "address": DESK}]);
        staff.post("/v1/agreements", &body).await.expect(201);
        let registered = staff.get("/v1/audit").await.expect(200).json;
        let kinds: Vec<_> = registered["items"].as_array().unwrap().iter().map(|item| text(&item["kind"])).collect();
        assert!(kinds.contains(&"mailboxes.registered".to_owned()), "{kinds:?}");
        let waiting = |connection: &mut art33::store::AnyConnection| {
            art33::store::deliveries::next_due(connection, art33::domain::delivery::Lane::Mail)
        };
        assert_eq!(app.service().store.read::<_, art33::store::StoreError>(waiting).await.unwrap(), None);
    }
}
