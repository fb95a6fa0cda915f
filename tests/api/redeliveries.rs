//! Sending again what failed: counted beforehand, all that failed in a span of time, and nothing else.

use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::TestApp;
use crate::harness::receiver::Reply;
use crate::harness::world::{PROCESSOR, World, instant, rfc3339, text};

async fn request(world: &World, body: &Value) -> Value {
    let dry_run = body["dry_run"] == true;
    let done = world.processor().post("/v1/redeliveries", body).await.expect(if dry_run { 200 } else { 202 }).json;
    assert_eq!(done["dry_run"], dry_run);
    done
}

fn counts(done: &Value) -> (u64, u64) {
    (done["notices"].as_u64().unwrap(), done["deliveries"].as_u64().unwrap())
}

/// How much would be sent again of what failed from `since` on and is narrowed by `more`.
async fn preview(world: &World, since: &str, more: Value) -> (u64, u64) {
    let mut body = json!({"since": since, "dry_run": true});
    crate::harness::world::merge(&mut body, &more);
    counts(&request(world, &body).await)
}

both! {
    async fn what_is_counted_is_what_is_sent(app: TestApp) {
        let world = app.world(3).await;
        world.receiver.reply(Reply::Status(500));
        let since = rfc3339(app.now());
        world.file().await;
        let second = world.file().await;
        app.step_workers().await;
        let notice = world.notice(0).await;
        let body = json!({"content_sha256": notice["content_sha256"], "by": {"name": "A. Muster", "role": "officer"}});
        let path = format!("/v1/notices/{}/acknowledgement", text(&notice["id"]));
        world.controller_client(0).post(&path, &body).await.expect(200);
        // Gone is not sent by itself any more, and belongs to what failed.
        app.advance(Duration::SECOND);
        world.receiver.reply(Reply::Status(410));
        world.file().await;
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 9);

        assert_eq!(preview(&world, &since, json!({})).await, (8, 8));
        assert_eq!(preview(&world, &since, json!({"controller": world.controllers[0].id})).await, (2, 2));
        assert_eq!(preview(&world, &since, json!({"endpoint": world.controllers[1].webhook})).await, (3, 3));
        assert_eq!(preview(&world, &since, json!({"incident": second["id"]})).await, (2, 2));
        assert_eq!(preview(&world, &since, json!({"until": since})).await, (5, 5));
        assert_eq!(preview(&world, &rfc3339(app.now() + Duration::SECOND), json!({})).await, (0, 0));
        app.step_workers().await;
        assert!(world.receiver.taken().await.is_empty(), "counting sends nothing");

        let stranger = app.organisation("Fremd GmbH", &["processor"]).await;
        let foreign = app.as_org(&stranger, PROCESSOR).post("/v1/redeliveries", &json!({"since": since})).await.expect(202);
        assert_eq!(counts(&foreign.json), (0, 0));
        world.receiver.reply(Reply::Status(204));
        assert_eq!(counts(&request(&world, &json!({"since": since})).await), (8, 8));
        app.step_workers().await;
        let arrived = world.receiver.taken_of("notice.initial").await;
        let ids: std::collections::BTreeSet<_> = arrived.iter().map(|one| one.header("webhook-id")).collect();
        assert_eq!((arrived.len(), ids.len()), (8, 8), "each once");
        assert_eq!(preview(&world, &since, json!({})).await, (0, 0));
    }

    async fn who_has_acknowledged_gets_it_once_more_and_is_owed_nothing(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        app.step_workers().await;
        let notice = world.notice(0).await;
        let body = json!({"content_sha256": notice["content_sha256"], "by": {"name": "A. Muster", "role": "officer"}});
        let path = format!("/v1/notices/{}", text(&notice["id"]));
        world.controller_client(0).post(&format!("{path}/acknowledgement"), &body).await.expect(200);
        world.receiver.taken().await;
        for answer in [202, 204] {
            world.receiver.reply(Reply::Status(answer));
            world.processor().request("POST", &format!("{path}/redeliver")).send().await.expect(202);
            app.step_workers().await;
            assert_eq!((world.receiver.taken_of("notice.initial").await.len(), &world.delivery(0).await["state"]), (1, &json!("delivered")));
        }
        app.advance(Duration::days(2));
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 0);
    }

    async fn what_is_being_sent_is_left_alone(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply_once(Reply::Status(500));
        world.receiver.reply_once(Reply::Hang);
        let since = rfc3339(app.now());
        world.file().await;
        app.step_workers().await;
        world.receiver.next_of("notice.initial").await;
        assert_eq!(preview(&world, &since, json!({})).await, (1, 1));
        app.advance(instant(&world.delivery(0).await["next_at"]) - app.now());
        let ask = async {
            world.receiver.next_of("notice.initial").await;
            counts(&request(&world, &json!({"since": since})).await)
        };
        let ((), asked) = tokio::join!(app.step_workers(), ask);
        assert_eq!(asked, (0, 0));
        assert_eq!(world.receiver.taken().await.len(), 0);
    }

    async fn every_fault_of_a_request_is_named(app: TestApp) {
        let world = app.world(0).await;
        let bad = json!({"until": "yesterday", "endpoint": "x", "more": true});
        let refused = world.processor().post("/v1/redeliveries", &bad).await.expect(422);
        let pointers: Vec<_> = refused.faults().into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/since", "/until", "/endpoint", "/more"]);
    }

    async fn after_its_time_a_notice_is_overdue_and_is_tried_hourly_until_it_arrives(app: TestApp) {
        let world = app.world(1).await;
        world.receiver.reply(Reply::Status(500));
        world.file().await;
        app.step_workers().await;
        assert_eq!(world.delivery(0).await["overdue"], false);
        // The agreement gives 24 hours from awareness.
        app.advance(Duration::DAY);
        for _ in 0..5 {
            app.step_workers().await;
            let late = world.delivery(0).await;
            assert_eq!((&late["overdue"], &late["state"]), (&json!(true), &json!("open")));
            let wait = instant(&late["next_at"]) - app.now();
            assert!((Duration::minutes(48)..=Duration::minutes(72)).contains(&wait), "{wait}");
            app.advance(Duration::days(3));
        }
        world.receiver.reply(Reply::Status(204));
        app.step_workers().await;
        let there = world.delivery(0).await;
        assert_eq!((&there["overdue"], &there["state"]), (&json!(false), &json!("delivered")));
    }
}
