//! The only room that knows Diesel. Every function takes a connection and, for tenant data, the caller's scope; none takes the pool.
//!
//! Times are BIGINT microseconds since 1970 UTC, ids and JSON are TEXT, in both databases: equality and order then need no zone and no dialect.

pub mod agreements;
mod alone;
mod among;
pub mod audit_of_delivery;
pub mod authorities;
pub mod authority_filings;
mod backup;
pub(crate) mod batch;
mod cell;
mod checkpoint;
pub(crate) mod connection;
pub mod decisions;
pub mod deliveries;
pub mod delivery_views;
pub mod duties;
mod duty_rows;
pub mod endpoint_views;
pub mod endpoints;
mod error;
pub mod escalations;
mod group;
pub mod idempotency;
pub mod incident_versions;
pub mod incidents;
pub mod instructions;
pub mod ledger;
pub mod letters;
pub mod mail_evidence;
pub mod mailboxes;
pub mod milestones;
pub mod notice_history;
pub mod notices;
pub mod obligations;
pub mod organisations;
pub mod origins;
pub mod outbox;
pub mod parties;
pub mod probes;
pub mod receipts;
pub mod receiver_keys;
pub mod redeliveries;
pub mod releases;
pub(crate) mod row;
pub(crate) mod schema;
pub(crate) mod schema_of_delivery;
pub(crate) mod schema_of_law;
mod server_time;
pub mod sources;
pub mod standing;
pub mod tasks;
pub mod unproven;
mod wake;
pub mod watched;
pub mod webhooks;

use std::time::Duration;

use connection::{Manager, Target, Use};
use diesel::r2d2::Pool;
use group::Writer;

pub use alone::Alone;
pub use backup::backup;
pub use connection::AnyConnection;
pub use error::StoreError;
pub(crate) use row::micros;

/// The database, shared by all of the program.
#[derive(Debug, Clone)]
pub struct Store {
    readers: Pool<Manager>,
    writer: Option<Writer>,
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only PostgreSQL is listened to"))]
    target: Target,
}

impl Store {
    /// Opens the database that `url` names: `sqlite://PATH` or `postgres://…`.
    ///
    /// SQLite is migrated at once; on PostgreSQL a missing migration is an error, since replicas of another version may be running.
    ///
    /// # Errors
    /// When the scheme is unknown, the database cannot be reached, or its migrations are missing.
    pub fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        let target = Target::from_url(url)?;
        let mut connection = target.open_to_write().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let writer = if let Target::Sqlite(_) = target {
            connection::migrate(&mut connection)?;
            let started = Writer::start(target.clone(), connection);
            Some(started.map_err(|error| StoreError::Unavailable(error.to_string()))?)
        } else {
            if connection::needs_migration(&mut connection)? {
                return Err(StoreError::Migration(
                    "the database is behind this program; run `art33 migrate` first".into(),
                ));
            }
            None
        };
        let purpose = if writer.is_some() { Use::Reading } else { Use::Everything };
        let readers = pool(Manager { target: target.clone(), purpose }, connections)?;
        Ok(Self { readers, writer, target })
    }

    /// Opens the database that `url` names for reading only. Nothing is created or migrated; writing fails.
    ///
    /// # Errors
    /// When the scheme is unknown or the database is not there.
    pub fn open_to_read(url: &str) -> Result<Self, StoreError> {
        let manager = Manager { target: Target::from_url(url)?, purpose: Use::Inspecting };
        // The pool would try again for seconds and then say less.
        manager.target.open_to_read().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let target = manager.target.clone();
        Ok(Self { readers: pool(manager, 1)?, writer: None, target })
    }

    /// Asks the database for a sign of life.
    pub fn ping(connection: &mut AnyConnection) -> Result<(), StoreError> {
        use diesel::connection::SimpleConnection as _;
        Ok(connection.batch_execute("SELECT 1")?)
    }

    /// Runs `work`, which only reads, in one transaction (one consistent view) off the async threads.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.pooled(true, work).await
    }

    /// Runs `work` in one transaction off the async threads; answers after it is durable, and rolls back if it fails.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.written(false, work).await
    }

    /// Like [`Self::write`], for work that may write thousands of rows: on the embedded database it shares the transaction of nobody
    /// who was there before.
    pub async fn write_large<T, E>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.written(true, work).await
    }

    async fn written<T, E>(
        &self,
        is_large: bool,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.writer {
            Some(writer) => writer.write(is_large, work).await,
            None => self.pooled(false, work).await,
        }
    }

    /// Runs `prepare`, which only reads, and then `work` with what it answered; only `work` writes, thousands of rows if what was
    /// prepared `is_large`.
    ///
    /// The embedded database has one writer, which is not to wait for the preparing: there what `prepare` read may have changed
    /// when `work` runs. A server does both in one transaction.
    pub async fn prepare_and_write<P, T, E>(
        &self,
        prepare: impl FnOnce(&mut AnyConnection) -> Result<P, E> + Send + 'static,
        is_large: impl FnOnce(&P) -> bool,
        work: impl FnOnce(&mut AnyConnection, P) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        P: Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if self.writer.is_none() {
            let both =
                |connection: &mut AnyConnection| prepare(connection).and_then(|prepared| work(connection, prepared));
            return self.pooled(false, both).await;
        }
        let prepared = self.read(prepare).await?;
        let is_large = is_large(&prepared);
        self.written(is_large, |connection| work(connection, prepared)).await
    }

    async fn pooled<T, E>(
        &self,
        consistent: bool,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let pool = self.readers.clone();
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let _entered = span.enter();
            pooled_transaction(&pool, consistent, work)
        });
        match task.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
        }
    }
}

