//! Stopping as asked: what is in hand is finished and recorded, and who insists is obeyed.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::process::{PATIENCE, Process, Setup};
use super::receivers::{Received, Receivers};
use super::world::World;

/// A service with a delivery under way that the receiver does not answer.
struct Busy {
    setup: Setup,
    process: Process,
    world: Arc<World>,
    receivers: Receivers,
    received: UnboundedReceiver<Received>,
    incident: String,
}

async fn busy() -> Busy {
    let setup = Setup::new().with("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT5M").with("ART33_SHUTDOWN_GRACE", "PT5M");
    let (sender, mut received) = unbounded_channel();
    let receivers = Receivers::start(usize::MAX, sender);
    receivers.hold();
    let process = setup.start().await;
    let world = Arc::new(World::build(&setup, &process.base, &receivers, 1).await);
    let filed = world.post(&format!("{}/v1/incidents", process.base), None, &world.filing(0)).await.unwrap();
    assert_eq!(filed.status, 201, "{}", filed.json);
    timeout(PATIENCE, received.recv()).await.expect("the notice is sent").unwrap();
    Busy { setup, process, world, receivers, received, incident: filed.json["id"].as_str().unwrap().to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_in_hand_is_finished_and_recorded() {
    let mut busy = busy().await;
    busy.process.terminate();
    busy.process.line_with("stopping").await;
    busy.receivers.release();
    let (status, log) = busy.process.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("\"stopped\""), "{log}");

    let process = busy.setup.start().await;
    let notices = busy.world.list(&format!("{}/v1/notices", process.base)).await;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0]["incident"], busy.incident.as_str());
    assert_eq!(notices[0]["state"], "delivered");
    assert!(busy.received.try_recv().is_err(), "it was sent again");
    busy.setup.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_may_serve_the_same_file_but_everybody_may_look() {
    let setup = Setup::new();
    let mut process = setup.start().await;
    let second = setup.run(&["serve"]);
    let said = String::from_utf8(second.stderr).unwrap();
    let file = setup.data().join("art33.db");
    let expected = format!("art33: another process serves {}; only one can serve an SQLite database\n", file.display());
    assert!(second.status.code() == Some(1) && said.ends_with(&expected), "{said}");
    // The first one goes on, and whoever does not serve is welcome.
    let (sender, _received) = unbounded_channel::<Received>();
    let receivers = Receivers::start(usize::MAX, sender);
    let world = World::build(&setup, &process.base, &receivers, 1).await;
    let filed = world.post(&format!("{}/v1/incidents", process.base), None, &world.filing(0)).await.unwrap();
    assert_eq!(filed.status, 201, "{}", filed.json);
    setup.verify();
    setup.answer(&["backup", "copy.db"]);
    setup.answer(&["verify", "copy.db"]);
    process.kill();
    let process = setup.start().await;
    world.all_delivered(&process.base).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_it_at_once() {
    let mut busy = busy().await;
    busy.process.terminate();
    busy.process.line_with("stopping").await;
    busy.process.terminate();
    // The receiver still holds the request, and all time limits are minutes away.
    let (status, log) = busy.process.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("stopped at once, on a second signal"), "{log}");
    busy.setup.verify();
}
