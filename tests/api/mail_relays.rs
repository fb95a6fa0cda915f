//! E-mail without a relay that works: nothing is held against mailboxes, and nothing is lost.

use art33::domain::id::DeliveryId;
use serde_json::json;
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::ladders::SILENT_RELAY;
use crate::harness::mailing::{DESK, Mailing};
use crate::harness::smtp::SmtpServer;
use crate::harness::world::{agreement, instant, text};

both! {
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
