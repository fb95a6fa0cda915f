//! Group commit for SQLite: one thread owns the writing connection and commits many callers' work at once.
//!
//! Durability stays full: nobody is answered before the commit that holds their work is on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use tokio::sync::oneshot;

use super::checkpoint::Checkpoints;
use super::connection::{AnyConnection, Target};
use super::error::StoreError;
use crate::telemetry;

type Manager = <AnyConnection as diesel::Connection>::TransactionManager;

/// The most callers that share one commit.
const GROUP: usize = 64;

type Answer = Box<dyn FnOnce(Result<(), &diesel::result::Error>) + Send>;
/// One caller's work; without a turn it only answers that the database cannot be reached.
type Work = Box<dyn FnOnce(Result<Turn<'_>, &diesel::result::Error>) -> Done + Send>;

/// Work in the queue.
struct Job {
    /// Whether it has to be the first of a group.
    is_large: bool,
    work: Work,
}

/// One caller's turn in the transaction of a group.
struct Turn<'c> {
    connection: &'c mut AnyConnection,
    /// Nobody before it has anything to lose, so it needs no savepoint: that would copy every page it touches.
    is_first: bool,
}

/// What a caller's work came to; the answer is given when it is known what became of the group.
struct Done {
    has_succeeded: bool,
    answer: Answer,
}

/// The door to the writing thread.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: SyncSender<Job>,
}

impl Writer {
    /// Starts the writing thread; it ends when the last `Writer` is dropped.
    pub(crate) fn start(target: Target, connection: AnyConnection) -> std::io::Result<Self> {
        let (queue, work) = sync_channel(4096);
        let checkpoints = Checkpoints::start(target.clone())?;
        let write = move || {
            let last = run(&target, connection, &work, &checkpoints);
            checkpoints.end();
            drop(last);
        };
        std::thread::Builder::new().name("store-writer".into()).spawn(write)?;
        Ok(Self { queue })
    }

    /// Runs `work` as a part of the next group and answers after the group is committed; if it `is_large`, as the first of a group.
    ///
    /// The savepoint of whoever is not the first keeps a copy of each page, and each statement walks through all of them at its end:
    /// what writes tens of thousands of rows would take twice as long.
    pub(crate) async fn write<T, E>(
        &self,
        is_large: bool,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel::<Result<T, E>>();
        let work: Work = Box::new(move |turn| {
            let result = match turn {
                Ok(Turn { connection, is_first: true }) => work(connection),
                Ok(Turn { connection, is_first: false }) => super::in_transaction(connection, work),
                Err(error) => Err(E::from(StoreError::Unavailable(error.to_string()))),
            };
            let has_succeeded = result.is_ok();
            let answer = Box::new(move |committed: Result<(), &diesel::result::Error>| {
                let answer = match (result, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Ok(_), Err(error)) => Err(E::from(StoreError::Unavailable(error.to_string()))),
                    (Err(error), _) => Err(error),
                };
                // A caller who went away does not undo what was committed.
                drop(sender.send(answer));
            });
            Done { has_succeeded, answer }
        });
        let stopped = || E::from(StoreError::Unavailable("the writer has stopped".into()));
        let (job, queue) = (Job { is_large, work }, self.queue.clone());
        // The queue is full only when the disk is far behind; then waiting is done off the async threads.
        if let Err(std::sync::mpsc::TrySendError::Full(job)) = match queue.try_send(job) {
            Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return Err(stopped()),
            other => other,
        } {
            let sent = tokio::task::spawn_blocking(move || queue.send(job).is_ok()).await;
            if !matches!(sent, Ok(true)) {
                return Err(stopped());
            }
        }
        receiver.await.unwrap_or_else(|_| Err(stopped()))
    }
}

