//! A disk that takes no more: requests are refused as not available, nothing is half stored, and room heals it.

use tokio::sync::mpsc::unbounded_channel;

use super::process::Setup;
use super::receivers::{Received, Receivers};
use super::world::World;

/// No file may grow beyond 1.5 MB: enough to start on, too little for the write-ahead log.
const BLOCKS: u32 = 3 * 1024;
const FILINGS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_heals() {
    let setup = Setup::new();
    let (sender, _received) = unbounded_channel::<Received>();
    let receivers = Receivers::start(usize::MAX, sender);
    let process = setup.start().await;
    let world = World::build(&setup, &process.base, &receivers, 3).await;
    process.terminate();
    process.ended().await;

    let process = setup.start_with_file_limit(BLOCKS).await;
    let mut stored = 0;
    let mut refused = None;
    for number in 0..FILINGS {
        let url = format!("{}/v1/incidents", process.base);
        let answer = world.post(&url, Some(&format!("filing-{number}")), &world.filing(number)).await.unwrap();
        match answer.status {
            201 => stored += 1,
            503 => {
                assert_eq!(answer.json["type"], "urn:art33:problem:unavailable");
                refused = Some(number);
                break;
            }
            other => panic!("filing {number} was answered {other}: {}", answer.json),
        }
    }
    let refused = refused.expect("the limit is met");
    let listed = world.list(&format!("{}/v1/incidents", process.base)).await;
    assert_eq!(listed.len(), stored, "reading goes on, and nothing is half stored");
    drop(process);

    setup.verify();
    let process = setup.start().await;
    let url = format!("{}/v1/incidents", process.base);
    for number in 0..=refused {
        let answer = world.post(&url, Some(&format!("filing-{number}")), &world.filing(number)).await.unwrap();
        assert_eq!((answer.status, answer.replayed), (201, number < refused), "filing {number}: {}", answer.json);
    }
    assert_eq!(world.list(&url).await.len(), stored + 1);
    // What was sent when the disk was full and could not be recorded is sent again; nothing of it is lost.
    let told: usize = (0..=refused).map(|number| world.affected(number).len()).sum();
    assert_eq!(world.all_delivered(&process.base).await.len(), told);
    setup.verify();
}
