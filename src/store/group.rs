//! Group commit for SQLite: one thread owns the writing connection and commits many callers' work at once.
//!
//! Durability stays full: nobody is answered before the commit that holds their work is on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use tokio::sync::oneshot;

use super::connection::{AnyConnection, Target};
use super::error::StoreError;
use crate::telemetry;

/// The most callers that share one commit.
const GROUP: usize = 64;

type Answer = Box<dyn FnOnce(Result<(), &diesel::result::Error>) + Send>;
/// One caller's work; without a connection it only answers that the database cannot be reached.
type Work = Box<dyn FnOnce(Result<&mut AnyConnection, &diesel::result::Error>) -> Answer + Send>;

/// The door to the writing thread.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: SyncSender<Work>,
}

impl Writer {
    /// Starts the writing thread; it ends when the last `Writer` is dropped.
    pub(crate) fn start(target: Target, connection: AnyConnection) -> std::io::Result<Self> {
        let (queue, work) = sync_channel(4096);
        std::thread::Builder::new().name("store-writer".into()).spawn(move || run(&target, connection, &work))?;
        Ok(Self { queue })
    }

    /// Runs `work` in a savepoint of the next group and answers after the group is committed.
    pub(crate) async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel::<Result<T, E>>();
        let job: Work = Box::new(move |connection| {
            let result = match connection {
                Ok(connection) => super::in_transaction(connection, work),
                Err(error) => Err(E::from(StoreError::Unavailable(error.to_string()))),
            };
            Box::new(move |committed| {
                let answer = match (result, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Ok(_), Err(error)) => Err(E::from(StoreError::Unavailable(error.to_string()))),
                    (Err(error), _) => Err(error),
                };
                // A caller who went away does not undo what was committed.
                drop(sender.send(answer));
            })
        });
        let stopped = || E::from(StoreError::Unavailable("the writer has stopped".into()));
        let queue = self.queue.clone();
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

fn run(target: &Target, mut connection: AnyConnection, queue: &Receiver<Work>) {
    while let Ok(first) = queue.recv() {
        if let Err(error) = begin(&mut connection) {
            first(Err(&error))(Err(&error));
            // A full disk can leave the connection unable to begin again; a new one starts clean.
            if let Ok(fresh) = target.open() {
                connection = fresh;
            }
            continue;
        }
        let mut answers = Vec::with_capacity(GROUP);
        let mut next = Some(first);
        let mut panicked = false;
        while let Some(work) = next.take() {
            // A panic must not end the only writer; whoever caused it loses this group, and nothing else.
            match catch_unwind(AssertUnwindSafe(|| work(Ok(&mut connection)))) {
                Ok(answer) => answers.push(answer),
                Err(_) => panicked = true,
            }
            next = (!panicked && answers.len() < GROUP).then(|| queue.try_recv().ok()).flatten();
        }
        telemetry::store_batch(u32::try_from(answers.len()).unwrap_or(u32::MAX));
        let committed =
            if panicked { Err(diesel::result::Error::BrokenTransactionManager) } else { commit(&mut connection) };
        for answer in answers {
            answer(committed.as_ref().copied());
        }
        if panicked && let Ok(fresh) = target.open() {
            connection = fresh;
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
    let committed = <AnyConnection as diesel::Connection>::TransactionManager::commit_transaction(connection);
    if committed.is_err() {
        drop(<AnyConnection as diesel::Connection>::TransactionManager::rollback_transaction(connection));
    }
    committed
}