/// Works until nobody has work any more; answers the connection, still open.
fn run(
    target: &Target,
    mut connection: AnyConnection,
    queue: &Receiver<Job>,
    checkpoints: &Checkpoints,
) -> AnyConnection {
    let mut waiting = None;
    while let Some(first) = waiting.take().or_else(|| queue.recv().ok()) {
        if let Err(error) = begin(&mut connection) {
            ((first.work)(Err(&error)).answer)(Err(&error));
            // A full disk can leave the connection unable to begin again; a new one starts clean.
            if let Ok(fresh) = target.open_to_write() {
                connection = fresh;
            }
            continue;
        }
        let Group { answers, end, next } = work_off(&mut connection, first.work, queue);
        waiting = next;
        telemetry::store_batch(u32::try_from(answers.len()).unwrap_or(u32::MAX));
        let (ended, is_usable) = match end {
            End::Commit => (commit(&mut connection), true),
            End::Undo => {
                let undone = Manager::rollback_transaction(&mut connection);
                let is_usable = undone.is_ok();
                (undone, is_usable)
            }
            End::Panicked => (Err(diesel::result::Error::BrokenTransactionManager), false),
        };
        for answer in answers {
            answer(ended.as_ref().copied());
        }
        checkpoints.committed();
        if !is_usable && let Ok(fresh) = target.open_to_write() {
            connection = fresh;
        }
    }
    connection
}

/// Callers that share a transaction, and how that has to end.
struct Group {
    answers: Vec<Answer>,
    end: End,
    /// The first of the next group, if it is known by now.
    next: Option<Job>,
}

enum End {
    Commit,
    /// The first one failed, and was alone.
    Undo,
    Panicked,
}

/// Does the work of `first` and of whoever waits behind it, up to what begins a group of its own.
fn work_off(connection: &mut AnyConnection, first: Work, queue: &Receiver<Job>) -> Group {
    let mut answers = Vec::with_capacity(GROUP);
    let mut work = first;
    loop {
        let turn = Turn { connection, is_first: answers.is_empty() };
        // A panic must not end the only writer; whoever caused it loses this group, and nothing else.
        let Ok(Done { has_succeeded, answer }) = catch_unwind(AssertUnwindSafe(|| work(Ok(turn)))) else {
            return Group { answers, end: End::Panicked, next: None };
        };
        answers.push(answer);
        if answers.len() == 1 && !has_succeeded {
            return Group { answers, end: End::Undo, next: None };
        }
        let next = (answers.len() < GROUP).then(|| queue.try_recv().ok()).flatten();
        match next {
            Some(Job { is_large: false, work: next }) => work = next,
            next => return Group { answers, end: End::Commit, next },
        }
    }
}

fn begin(connection: &mut AnyConnection) -> diesel::QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(inner) => AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN IMMEDIATE"),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => AnsiTransactionManager::begin_transaction(inner),
    }
}

fn commit(connection: &mut AnyConnection) -> diesel::QueryResult<()> {
    let committed = Manager::commit_transaction(connection);
    if committed.is_err() {
        drop(Manager::rollback_transaction(connection));
    }
    committed
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// How many transactions and savepoints are open.
    fn depth(connection: &mut AnyConnection) -> Result<u32, StoreError> {
        let depth = Manager::transaction_manager_status_mut(connection).transaction_depth()?;
        Ok(depth.map_or(0, std::num::NonZeroU32::get))
    }

    #[tokio::test]
    async fn what_is_large_is_the_first_of_a_group() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(directory.path().join("art33.db"));
        let writer = Writer::start(target.clone(), target.open_to_write().unwrap()).unwrap();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let first = writer.write(false, move |connection| {
            gate.recv().unwrap();
            depth(connection)
        });
        // All stand in the queue before the first one goes on.
        let opened = async { open.send(()).unwrap() };
        let (small, large, after) = (writer.write(false, depth), writer.write(true, depth), writer.write(false, depth));
        let (first, small, large, after, ()) = futures::join!(first, small, large, after, opened);
        let depths: Vec<u32> = [first, small, large, after].into_iter().map(Result::unwrap).collect();
        assert_eq!(depths, [1, 2, 1, 2]);
    }
}
