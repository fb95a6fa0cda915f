//! Filings by many clients while processes are killed at moments that chance picks among answers and deliveries.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use art33::entropy::Entropy;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::clients::{self, Event, Filed, Places};
use super::process::{PATIENCE, PER_HOST, Process, Setup};
use super::receivers::{Received, Receivers};
use super::rows::{UNDER_WAY, UNHEARD};
use super::world::{World, title};

const CONTROLLERS: usize = 10;
const FILINGS: usize = 200;
const KILLS: usize = 8;
/// After each kill so many more filings may begin, so that every kill meets some.
const PACE: usize = FILINGS / (KILLS + 1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_survives_kills() {
    survive(&Setup::new(), 1).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_postgresql_survive_kills() {
    let _alone = super::restart::ALONE.lock().await;
    let Some((setup, _database)) = Setup::new().on_postgres() else { return };
    survive(&setup, 2).await;
}

/// Everything that has been seen.
#[derive(Default)]
struct Seen {
    filed: Vec<Filed>,
    received: Vec<Received>,
}

impl Seen {
    fn take(&mut self, event: Event) {
        match event {
            Event::Answered(filed) => self.filed.push(filed),
            Event::Received(received) => self.received.push(received),
        }
    }

    fn count(&self) -> usize {
        self.filed.len() + self.received.len()
    }
}

async fn survive(setup: &Setup, replicas: usize) {
    let chance = chance();
    let (events, mut progress) = unbounded_channel();
    let receivers = Receivers::start(20, events.clone());
    let mut processes = Vec::new();
    for _ in 0..replicas {
        processes.push(setup.start().await);
    }
    let world = Arc::new(World::build(setup, &processes[0].base, &receivers, CONTROLLERS).await);
    // What an endpoint takes before it has proved itself is sent again, whoever lives.
    world.all_proven(&processes[0].base).await;
    let pace = Arc::new(Semaphore::new(PACE));
    let (places, known) = watch::channel(processes.iter().map(|process| (1, process.base.clone())).collect());
    let running = clients::start(&world, FILINGS, &pace, &known, &events);

    let mut seen = Seen::default();
    for _ in 0..KILLS {
        kill_one(setup, &mut processes, &places, &mut progress, &mut seen, &chance).await;
        pace.add_permits(PACE);
    }
    pace.add_permits(FILINGS);
    while seen.filed.len() < FILINGS {
        seen.take(timeout(PATIENCE, progress.recv()).await.expect("filings go on").unwrap());
    }
    running.join_all().await;
    let base = processes[0].base.clone();
    let notices = check_filings(&world, &base, &seen.filed).await;
    await_notices(&notices, &mut progress, &mut seen).await;
    heal(setup, &world, processes, &mut progress, &mut seen).await;
    check_deliveries(&world, &notices, &seen.received);
    check_repeats(setup, &seen.received);
    setup.is_sound();
    report(&seen, notices.len(), setup.verify());
}

/// Kills a process after some more events; another takes over its data.
async fn kill_one(
    setup: &Setup,
    processes: &mut [Process],
    places: &watch::Sender<Places>,
    progress: &mut UnboundedReceiver<Event>,
    seen: &mut Seen,
    chance: &Entropy,
) {
    // Each filing that may begin now is answered and told at least once.
    let moment = seen.count() + 1 + below(chance, 2 * PACE - 4);
    while seen.count() < moment {
        seen.take(timeout(PATIENCE, progress.recv()).await.expect("work goes on between kills").unwrap());
    }
    let victim = below(chance, processes.len());
    processes[victim].kill();
    if processes.len() == 1 {
        // What the killed process left is sound before anybody repairs it.
        setup.is_sound();
    }
    processes[victim] = setup.start().await;
    let base = processes[victim].base.clone();
    places.send_modify(|places| places[victim] = (places[victim].0 + 1, base));
    // And it is sound to whoever looks while others write.
    setup.is_sound();
    while let Ok(event) = progress.try_recv() {
        seen.take(event);
    }
}

/// Another course of events each time; what is printed makes it come again as nearly as the machine allows.
fn chance() -> Entropy {
    let given = std::env::var("ART33_TEST_CRASH_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("kills are picked with ART33_TEST_CRASH_SEED={seed}");
    Entropy::seeded(seed)
}

/// A number from 0 up to but without `limit`.
fn below(chance: &Entropy, limit: usize) -> usize {
    let share = chance.unit();
    (1..limit).rev().find(|number| share >= fraction(*number, limit)).unwrap_or(0)
}

fn fraction(number: usize, of: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap()) / f64::from(u32::try_from(of).unwrap())
}

/// Stops all processes as asked.
async fn stop(processes: Vec<Process>) {
    for process in &processes {
        process.terminate();
    }
    for process in processes {
        let (status, log) = process.ended().await;
        assert_eq!(status.code(), Some(0), "{log}");
    }
}

/// Stops and starts until no notice is pending: what a kill cut off is sent again when its lease ends.
async fn heal(
    setup: &Setup,
    world: &World,
    mut processes: Vec<Process>,
    progress: &mut UnboundedReceiver<Event>,
    seen: &mut Seen,
) {
    for _ in 0..5 {
        let replicas = processes.len();
        // What was answered before the stop is recorded by it.
        stop(std::mem::take(&mut processes)).await;
        while let Ok(event) = progress.try_recv() {
            seen.take(event);
        }
        let before = seen.received.len();
        for _ in 0..replicas {
            processes.push(setup.start().await);
        }
        let listed = world.list(&format!("{}/v1/notices", processes[0].base)).await;
        let pending = listed.iter().filter(|notice| notice["state"] != "delivered");
        let mut pending: BTreeSet<&str> = pending.map(|notice| notice["id"].as_str().unwrap()).collect();
        if pending.is_empty() {
            return stop(processes).await;
        }
        eprintln!("{} notices are still to be recorded", pending.len());
        let mut known = before;
        while !pending.is_empty() {
            seen.take(timeout(PATIENCE, progress.recv()).await.expect("leases end").unwrap());
            for received in &seen.received[known..] {
                pending.remove(notice_of(received));
            }
            known = seen.received.len();
        }
    }
    panic!("notices stay pending");
}

/// One notice as the processor sees it.
struct Notice {
    controller: usize,
    content_sha256: String,
}

/// Every answered filing is there once, with one notice for each controller that it affects; answers the notices.
async fn check_filings(world: &World, base: &str, filed: &[Filed]) -> HashMap<String, Notice> {
    let numbers: BTreeMap<&str, usize> = filed.iter().map(|filed| (filed.incident.as_str(), filed.number)).collect();
    assert_eq!(numbers.len(), FILINGS, "two keys were answered with one incident");
    for filed in filed {
        assert_eq!(filed.unavailable, 0, "a killed process is no reason for 503: {filed:?}");
        let incident = world.get(&format!("{base}/v1/incidents/{}", filed.incident)).await;
        assert_eq!(incident["title"], title(filed.number), "{}", filed.incident);
    }
    let listed = world.list(&format!("{base}/v1/incidents")).await;
    let listed: Vec<&str> = listed.iter().map(|incident| incident["id"].as_str().unwrap()).collect();
    assert_eq!(listed.len(), FILINGS, "as many incidents as keys");
    assert_eq!(BTreeSet::from_iter(listed), numbers.keys().copied().collect());

    let mut told: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut notices = HashMap::new();
    for notice in world.list(&format!("{base}/v1/notices")).await {
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let controller = text(&notice["controller"]["id"]);
        let controller = world.controllers.iter().position(|known| *known == controller).unwrap();
        told.entry(numbers[notice["incident"].as_str().unwrap()]).or_default().push(controller);
        notices.insert(text(&notice["id"]), Notice { controller, content_sha256: text(&notice["content_sha256"]) });
    }
    for number in 0..FILINGS {
        let (mut expected, mut told) = (world.affected(number), told.remove(&number).unwrap_or_default());
        expected.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, expected, "those told of filing {number}");
    }
    notices
}

fn notice_of(received: &Received) -> &str {
    received.body["data"]["notice"].as_str().unwrap()
}

async fn await_notices(notices: &HashMap<String, Notice>, progress: &mut UnboundedReceiver<Event>, seen: &mut Seen) {
    let arrived = |received: &&Received| received.status == 200;
    let mut missing: BTreeSet<&str> = notices.keys().map(String::as_str).collect();
    for received in seen.received.iter().filter(arrived) {
        missing.remove(notice_of(received));
    }
    while !missing.is_empty() {
        let event = timeout(PATIENCE, progress.recv()).await;
        let Ok(Some(event)) = event else { panic!("{} notices never arrived: {missing:?}", missing.len()) };
        if let Event::Received(received) = &event
            && arrived(&received)
        {
            missing.remove(notice_of(received));
        }
        seen.take(event);
    }
}

/// Everything went to the right endpoint with the right digest, and came twice only where a process died.
fn check_deliveries(world: &World, notices: &HashMap<String, Notice>, received: &[Received]) {
    for one in received {
        let notice = &notices[notice_of(one)];
        assert_eq!(one.controller, notice.controller, "{one:?}");
        assert_eq!(one.body["data"]["content_sha256"], notice.content_sha256.as_str(), "{one:?}");
        assert_eq!(one.body["data"]["recipient"]["organisation"], world.controllers[one.controller].as_str());
    }
    let ids: BTreeSet<(&str, &str)> = received.iter().map(|one| (notice_of(one), one.id.as_str())).collect();
    assert_eq!(ids.len(), notices.len(), "each notice has one webhook-id, whatever happens");
}

/// A killed process leaves at most as many attempts open as it may have under way, and whatever came again has one of which no
/// answer was recorded.
fn check_repeats(setup: &Setup, received: &[Received]) {
    let (repeats, cut_off) = (repeats(received).values().sum::<usize>(), setup.number(UNDER_WAY));
    let unheard = setup.number(UNHEARD);
    eprintln!("{cut_off} attempts cut off, {unheard} without an answer, {repeats} repeats");
    assert!(cut_off <= KILLS * PER_HOST, "{cut_off} attempts cut off");
    assert!(repeats <= unheard, "{repeats} repeats of {unheard} whose answer was not heard");
}

/// How often each message came after it had been answered with 200.
fn repeats(received: &[Received]) -> HashMap<&str, usize> {
    let mut answered: HashMap<&str, usize> = HashMap::new();
    for one in received.iter().filter(|one| one.status == 200) {
        *answered.entry(&one.id).or_default() += 1;
    }
    answered.into_iter().map(|(id, times)| (id, times - 1)).filter(|(_, times)| *times > 0).collect()
}

fn report(seen: &Seen, notices: usize, entries: u64) {
    let tries: usize = seen.filed.iter().map(|filed| filed.tries).sum();
    let replayed = seen.filed.iter().filter(|filed| filed.replayed).count();
    let refused = seen.received.iter().filter(|one| one.status != 200).count();
    let repeated: usize = repeats(&seen.received).values().sum();
    eprintln!(
        "{KILLS} kills; {FILINGS} filings answered after {tries} tries, {replayed} of them stored before the answer was lost; \
         {notices} notices received {} times: {refused} failed on purpose, {repeated} repeats; {entries} ledger entries fit",
        seen.received.len()
    );
}
