//! A service that was down for hours while due times passed: it says what is late, fires each alarm once, and delivers what is owed.

use art33::domain::delivery::Lane;
use art33::service::{DeliveryAudit, Finding};
use serde_json::{Value, json};
use time::Duration;

use crate::duties::desk;
use crate::harness::acts::{agree, without_ladders};
use crate::harness::app::TestApp;
use crate::harness::world::text;

async fn audit(app: &TestApp) -> DeliveryAudit {
    app.service().audit_delivery().await.unwrap()
}

both! {
    async fn six_hours_over_several_due_times(app: TestApp) {
        let world = app.world(3).await;
        let desk = desk(&world).await;
        agree(&world, 0, &json!({"notify_within": "PT2H", "internal_target": "PT1H"})).await;
        agree(&world, 1, &json!({"notify_within": "PT4H", "internal_target": "PT2H"})).await;
        let filed = world.file().await;
        app.advance(Duration::hours(6));
        let found = audit(&app).await;
        assert_eq!(found.overdue_seconds.delivery, Duration::hours(6));
        assert!(found.findings.contains(&Finding::OverdueDelivery) && found.findings.contains(&Finding::OverdueAlarm));
        assert_eq!((found.without_next_step.count, found.queue.first), (0, 3), "late, but not forgotten");

        app.step_workers().await;
        let told = desk.taken().await;
        let what = |kind: &str| -> Vec<Value> {
            told.iter().filter(|one| one.json["type"] == kind).map(|one| one.json["data"]["duty"].clone()).collect()
        };
        let mut late: Vec<_> = what("duty.overdue").iter().map(|duty| text(&duty["controller"])).collect();
        late.sort();
        let mut expected = vec![world.controllers[0].id.clone(), world.controllers[1].id.clone()];
        expected.sort();
        assert_eq!(late, expected, "each duty once, by its highest step");
        assert_eq!(what("duty.due_soon"), [Value::Null; 0]);
        assert_eq!(what("duty.met").len(), 3);
        for (index, is_late) in [true, true, false].into_iter().enumerate() {
            let duty = world.duty(&filed, "contract_notice", index).await;
            assert_eq!((&duty["state"], &duty["late"]), (&json!("met"), &json!(is_late)), "{index}");
            assert_eq!(world.notice(index).await["state"], "delivered", "what is late is owed all the same");
        }
        let after = audit(&app).await;
        assert_eq!((after.overdue_seconds.delivery, after.overdue_seconds.alarm), (Duration::ZERO, Duration::ZERO));
        app.step_workers().await;
        assert_eq!(desk.taken().await.len(), 0, "and nothing twice");
    }

    async fn what_was_in_hand_when_it_went_down_is_sent_again(app: TestApp) {
        let world = app.world(2).await;
        without_ladders(&world, 0).await;
        without_ladders(&world, 1).await;
        world.file().await;
        let cut_off = app.service().claim_deliveries(Lane::First, || 1, 0, |_, _| Some(())).await.unwrap().ready;
        assert_eq!(cut_off.len(), 1);
        app.advance(Duration::hours(6));
        app.step_workers().await;
        let mut attempts: Vec<Vec<bool>> = Vec::new();
        for index in 0..2 {
            assert_eq!(world.notice(index).await["state"], "delivered");
            let delivery = world.delivery(index).await;
            attempts.push(delivery["attempts"].as_array().unwrap().iter().map(|one| one["ended_at"].is_string()).collect());
        }
        attempts.sort();
        let (twice, once): (Vec<bool>, Vec<bool>) = (vec![false, true], vec![true]);
        assert_eq!(attempts, [twice, once], "the attempt that was cut off stays open: it may have been sent");
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 2);
    }
}
