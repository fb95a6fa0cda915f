//! The PostgreSQL server goes away and comes back under a running service.

use std::sync::Arc;

use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::timeout;

use super::clients::{self, Event};
use super::process::{PATIENCE, Setup};
use super::receivers::Receivers;
use super::world::World;

/// A restart meets every database of the server, so tests on it take turns.
pub(crate) static ALONE: Mutex<()> = Mutex::const_new(());

const FILINGS: usize = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_postgresql_heals_by_itself() {
    let _alone = ALONE.lock().await;
    let Some(cluster) = super::postgres::cluster() else { return };
    let database = cluster.create_database(None);
    let setup = Setup::new().with("ART33_DATABASE_URL", &database.url).with("ART33_DATABASE_CONNECTIONS", "6");
    setup.answer(&["migrate"]);
    let (events, mut progress) = unbounded_channel();
    let receivers = Receivers::start(usize::MAX, events.clone());
    let process = setup.start().await;
    let world = Arc::new(World::build(&setup, &process.base, &receivers, 3).await);
    let (_places, known) = watch::channel(vec![(1, process.base.clone())]);
    let running = clients::start(&world, FILINGS, &Arc::new(Semaphore::new(FILINGS)), &known, &events);

    let (mut filed, mut received, mut unavailable) = (0, std::collections::BTreeSet::new(), 0);
    let mut restarted = 0;
    let expected: usize = (0..FILINGS).map(|number| world.affected(number).len()).sum();
    while filed < FILINGS || received.len() < expected {
        match timeout(PATIENCE, progress.recv()).await.expect("work goes on").unwrap() {
            Event::Answered(answered) => {
                filed += 1;
                unavailable += answered.unavailable;
            }
            Event::Received(one) => drop(received.insert(one.id)),
        }
        if restarted < 2 && filed >= 20 + 40 * restarted {
            // Requests are under way when the database goes, and their answers come when it is back.
            receivers.hold();
            tokio::task::spawn_blocking(|| cluster.restart()).await.unwrap();
            receivers.release();
            restarted += 1;
        }
    }
    running.join_all().await;
    eprintln!("{restarted} restarts; {filed} filings, {unavailable} answers 503; {} messages arrived", received.len());
    assert_eq!(world.list(&format!("{}/v1/incidents", process.base)).await.len(), FILINGS);
    assert_eq!(world.get(&format!("{}/readyz", process.base)).await["status"], "ok");
    assert_eq!(world.all_delivered(&process.base).await.len(), expected, "and every arrival is recorded");
    process.terminate();
    assert_eq!(process.ended().await.0.code(), Some(0));
    setup.verify();
}
