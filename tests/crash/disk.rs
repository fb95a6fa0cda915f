//! A disk that takes no more: requests are refused as not available, nothing is half stored, and room heals it. The process goes on.

use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::sync::mpsc::unbounded_channel;

use super::process::{Process, Setup};
use super::receivers::{Received, Receivers};
use super::world::World;

const FILINGS: usize = 400;
/// How much may still be written when there is almost no room left, in bytes.
const LITTLE: u64 = 256 * 1024;

/// What makes the room for the database small, and large again.
enum Room {
    /// A disk of its own, in memory: the database is told that it is full.
    Disk(PathBuf),
    /// A limit for the size of each file: the database is told that it cannot write.
    Files,
}

impl Room {
    /// A disk over the directory of the data, where the system lets us have one.
    fn disk(data: &Path) -> Option<Self> {
        let mounted = run("mount", &["-t", "tmpfs", "-o", "size=64m,mode=700", "art33", data.to_str().unwrap()]);
        mounted.then(|| Self::Disk(data.to_owned()))
    }

    fn squeeze(&self, process: &Process) {
        let sizes = |path: &Path| -> Vec<u64> {
            let files = std::fs::read_dir(path).unwrap();
            files.map(|file| file.unwrap().metadata().unwrap().len().next_multiple_of(4096)).collect()
        };
        match self {
            Self::Disk(path) => resize(path, sizes(path).iter().sum::<u64>() + LITTLE),
            Self::Files => limit(process, "1572864:"),
        }
    }

    fn widen(&self, process: &Process) {
        match self {
            Self::Disk(path) => resize(path, 64 * 1024 * 1024),
            Self::Files => limit(process, "unlimited:"),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Self::Disk(path) = self {
            run("umount", &["-l", path.to_str().unwrap()]);
        }
    }
}

fn resize(path: &Path, bytes: u64) {
    assert!(run("mount", &["-o", &format!("remount,size={bytes}"), path.to_str().unwrap()]), "the disk is resized");
}

fn limit(process: &Process, soft: &str) {
    assert!(run("prlimit", &["--pid", &process.id().to_string(), &format!("--fsize={soft}")]), "the limit is set");
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_may_not_grow_refuse_and_heal() {
    refuses_and_heals(&Setup::new(), &Room::Files).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_heals() {
    let setup = Setup::new();
    // Only root may have a disk; for others the limit is the same test once more.
    let room = Room::disk(setup.data()).unwrap_or(Room::Files);
    refuses_and_heals(&setup, &room).await;
}

async fn refuses_and_heals(setup: &Setup, room: &Room) {
    let (sender, _received) = unbounded_channel::<Received>();
    let receivers = Receivers::start(usize::MAX, sender);
    let process = setup.start().await;
    let world = World::build(setup, &process.base, &receivers, 3).await;
    world.all_proven(&process.base).await;
    let url = format!("{}/v1/incidents", process.base);
    let key = |number: usize| format!("filing-{number}");
    room.squeeze(&process);
    let mut refused = None;
    for number in 0..FILINGS {
        let answer = world.post(&url, Some(&key(number)), &world.filing(number)).await.unwrap();
        if answer.status != 201 {
            assert_eq!((answer.status, &answer.json["type"]), (503, &"urn:art33:problem:unavailable".into()));
            refused = Some(number);
            break;
        }
    }
    let refused = refused.expect("the limit is met");
    assert_eq!(world.list(&url).await.len(), refused, "reading goes on, and nothing is half stored");

    room.widen(&process);
    for number in 0..=refused {
        let answer = world.post(&url, Some(&key(number)), &world.filing(number)).await.unwrap();
        assert_eq!((answer.status, answer.replayed), (201, number < refused), "filing {number}: {}", answer.json);
    }
    assert_eq!(world.list(&url).await.len(), refused + 1);
    // What was sent when the disk was full is recorded now, or sent again; nothing of it is lost.
    let told: usize = (0..=refused).map(|number| world.affected(number).len()).sum();
    assert_eq!(world.all_delivered(&process.base).await.len(), told);
    process.terminate();
    assert_eq!(process.ended().await.0.code(), Some(0));
    setup.is_sound();
}
