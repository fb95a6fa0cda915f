//! A process that dies at one sharp moment of an attempt. Claim and attempt are one transaction, so that there are two of them: before
//! anything is sent, and after it is sent but not yet recorded.

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::gate::Gate;
use super::process::{PATIENCE, Setup};
use super::receivers::{Received, Receivers};
use super::rows::UNDER_WAY;
use super::world::World;

/// Attempts that take seconds, so that a kill meets one; a lease of 20 seconds.
fn patient() -> Setup {
    Setup::new().with("ART33_OUTBOUND_CONNECT_TIMEOUT", "PT5S").with("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT5S")
}

async fn next(received: &mut UnboundedReceiver<Received>) -> Received {
    timeout(PATIENCE, received.recv()).await.expect("the notice is sent").unwrap()
}

/// Files an incident of the first controller; answers its notice.
async fn file(world: &World, base: &str) -> Value {
    let filed = world.post(&format!("{base}/v1/incidents"), Some("filing-0"), &world.filing(0)).await.unwrap();
    assert_eq!(filed.status, 201, "{}", filed.json);
    world.list(&format!("{base}/v1/notices")).await[0].clone()
}

/// What a delivery shows after a death: the attempt that was cut off stays open, and the next one got through.
fn check(delivery: &Value) {
    let attempts = delivery["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{delivery}");
    assert_eq!(
        (&attempts[0]["ended_at"], &attempts[0]["outcome"]),
        (&json!(null), &json!(null)),
        "it may have been sent"
    );
    assert_eq!((&attempts[1]["outcome"], &attempts[1]["number"]), (&json!("delivered"), &json!(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_the_send_on_sqlite() {
    killed_before_the_send(&patient()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_the_send_and_the_record_on_sqlite() {
    killed_between_the_send_and_the_record(&patient()).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_the_send_on_postgresql() {
    let _alone = super::restart::ALONE.lock().await;
    let Some((setup, _database)) = patient().on_postgres() else { return };
    killed_before_the_send(&setup).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_the_send_and_the_record_on_postgresql() {
    let _alone = super::restart::ALONE.lock().await;
    let Some((setup, _database)) = patient().on_postgres() else { return };
    killed_between_the_send_and_the_record(&setup).await;
}

async fn killed_before_the_send(setup: &Setup) {
    let (sender, mut received) = unbounded_channel();
    let receivers = Receivers::start(usize::MAX, sender);
    let mut gate = Gate::to(receivers.address());
    let mut process = setup.start().await;
    let world = World::build_at(setup, &process.base, 1, &|index| gate.url(index)).await;
    world.all_proven(&process.base).await;
    gate.shut().await;
    let notice = file(&world, &process.base).await;
    let claimed = |delivery: &Value| delivery["attempts"].as_array().is_some_and(|attempts| attempts.len() == 1);
    world.delivery(&process.base, &notice, claimed).await;
    process.kill();
    setup.is_sound();
    assert_eq!(setup.number(UNDER_WAY), 1, "one attempt may have been sent");
    gate.open();

    let process = setup.start().await;
    let arrived = next(&mut received).await;
    assert_eq!(arrived.body["data"]["notice"], notice["id"]);
    world.all_delivered(&process.base).await;
    check(&world.delivery(&process.base, &notice, |delivery| delivery["state"] == "delivered").await);
    assert!(received.try_recv().is_err(), "the first attempt reached nobody");
    setup.is_sound();
    assert_eq!(setup.number(UNDER_WAY), 1, "one attempt may have been sent");
}

async fn killed_between_the_send_and_the_record(setup: &Setup) {
    let (sender, mut received) = unbounded_channel();
    let receivers = Receivers::start(usize::MAX, sender);
    let mut process = setup.start().await;
    let world = World::build(setup, &process.base, &receivers, 1).await;
    world.all_proven(&process.base).await;
    receivers.hold();
    let notice = file(&world, &process.base).await;
    let first = next(&mut received).await;
    process.kill();
    receivers.release();
    setup.is_sound();
    assert_eq!(setup.number(UNDER_WAY), 1, "one attempt may have been sent");

    let process = setup.start().await;
    let second = next(&mut received).await;
    assert_eq!(second.id, first.id, "the same message, for a receiver that drops repeats");
    assert_eq!(second.body["data"]["content_sha256"], first.body["data"]["content_sha256"]);
    world.all_delivered(&process.base).await;
    check(&world.delivery(&process.base, &notice, |delivery| delivery["state"] == "delivered").await);
    setup.is_sound();
    assert_eq!(setup.number(UNDER_WAY), 1, "one attempt may have been sent");
}
