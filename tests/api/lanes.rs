//! Lanes, turns and limits of sending, and word between processes: who hangs, who is busy and who has much keeps nobody waiting.

use std::sync::Arc;

use art33::domain::delivery::Lane;
use serde_json::{Value, json};
use time::Duration;
use tokio::sync::Semaphore;

use crate::harness::acts::told_without_endpoint;
use crate::harness::app::TestApp;
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::world::{World, instant, text};

/// More endpoints than there are places for first attempts.
const HANGING: usize = 9;
const HEALTHY: usize = 6;

both! {
    async fn more_hanging_receivers_than_places_stop_nobody(
        app: TestApp,
        settings = [("WORKERS", "on"), ("ART33_DELIVERY_CONCURRENCY", "8"), ("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT60S")]
    ) {
        let world = app.world(HANGING + HEALTHY).await;
        let hanging = Receiver::start();
        hanging.reply(Reply::Hang);
        for known in &world.controllers[..HANGING] {
            let path = format!("/v1/webhooks/{}", known.webhook);
            let tag = world.processor().get(&path).await.expect(200);
            let change = json!({"url": hanging.url("/never"), "events": ["*"]});
            world.processor().put(&path, tag.header("etag"), &change).await.expect(200);
        }
        world.file().await;
        for _ in 0..HANGING {
            hanging.next_of("notice.initial").await;
        }
        for _ in 0..HEALTHY {
            world.receiver.next_of("notice.initial").await;
        }
        for index in HANGING..HANGING + HEALTHY {
            while world.notice(index).await["state"] == "pending" {
                tokio::task::yield_now().await;
            }
        }
        for index in 0..HANGING {
            let delivery = world.delivery(index).await;
            let attempts = delivery["attempts"].as_array().unwrap();
            assert_eq!((attempts.len(), &attempts[0]["ended_at"]), (1, &Value::Null), "still waited for: {delivery}");
        }
        drop(hanging);
    }

    async fn whom_a_busy_host_puts_back_is_not_charged(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        let due = app.now();
        let service = app.service();
        for _ in 0..3 {
            let refused = service.claim_deliveries(Lane::First, || 10, 0, |_, _| None::<()>).await.unwrap();
            assert_eq!((refused.ready.len(), refused.busy), (0, 1));
            let delivery = world.delivery(0).await;
            assert_eq!(delivery["attempts"], json!([]), "nothing was sent");
            let wait = instant(&delivery["next_at"]) - app.now();
            assert!((Duration::milliseconds(500)..=Duration::milliseconds(1500)).contains(&wait), "{wait}");
            app.advance(Duration::milliseconds(1500));
        }
        let mut admitted = service.claim_deliveries(Lane::First, || 10, 0, |_, _| Some(())).await.unwrap();
        let (sent, ()) = admitted.ready.pop().unwrap();
        assert_eq!((sent.number, sent.due_at), (1, due), "the first attempt, and late since the filing");
    }

    async fn who_tells_much_does_not_hold_up_who_tells_little(app: TestApp) {
        let (many, one) = (app.world(10).await, app.world(1).await);
        for _ in 0..10 {
            many.file().await;
        }
        app.advance(Duration::SECOND);
        one.file().await;
        let claimed = app.service().claim_deliveries(Lane::First, || 4, 0, |_, _| Some(())).await.unwrap().ready;
        let of_one = claimed.iter().filter(|(sent, ())| sent.endpoint.as_str() == one.controllers[0].webhook).count();
        assert_eq!(of_one, 1, "although a hundred were due before it");
        assert!(claimed.len() >= 3, "and they have their share");
    }
}

/// Says where the webhook of the first controller stands.
async fn place(world: &World, location: &str) {
    let path = format!("/v1/webhooks/{}", world.controllers[0].webhook);
    let tag = world.processor().get(&path).await.expect(200);
    let change = json!({"url": world.receiver.url("/0"), "events": ["*"], "location": location});
    world.processor().put(&path, tag.header("etag"), &change).await.expect(200);
}

/// States of the deliveries of the newest notice to the first controller.
async fn states(world: &World) -> Vec<String> {
    let path = format!("/v1/notices/{}/deliveries", text(&world.notice(0).await["id"]));
    let deliveries = world.processor().get(&path).await.expect(200).json;
    deliveries["items"].as_array().unwrap().iter().map(|one| text(&one["state"])).collect()
}

/// Nobody at the receiver is told although the workers have nothing left to do.
async fn hears_nothing(app: &TestApp, world: &World) {
    app.step_workers().await;
    assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 0);
}

