//! Clients that file until they are answered: the same key again, at whichever process is there.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::receivers::Received;
use super::world::World;

/// What the kills are timed by.
pub(crate) enum Event {
    /// A filing was answered.
    Answered(Filed),
    /// An endpoint was called.
    Received(Received),
}

impl From<Received> for Event {
    fn from(received: Received) -> Self {
        Self::Received(received)
    }
}

/// An answered filing.
#[derive(Debug)]
pub(crate) struct Filed {
    pub(crate) number: usize,
    pub(crate) incident: String,
    /// How often it was sent.
    pub(crate) tries: usize,
    /// How often it was answered that the service is not available.
    pub(crate) unavailable: usize,
    /// Whether an earlier try had been stored although no answer came.
    pub(crate) replayed: bool,
}

/// Where each replica serves, and how often it was started.
pub(crate) type Places = Vec<(u64, String)>;

/// As often as one filing is sent before the test gives up.
const TRIES: usize = 2000;

/// As many clients as file at the same time.
const CLIENTS: usize = 8;

/// Files the numbers up to `filings`, each as soon as `pace` has a permit for it.
pub(crate) fn start(
    world: &Arc<World>,
    filings: usize,
    pace: &Arc<Semaphore>,
    places: &watch::Receiver<Places>,
    events: &UnboundedSender<Event>,
) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for client in 0..CLIENTS {
        let (world, pace, mut places, events) = (Arc::clone(world), Arc::clone(pace), places.clone(), events.clone());
        running.spawn(async move {
            let mut dead = vec![0; places.borrow().len()];
            for number in (client..filings).step_by(CLIENTS) {
                pace.acquire().await.unwrap().forget();
                let filed = file(&world, number, &mut places, &mut dead).await;
                drop(events.send(Event::Answered(filed)));
            }
        });
    }
    running
}

async fn file(world: &World, number: usize, places: &mut watch::Receiver<Places>, dead: &mut [u64]) -> Filed {
    let (key, body) = (format!("filing-{number}"), world.filing(number));
    let mut unavailable = 0;
    for tries in 1..=TRIES {
        // Alternates between the replicas, and waits while all that it knows are dead.
        let alive = |places: &Places| {
            let mut order = (0..places.len()).map(|step| (number + tries + step) % places.len());
            order.find(|place| places[*place].0 > dead[*place])
        };
        let known = places.wait_for(|places| alive(places).is_some()).await.unwrap().clone();
        let place = alive(&known).unwrap();
        let (generation, base) = &known[place];
        match world.post(&format!("{base}/v1/incidents"), Some(&key), &body).await {
            Ok(answer) if answer.status == 201 => {
                let incident = answer.json["id"].as_str().unwrap().to_owned();
                return Filed { number, incident, tries, unavailable, replayed: answer.replayed };
            }
            Ok(answer) if answer.status == 503 => {
                assert_eq!(answer.json["type"], "urn:art33:problem:unavailable", "{}", answer.json);
                unavailable += 1;
            }
            Ok(answer) => panic!("filing {number} was answered {}: {}", answer.status, answer.json),
            Err(_) => dead[place] = *generation,
        }
    }
    panic!("filing {number} was never answered");
}
