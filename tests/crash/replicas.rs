//! Several processes on one PostgreSQL: they share a large fan-out, one dies in the middle of one, one finishes after its lease was
//! taken over.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection, RunQueryDsl as _};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::crowd;
use super::process::{PATIENCE, Process, Setup};
use super::receivers::{Received, Receivers};
use super::rows::UNDER_WAY;
use super::world::World;

/// Notices that have not arrived, as far as that is recorded.
const PENDING: &str = "SELECT count(*) AS number FROM notice WHERE delivered_at IS NULL";
/// Between two looks into the database.
const LOOK_EVERY: Duration = Duration::from_millis(50);

async fn next(received: &mut UnboundedReceiver<Received>) -> Received {
    timeout(PATIENCE, received.recv()).await.expect("work goes on").unwrap()
}

/// Looks until a query answers what is wanted.
async fn until(setup: &Setup, query: &str, wanted: usize) {
    let found = async {
        while setup.number(query) != wanted {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{query} never answers {wanted}"));
}

/// Processes on one database, one incident that concerns a crowd, and what came in of it.
struct FanOut {
    processes: Vec<Process>,
    world: World,
    received: UnboundedReceiver<Received>,
    receivers: Receivers,
    /// How often each message came.
    times: HashMap<String, usize>,
    /// How many messages came first from each process.
    senders: HashMap<String, usize>,
}

impl FanOut {
    /// Starts so many processes and tells so many controllers.
    async fn begin(setup: &Setup, processes: usize, controllers: usize) -> Self {
        let fan_out = Self::ready(setup, processes, controllers).await;
        fan_out.file().await;
        fan_out
    }

    /// Starts so many processes and makes so many controllers.
    async fn ready(setup: &Setup, processes: usize, controllers: usize) -> Self {
        let (sender, received) = unbounded_channel();
        let receivers = Receivers::start(usize::MAX, sender);
        let mut started = Vec::new();
        for _ in 0..processes {
            started.push(setup.start().await);
        }
        let base = &started[0].base;
        let mut world = World::build(setup, base, &receivers, 1).await;
        world.all_proven(base).await;
        crowd::fill(setup, &mut world, controllers);
        Self { processes: started, world, received, receivers, times: HashMap::new(), senders: HashMap::new() }
    }

    /// Files an incident that concerns all of them.
    async fn file(&self) {
        let mut filing = self.world.filing(0);
        filing["affected"] = json!({"product": "azubiheft"});
        let filed = self.world.post(&format!("{}/v1/incidents", self.processes[0].base), None, &filing).await.unwrap();
        let concerned = json!(self.world.controllers.len());
        assert_eq!((filed.status, &filed.json["affected_count"]), (201, &concerned), "{}", filed.json);
    }

    fn note(&mut self, one: Received) {
        let times = self.times.entry(one.id).or_default();
        *times += 1;
        if *times == 1 {
            let url = one.body["data"]["notice_url"].as_str().unwrap();
            let sender = self.processes.iter().find(|process| url.starts_with(&process.base)).expect("one of ours");
            *self.senders.entry(sender.base.clone()).or_default() += 1;
        }
    }

    /// Takes in what comes until so many have been told.
    async fn told(&mut self, wanted: usize) {
        while self.times.len() < wanted {
            let one = next(&mut self.received).await;
            self.note(one);
        }
    }

    /// Everybody was told, which is recorded; answers how many messages came again.
    async fn end(&mut self, setup: &Setup, controllers: usize) -> usize {
        self.told(controllers).await;
        until(setup, PENDING, 0).await;
        while let Ok(one) = self.received.try_recv() {
            self.note(one);
        }
        let notices = self.world.list(&format!("{}/v1/notices", self.processes[0].base)).await;
        assert_eq!((notices.len(), self.times.len()), (controllers, controllers), "nothing is lost");
        let told: BTreeSet<&str> = notices.iter().map(|notice| notice["controller"]["id"].as_str().unwrap()).collect();
        assert_eq!(told, self.world.controllers.iter().map(String::as_str).collect());
        setup.is_sound();
        self.times.values().map(|times| times - 1).sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_not_been_told_waits_for_so_many_records_and_no_more() {
    const CONTROLLERS: usize = 60;
    /// Half of the places are for first attempts; twice as many results wait to be written.
    const CONCURRENCY: usize = 8;
    const SENT: usize = CONCURRENCY / 2 * 3;
    let setup = Setup::new()
        .with("ART33_DELIVERY_CONCURRENCY", &CONCURRENCY.to_string())
        .with("ART33_DELIVERY_PER_HOST", &CONTROLLERS.to_string());
    let Some((setup, _database)) = setup.on_postgres() else { return };
    let mut fan_out = FanOut::ready(&setup, 1, CONTROLLERS).await;
    // What has arrived cannot be recorded, for no receipt can be written; what is due can be claimed.
    let mut held = PgConnection::establish(setup.setting("ART33_DATABASE_URL").unwrap()).unwrap();
    held.batch_execute("BEGIN; LOCK TABLE receipt IN SHARE MODE").unwrap();
    fan_out.file().await;
    fan_out.told(SENT).await;
    assert_eq!(setup.number(UNDER_WAY), SENT);
    assert_eq!(setup.number(PENDING), CONTROLLERS);
    held.batch_execute("COMMIT").unwrap();
    assert_eq!(fan_out.end(&setup, CONTROLLERS).await, 0, "nothing is sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_dies_in_the_middle_of_a_fan_out() {
    const CONTROLLERS: usize = 10_000;
    /// One process dies when so many have been told.
    const MOMENT: usize = 3_000;
    /// As many requests as a process has under way to the one host that all receivers are at.
    const IN_HAND: usize = 64;
    let _alone = super::restart::ALONE.lock().await;
    let setup = Setup::new()
        .with("ART33_DELIVERY_CONCURRENCY", "64")
        .with("ART33_DELIVERY_PER_HOST", &IN_HAND.to_string())
        .with("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT10S");
    let Some((setup, _database)) = setup.on_postgres() else { return };
    let mut fan_out = FanOut::begin(&setup, 3, CONTROLLERS).await;
    fan_out.told(MOMENT).await;
    // Until each of the three has as much in hand as it may, so that whichever dies was sending.
    fan_out.receivers.hold();
    until(&setup, UNDER_WAY, 3 * IN_HAND).await;
    fan_out.processes[2].kill();
    setup.is_sound();
    let in_flight = setup.number(UNDER_WAY);
    fan_out.receivers.release();
    // What the dead process had sent and not recorded comes once more when its leases end.
    let repeats = fan_out.end(&setup, CONTROLLERS).await;
    let cut_off = setup.number(UNDER_WAY);
    eprintln!("{CONTROLLERS} notices, {in_flight} under way at the kill, {cut_off} cut off, {repeats} of them twice");
    assert_eq!(in_flight, 3 * IN_HAND);
    assert!(cut_off > 0 && cut_off <= IN_HAND, "{cut_off} attempts never ended: not those of the one that died");
    assert!(repeats > 0 && repeats <= in_flight, "{repeats} repeats of {in_flight} that were under way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_the_work_and_send_nothing_twice() {
    const CONTROLLERS: usize = 1_000;
    let _alone = super::restart::ALONE.lock().await;
    let setup = Setup::new().with("ART33_DELIVERY_PER_HOST", "32").with("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT1M");
    let Some((setup, _database)) = setup.on_postgres() else { return };
    let mut fan_out = FanOut::begin(&setup, 2, CONTROLLERS).await;
    let repeats = fan_out.end(&setup, CONTROLLERS).await;
    assert_eq!((repeats, setup.number(UNDER_WAY)), (0, 0), "no message came twice, and none was sent without a record");
    assert_eq!(fan_out.senders.len(), 2, "one did everything: {:?}", fan_out.senders);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_changes_no_schedule_but_counts() {
    let _alone = super::restart::ALONE.lock().await;
    let setup = Setup::new().with("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT5M");
    let Some((setup, database)) = setup.on_postgres() else { return };
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