async fn redeliver(world: &World) -> crate::harness::client::Answer {
    let path = format!("/v1/notices/{}/redeliver", text(&world.notice(0).await["id"]));
    world.processor().request("POST", &path).send().await
}

both! {
    async fn a_place_that_the_agreement_forbids_is_told_nothing(app: TestApp) {
        let world = app.world(1).await;
        place(&world, "US").await;
        world.file().await;
        hears_nothing(&app, &world).await;
        assert_eq!(states(&world).await, [""; 0]);
        assert_eq!(redeliver(&world).await.expect(409).problem(), "no-endpoint");
        hears_nothing(&app, &world).await;
        // It turns out that it stands where it may.
        place(&world, "DE").await;
        app.step_workers().await;
        assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 1);
        assert_eq!(world.notice(0).await["state"], "delivered");
    }

    async fn what_is_on_its_way_to_a_place_that_becomes_forbidden_is_taken_back(app: TestApp) {
        let world = app.world(1).await;
        world.file().await;
        place(&world, "US").await;
        assert_eq!(states(&world).await, ["closed"]);
        hears_nothing(&app, &world).await;
        assert_eq!(redeliver(&world).await.expect(409).problem(), "no-endpoint");
        hears_nothing(&app, &world).await;
        assert_eq!((states(&world).await, &world.notice(0).await["state"]), (vec!["closed".to_owned()], &json!("pending")));
    }

    async fn what_is_under_way_when_its_place_becomes_forbidden_is_not_tried_again(
        app: TestApp, settings = [("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT1M")]
    ) {
        let (world, held) = (app.world(1).await, Arc::new(Semaphore::new(0)));
        world.receiver.reply(Reply::Held(Arc::clone(&held), 500));
        world.file().await;
        let placed = async {
            world.receiver.next_of("notice.initial").await;
            place(&world, "US").await;
            held.add_permits(1);
        };
        tokio::join!(app.step_workers(), placed);
        let delivery = world.delivery(0).await;
        assert_eq!((&delivery["state"], &delivery["attempts"][0]["status"]), (&json!("closed"), &json!(500)), "{delivery}");
        app.advance(Duration::HOUR);
        hears_nothing(&app, &world).await;
    }

    async fn who_comes_late_to_a_forbidden_place_is_told_nothing(app: TestApp) {
        let world = app.world(1).await;
        let late = told_without_endpoint(&app, &world).await;
        let own = app.as_org(&late, "notices:read webhooks:write");
        for (path, location, arrives) in [("/elsewhere", "US", 0), ("/here", "DE", 1)] {
            let webhook = json!({"url": world.receiver.url(path), "events": ["notice.*"], "location": location});
            own.post("/v1/webhooks", &webhook).await.expect(201);
            app.step_workers().await;
            let arrived = world.receiver.taken_of("notice.initial").await;
            assert_eq!(arrived.len(), arrives, "{location}");
            assert!(arrived.iter().all(|one| one.path == path), "{location}");
        }
        assert_eq!(own.get("/v1/notices").await.expect(200).json["items"][0]["state"], "delivered");
    }
}

/// Looks until somebody listens for word from other processes.
#[cfg(feature = "postgres")]
fn somebody_listens(connection: &mut diesel::PgConnection) {
    use diesel::RunQueryDsl as _;
    let listening = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    while diesel::sql_query(listening).execute(connection).unwrap() == 0 {}
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filing_at_one_process_wakes_the_other() {
    use diesel::Connection as _;
    let Some(app) = TestApp::start(crate::harness::app::Backend::Postgres, &[]).await else {
        return eprintln!("skipped: no PostgreSQL server here");
    };
    let world = app.world(1).await;
    let other = app.beside(&[("WORKERS", "on")]).await;
    let url = app.database_url().to_owned();
    let looking = move || somebody_listens(&mut diesel::PgConnection::establish(&url).unwrap());
    tokio::task::spawn_blocking(looking).await.unwrap();
    // For the other process it is still an hour earlier: however often it looks, nothing is due, so that word alone wakes it.
    app.advance(Duration::HOUR);
    let nudge = Arc::clone(&other.service().nudge);
    let woken = nudge.notified();
    tokio::pin!(woken);
    woken.as_mut().enable();
    world.file().await;
    tokio::time::timeout(std::time::Duration::from_secs(20), woken).await.expect("word arrives");
    assert_eq!(world.receiver.taken_of("notice.initial").await.len(), 0, "and nothing else had happened");
    other.stop().await;
    app.stop().await;
}
