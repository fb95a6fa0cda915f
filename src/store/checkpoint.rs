//! Carries what was committed from the log of the embedded database into its file, beside the writer and not within its commits.
//!
//! Nothing hangs on when that happens: what is in the log is durable, and the writer does it itself once the log has become too long.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;

use super::connection::{AnyConnection, Target};

/// The shortest time between two times. A page that is written again and again meanwhile is carried over once.
const EVERY: Duration = Duration::from_secs(1);

/// Starts the thread; it is told of commits through what is answered, and ends when that is dropped.
pub(super) fn start(target: Target) -> std::io::Result<SyncSender<()>> {
    // One word says it all, however many commits there were.
    let (told, commits) = sync_channel(1);
    std::thread::Builder::new().name("store-checkpoint".into()).spawn(move || run(&target, &commits))?;
    Ok(told)
}

fn run(target: &Target, commits: &Receiver<()>) {
    let mut connection: Option<AnyConnection> = None;
    while commits.recv().is_ok() && passes(EVERY, commits) {
        match connection.take().map_or_else(|| target.open().map_err(|error| error.to_string()), Ok).and_then(carry) {
            Ok(usable) => connection = Some(usable),
            Err(error) => {
                tracing::warn!(error, "the log of the database could not be carried into its file; trying again");
            }
        }
    }
}

fn carry(mut connection: AnyConnection) -> Result<AnyConnection, String> {
    connection.batch_execute("PRAGMA wal_checkpoint(PASSIVE)").map_err(|error| error.to_string())?;
    Ok(connection)
}

/// Lets `time` pass; false if the writer has ended before.
fn passes(time: Duration, commits: &Receiver<()>) -> bool {
    let end = Instant::now() + time;
    loop {
        match commits.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_log_gets_into_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("art33.db");
        let target = Target::Sqlite(file.clone());
        let mut writer = target.open().unwrap();
        let written =
            "PRAGMA wal_autocheckpoint = 0; CREATE TABLE told (what TEXT); INSERT INTO told VALUES ('to be carried')";
        writer.batch_execute(written).unwrap();
        let holds_it = || std::fs::read(&file).unwrap().windows(13).any(|part| part == b"to be carried");
        assert!(!holds_it(), "only the log has it");
        carry(target.open().unwrap()).unwrap();
        assert!(holds_it());
    }

    #[test]
    fn it_ends_with_the_writer() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(directory.path().join("art33.db"));
        let (told, commits) = sync_channel(1);
        told.send(()).unwrap();
        drop(told);
        run(&target, &commits);
        assert!(!directory.path().join("art33.db").exists(), "it did not begin anew");
    }
}
