//! The only room that knows Diesel. Every function takes a connection and, for tenant data, the caller's scope; none takes the pool.
//!
//! Times are BIGINT microseconds since 1970 UTC, ids and JSON are TEXT, in both databases: equality and order then need no zone and no dialect.

pub mod agreements;
mod among;
mod backup;
pub(crate) mod batch;
pub(crate) mod connection;
pub mod deliveries;
pub mod duties;
mod error;
pub(crate) mod few;
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

use connection::{Manager, Target};
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
        let readers = Pool::builder()
            .max_size(connections)
            .min_idle(Some(1))
            .connection_timeout(Duration::from_secs(5))
            .test_on_check_out(false)
            .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
            .build(Manager { target, read_only: writer.is_some() })
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { readers, writer })
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
        self.pooled(work).await
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
        match &self.writer {
            Some(writer) => writer.write(work).await,
            None => self.pooled(work).await,
        }
    }

    /// Runs `prepare`, which only reads, and then `work` with what it answered; only `work` writes.
    ///
    /// The embedded database has one writer, which is not to wait for the preparing: there what `prepare` read may have changed
    /// when `work` runs. A server does both in one transaction.
    pub async fn prepare_and_write<P, T, E>(
        &self,
        prepare: impl FnOnce(&mut AnyConnection) -> Result<P, E> + Send + 'static,
        work: impl FnOnce(&mut AnyConnection, P) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        P: Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + From<diesel::result::Error> + Send + 'static,
    {
        if self.writer.is_none() {
            return self.pooled(|connection| prepare(connection).and_then(|prepared| work(connection, prepared))).await;
        }
        let prepared = self.read(prepare).await?;
        self.write(|connection| work(connection, prepared)).await
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
            in_transaction(&pool, work)
        });
        match task.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
        }
    }
}

/// Runs `work` in a transaction on a connection of `pool`.
///
/// A connection that cannot even begin, such as one from before a restart of the server, is put away and the next one is asked.
/// Trying is cheaper than asking every connection for a sign of life first.
fn in_transaction<T, E>(pool: &Pool<Manager>, work: impl FnOnce(&mut AnyConnection) -> Result<T, E>) -> Result<T, E>
where
    E: From<StoreError> + From<diesel::result::Error>,
{
    use diesel::Connection as _;
    let mut work = Some(work);
    let mut connections_left = pool.max_size();
    loop {
        let mut connection = pool.get().map_err(|error| E::from(StoreError::Unavailable(error.to_string())))?;
        let result = AnyConnection::transaction(&mut connection, |connection| match work.take() {
            Some(work) => work(connection),
            None => Err(StoreError::Unavailable("the work began twice".into()).into()),
        });
        if work.is_none() || connections_left == 0 {
            return result;
        }
        connections_left -= 1;
    }
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
