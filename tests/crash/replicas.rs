//! Several processes on one PostgreSQL: one dies in the middle of a large fan-out, one finishes after its lease was taken over.

use std::collections::{BTreeSet, HashMap};

use diesel::{Connection as _, PgConnection, RunQueryDsl as _};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::process::{PATIENCE, Process, Setup};
use super::receivers::{Received, Receivers};
use super::world::World;

/// All of them are told of one incident.
const CONTROLLERS: usize = 1000;
/// One process dies when so many have been told.
const MOMENT: usize = 300;
/// As many requests as a process may have under way to endpoints; the setting in [`Setup::new`].
const CONCURRENCY: usize = 32;

async fn next(received: &mut UnboundedReceiver<Received>) -> Received {
    timeout(PATIENCE, received.recv()).await.expect("work goes on").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_dies_in_the_middle_of_a_fan_out() {
    let _alone = super::restart::ALONE.lock().await;
    let Some(cluster) = super::postgres::cluster() else { return };
    let database = cluster.create_database(None);
    let setup = Setup::new().with("ART33_DATABASE_URL", &database.url).with("ART33_DATABASE_CONNECTIONS", "6");
    setup.answer(&["migrate"]);
    let (sender, mut received) = unbounded_channel();
    let receivers = Receivers::start(usize::MAX, sender);
    let mut processes: Vec<Process> = Vec::new();
    for _ in 0..3 {
        processes.push(setup.start().await);
    }
    let base = processes[0].base.clone();
    let world = World::build(&setup, &base, &receivers, CONTROLLERS).await;
    world.all_proven(&base).await;

    let mut filing = world.filing(0);
    filing["affected"] = world.controllers.iter().map(|id| json!({"controller": id})).collect();
    let filed = world.post(&format!("{base}/v1/incidents"), None, &filing).await.unwrap();
    assert_eq!((filed.status, &filed.json["affected_count"]), (201, &json!(CONTROLLERS)));
    let mut times: HashMap<String, usize> = HashMap::new();
    while times.len() < MOMENT {
        *times.entry(next(&mut received).await.id).or_default() += 1;
    }
    processes[2].kill();
    while times.len() < CONTROLLERS {
        *times.entry(next(&mut received).await.id).or_default() += 1;
    }
    // What the dead process had sent and not recorded comes once more when its leases end.
    let notices = world.all_delivered(&base).await;
    while let Ok(one) = received.try_recv() {
        *times.entry(one.id).or_default() += 1;
    }
    assert_eq!((notices.len(), times.len()), (CONTROLLERS, CONTROLLERS), "nothing is lost");
    let told: BTreeSet<&str> = notices.iter().map(|notice| notice["controller"]["id"].as_str().unwrap()).collect();
    assert_eq!(told, world.controllers.iter().map(String::as_str).collect());
    let repeats: usize = times.values().map(|times| times - 1).sum();
    eprintln!("{CONTROLLERS} notices, {repeats} of them twice");
    assert!(repeats <= CONCURRENCY, "{repeats} repeats, more than were under way");
    setup.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_changes_no_schedule_but_counts() {
    let _alone = super::restart::ALONE.lock().await;
    let Some(cluster) = super::postgres::cluster() else { return };
    let database = cluster.create_database(None);
    let setup = Setup::new().with("ART33_DATABASE_URL", &database.url).with("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT5M");
    setup.answer(&["migrate"]);
    let (sender, mut received) = unbounded_channel();
    let receivers = Receivers::start(usize::MAX, sender);
    let processes = [setup.start().await, setup.start().await];
    let base = &processes[0].base;
    let world = World::build(&setup, base, &receivers, 1).await;
    world.all_proven(base).await;

    receivers.hold_next();
    receivers.answer_next(200);
    receivers.answer_next(500);
    let filed = world.post(&format!("{base}/v1/incidents"), None, &world.filing(0)).await.unwrap();
    assert_eq!(filed.status, 201, "{}", filed.json);
    let notice = world.list(&format!("{base}/v1/notices")).await[0].clone();
    let first = next(&mut received).await;
    // The lease ends while the receiver still thinks about it: somebody takes the delivery over, and fails.
    let mut connection = PgConnection::establish(&database.url).unwrap();
    let end = "UPDATE delivery SET next_at = 0 WHERE state = 'open' AND notice_id IS NOT NULL";
    assert_eq!(diesel::sql_query(end).execute(&mut connection).unwrap(), 1);
    let second = next(&mut received).await;
    assert_eq!((first.id, first.status, second.status), (second.id, 200, 500));
    let has_failed = |delivery: &Value| delivery["attempts"][1]["outcome"] == "transient";
    let taken_over = world.delivery(base, &notice, has_failed).await;
    assert_eq!(taken_over["attempts"][0]["ended_at"], json!(null));

    receivers.release();
    let late = world.delivery(base, &notice, |delivery| delivery["attempts"][0]["outcome"] == "delivered").await;
    assert_eq!(late["attempts"][1]["outcome"], "transient");
    assert!(late["state"] == "open" || late["attempts"].as_array().unwrap().len() == 3, "not finished by it: {late}");
    let arrived = world.list(&format!("{base}/v1/notices")).await[0].clone();
    assert_eq!(arrived["state"], "delivered", "what arrived has arrived");

    // The retry that was planned comes all the same, and changes nothing any more.
    next(&mut received).await;
    world.delivery(base, &notice, |delivery| delivery["state"] == "delivered").await;
    let after = world.list(&format!("{base}/v1/notices")).await[0].clone();
    assert_eq!(after["delivered_at"], arrived["delivered_at"]);
    let story = world.list(&format!("{base}/v1/audit")).await;
    let arrivals = story.iter().filter(|one| one["kind"] == "notice.delivered").count();
    assert_eq!(arrivals, 1);
    setup.verify();
}
