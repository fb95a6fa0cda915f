//! What starts the controller's clocks: delivery or acknowledgement, whichever is earlier, or the acknowledgement alone.

use serde_json::{Value, json};
use time::Duration;

use crate::acknowledgement::acknowledge;
use crate::harness::acts::{agree, decision};
use crate::harness::app::TestApp;
use crate::harness::receiver::Reply;
use crate::harness::world::{World, text};

/// A controller whose agreement lets the acknowledgement alone count.
async fn agreed(app: &TestApp) -> World {
    let world = app.world(1).await;
    agree(&world, 0, &json!({"informed_by": "acknowledgement"})).await;
    world
}

async fn acknowledged(world: &World) {
    acknowledge(world, 0, &world.notice(0).await["content_sha256"]).await.expect(200);
}

both! {
    async fn by_default_the_earlier_counts(app: TestApp) {
        let world = app.world(1).await;
        let filed = world.file().await;
        app.step_workers().await;
        let notice = world.notice(0).await;
        assert_eq!((&notice["informed_by"], &notice["informed_at"]), (&json!("earlier"), &notice["delivered_at"]));
        let authority = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&authority["state"], &authority["start_at"]), (&json!("running"), &notice["delivered_at"]));
        app.advance(Duration::hours(3));
        acknowledged(&world).await;
        let after = world.notice(0).await;
        assert_eq!(after["informed_at"], notice["delivered_at"]);
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await, authority, "the acknowledgement moves nothing");
    }

    async fn the_acknowledgement_alone_counts_where_that_is_agreed(app: TestApp) {
        let world = agreed(&app).await;
        let filed = world.file().await;
        app.step_workers().await;
        let told = world.receiver.taken_of("notice.initial").await;
        let data = &told[0].json["data"];
        assert_eq!(data["informed_at_rule"], "acknowledgement");
        assert_eq!((&data["controller_alarm_at"], &data["controller_legal_due_at"]), (&Value::Null, &Value::Null));
        let notice = world.notice(0).await;
        assert_eq!((&notice["state"], &notice["informed_at"]), (&json!("delivered"), &Value::Null));
        let contract = world.duty(&filed, "contract_notice", 0).await;
        assert_eq!((&contract["state"], &contract["met_at"]), (&json!("met"), &notice["delivered_at"]), "the processor has told");
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await["state"], "not_started");

        app.advance(Duration::hours(3));
        acknowledged(&world).await;
        let after = world.notice(0).await;
        assert_eq!((&after["delivered_at"], &after["informed_at"]), (&notice["delivered_at"], &after["acknowledged_at"]));
        assert_ne!(after["delivered_at"], after["acknowledged_at"], "both are kept");
        let authority = world.duty(&filed, "gdpr_33_1", 0).await;
        assert_eq!((&authority["state"], &authority["start_at"]), (&json!("running"), &after["acknowledged_at"]));
        assert_eq!(authority["legal_due_at"], "2026-11-25T04:00:00Z");
        assert_eq!(world.duty(&filed, "contract_notice", 0).await, contract);
    }

    async fn an_acknowledgement_before_the_delivery_is_both(app: TestApp) {
        let world = agreed(&app).await;
        world.receiver.reply(Reply::Status(500));
        let filed = world.file().await;
        app.step_workers().await;
        app.advance(Duration::minutes(20));
        acknowledged(&world).await;
        let notice = world.notice(0).await;
        assert_eq!((&notice["delivered_at"], &notice["informed_at"]), (&notice["acknowledged_at"], &notice["acknowledged_at"]));
        assert_eq!(world.duty(&filed, "contract_notice", 0).await["met_at"], notice["acknowledged_at"]);
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await["start_at"], notice["acknowledged_at"]);
    }

    async fn what_is_reopened_has_missed_the_same_moment(app: TestApp) {
        for (terms, member) in [("earlier", "delivered_at"), ("acknowledgement", "acknowledged_at")] {
            let world = app.world(1).await;
            agree(&world, 0, &json!({"informed_by": terms})).await;
            world.receiver.reply(Reply::Status(500));
            let filed = world.file().await;
            let duty = world.duty(&filed, "gdpr_33_1", 0).await;
            let path = format!("/v1/duties/{}", text(&duty["id"]));
            let words = json!({"by": "A. Muster", "reason": "The key is safe."});
            let own = world.controller_client(0);
            own.post(&format!("{path}/waiver"), &words).await.expect(200);
            world.receiver.reply(Reply::Status(204));
            app.advance(Duration::HOUR);
            app.step_workers().await;
            app.advance(Duration::HOUR);
            acknowledged(&world).await;
            app.advance(Duration::HOUR);
            let reopened = own.post(&format!("{path}/reopening"), &words).await.expect(200).json;
            let notice = world.notice(0).await;
            assert_ne!(notice["delivered_at"], notice["acknowledged_at"]);
            assert_eq!((&reopened["state"], &reopened["start_at"]), (&json!("running"), &notice[member]), "{terms}");
        }
    }

    async fn a_decision_before_the_acknowledgement_starts_nothing(app: TestApp) {
        let world = agreed(&app).await;
        let filed = world.file().await;
        app.step_workers().await;
        world.decide(&filed, 0, &decision(true, "undecided")).await.expect(201);
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await["state"], "not_started");
        app.advance(Duration::HOUR);
        acknowledged(&world).await;
        assert_eq!(world.duty(&filed, "gdpr_33_1", 0).await["start_at"], world.notice(0).await["acknowledged_at"]);
    }
}
