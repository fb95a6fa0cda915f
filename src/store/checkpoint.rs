//! Carries what was committed from the log of the embedded database into its file, beside the writer and not within its commits.
//!
//! Nothing hangs on when that happens: what is in the log is durable, and the writer does it itself once the log has become too long.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;

use super::connection::{AnyConnection, Target};

/// The shortest time between two times. A page that is written again and again meanwhile is carried over once.
const EVERY: Duration = Duration::from_secs(1);

/// The running thread.
pub(super) struct Checkpoints {
    commits: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    /// Starts the thread.
    pub(super) fn start(target: Target) -> std::io::Result<Self> {
        // One word says it all, however many commits there were.
        let (told, commits) = sync_channel(1);
        let thread = std::thread::Builder::new().name("store-checkpoint".into());
        Ok(Self { commits: told, thread: thread.spawn(move || run(&target, &commits))? })
    }

    /// Tells it that something was committed.
    pub(super) fn committed(&self) {
        // If it has been told already, it knows.
        let _is_news = self.commits.try_send(());
    }

    /// Ends the thread, so that whoever closes the database after it is the last one: that carries the log over and removes it.
    pub(super) fn end(self) {
        drop(self.commits);
        if self.thread.join().is_err() {
            tracing::error!("carrying the log of the database into its file broke off");
        }
    }
}

fn run(target: &Target, commits: &Receiver<()>) {
    let mut connection: Option<AnyConnection> = None;
    while commits.recv().is_ok() && passes(EVERY, commits) {
        match connection.take().map_or_else(|| target.open().map_err(|error| error.to_string()), Ok).and_then(carry) {
            Ok(usable) => connection = Some(usable),
            Err(error) => {
                tracing::warn!(
                    error,
                    "the log of the database could not be carried into its file; tried again after the next commit"
                );
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
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::StoreError;
    use crate::store::group::Writer;

    const WRITTEN: &str = "CREATE TABLE told (what TEXT); INSERT INTO told VALUES ('to be carried')";

    fn holds_it(file: &Path) -> bool {
        std::fs::read(file).unwrap().windows(13).any(|part| part == b"to be carried")
    }

    #[test]
    fn what_stands_in_the_log_gets_into_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("art33.db");
        let target = Target::Sqlite(file.clone());
        let mut writer = target.open_to_write().unwrap();
        writer.batch_execute(WRITTEN).unwrap();
        assert!(!holds_it(&file), "only the log has it");
        carry(target.open().unwrap()).unwrap();
        assert!(holds_it(&file));
    }

    #[tokio::test]
    async fn the_writer_has_its_commits_carried_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("art33.db");
        let target = Target::Sqlite(file.clone());
        let writer = Writer::start(target.clone(), target.open_to_write().unwrap()).unwrap();
        let written = writer.write(false, |connection| connection.batch_execute(WRITTEN).map_err(StoreError::Query));
        written.await.unwrap();
        let carried = async {
            while !holds_it(&file) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), carried).await.expect("it is never carried over");
        drop(writer);
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