/// Runs `work` in a transaction on a connection of `pool`; with `consistent` all its reads see the same moment.
///
/// A connection that cannot even begin, such as one from before a restart of the server, is put away and the next one is asked.
/// Trying is cheaper than asking every connection for a sign of life first.
fn pooled_transaction<T, E: From<StoreError>>(
    pool: &Pool<Manager>,
    consistent: bool,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, E>,
) -> Result<T, E> {
    let mut work = Some(work);
    let mut connections_left = pool.max_size();
    loop {
        let mut connection = pool.get().map_err(|error| E::from(StoreError::Unavailable(error.to_string())))?;
        let result = in_transaction(&mut connection, |connection| {
            let work = work.take().ok_or_else(|| StoreError::Unavailable("the work began twice".into()))?;
            if consistent {
                connection::hold_view(connection)?;
            }
            work(connection)
        });
        if work.is_none() || connections_left == 0 {
            return result;
        }
        connections_left -= 1;
    }
}

/// Runs `work` in a transaction, or in a savepoint where one is open already; a failure of either rolls it back.
fn in_transaction<T, E: From<StoreError>>(
    connection: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, E>,
) -> Result<T, E> {
    use diesel::Connection as _;
    /// Lets callers have errors of their own that know nothing of Diesel.
    enum Failure<E> {
        Work(E),
        Database(diesel::result::Error),
    }
    impl<E> From<diesel::result::Error> for Failure<E> {
        fn from(error: diesel::result::Error) -> Self {
            Self::Database(error)
        }
    }
    connection.transaction(|connection| work(connection).map_err(Failure::Work)).map_err(|failure| match failure {
        Failure::Work(error) => error,
        Failure::Database(error) => E::from(StoreError::Query(error)),
    })
}

fn pool(manager: Manager, connections: u32) -> Result<Pool<Manager>, StoreError> {
    Pool::builder()
        .max_size(connections)
        .min_idle(Some(1))
        .connection_timeout(Duration::from_secs(5))
        .test_on_check_out(false)
        .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
        .build(manager)
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn open(target: &Target) -> Result<AnyConnection, StoreError> {
    target.open().map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Applies the missing migrations of the database that `url` names and answers their names.
pub fn migrate(url: &str) -> Result<Vec<String>, StoreError> {
    connection::migrate(&mut open(&Target::from_url(url)?)?)
}

/// Takes back every migration of the database that `url` names, and with it all data.
pub fn revert_all(url: &str) -> Result<Vec<String>, StoreError> {
    connection::revert_all(&mut open(&Target::from_url(url)?)?)
}
