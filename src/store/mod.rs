//! The only room that knows Diesel. Every function takes a connection and, for tenant data, the caller's scope; none takes the pool.
//!
//! Times are BIGINT microseconds since 1970 UTC, ids and JSON are TEXT, in both databases: equality and order then need no zone and no dialect.

pub mod agreements;
mod backup;
pub(crate) mod batch;
pub(crate) mod connection;
pub mod deliveries;
pub mod duties;
mod error;
mod group;
pub mod idempotency;
pub mod incidents;
pub mod ledger;
pub mod notices;
pub mod organisations;
pub mod outbox;
pub mod parties;
pub(crate) mod row;
pub(crate) mod schema;
mod server_time;
pub mod webhooks;

use std::time::Duration;

use connection::{Manager, Target, Use};
use diesel::r2d2::Pool;
use group::Writer;

pub use backup::backup;
pub use connection::AnyConnection;
pub use error::StoreError;
pub(crate) use row::micros;

/// The database, shared by all of the program.
#[derive(Debug, Clone)]
pub struct Store {
    readers: Pool<Manager>,
    writer: Option<Writer>,
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
        let mut connection = open(&target)?;
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
        let readers = pool(Manager { target, purpose }, connections)?;
        Ok(Self { readers, writer })
    }

    /// Opens the database that `url` names for reading only. Nothing is created or migrated; writing fails.
    ///
    /// # Errors
    /// When the scheme is unknown or the database is not there.
    pub fn open_to_read(url: &str) -> Result<Self, StoreError> {
        let manager = Manager { target: Target::from_url(url)?, purpose: Use::Inspecting };
        // The pool would try again for seconds and then say less.
        manager.target.open_to_read().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { readers: pool(manager, 1)?, writer: None })
    }

    /// Asks the database for a sign of life.
    pub fn ping<E: From<diesel::result::Error>>(connection: &mut AnyConnection) -> Result<(), E> {
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
        E: From<StoreError> + From<diesel::result::Error> + Send + 'static,
    {
        self.pooled(|connection| in_one_view(connection, work)).await
    }

    /// Runs `work` in one transaction off the async threads; answers after it is durable, and rolls back if it fails.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<diesel::result::Error> + Send + 'static,
    {
        use diesel::Connection as _;
        match &self.writer {
            Some(writer) => writer.write(work).await,
            None => self.pooled(|connection| connection.transaction(work)).await,
        }
    }

    async fn pooled<T, E>(&self, work: impl FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<diesel::result::Error> + Send + 'static,
    {
        let pool = self.readers.clone();
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let _entered = span.enter();
            let mut connection = pool.get().map_err(|error| E::from(StoreError::Unavailable(error.to_string())))?;
            work(&mut connection)
        });
        match task.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
        }
    }
}

fn pool(manager: Manager, connections: u32) -> Result<Pool<Manager>, StoreError> {
    let on_a_server = !matches!(manager.target, Target::Sqlite(_));
    Pool::builder()
        .max_size(connections)
        .min_idle(Some(1))
        .connection_timeout(Duration::from_secs(5))
        .test_on_check_out(on_a_server)
        .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
        .build(manager)
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn in_one_view<T, E: From<diesel::result::Error>>(
    connection: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, E>,
) -> Result<T, E> {
    use diesel::connection::TransactionManager as _;
    type Transactions = <AnyConnection as diesel::Connection>::TransactionManager;
    connection::begin_read(connection)?;
    let read = work(connection);
    // Nothing was written: this only gives the view back. If it fails, the pool sees that the connection is broken.
    drop(Transactions::rollback_transaction(connection));
    read
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
