//! The two databases behind one connection type: choosing by URL, opening, migrating. Knows no table.

use diesel::connection::SimpleConnection as _;
use diesel::migration::MigrationVersion;
use diesel::query_dsl::LoadQuery;
use diesel::r2d2::ManageConnection;
use diesel::{Connection as _, RunQueryDsl, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::error::StoreError;

const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
#[cfg(feature = "postgres")]
const POSTGRES_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// One open connection to either database.
#[cfg(feature = "postgres")]
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// The embedded database.
    Sqlite(SqliteConnection),
    /// A PostgreSQL server, shared by several replicas.
    Postgres(diesel::PgConnection),
}

/// One open connection to the embedded database.
#[cfg(not(feature = "postgres"))]
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// The embedded database.
    Sqlite(SqliteConnection),
}

/// Runs the same body on whichever database is behind the connection.
macro_rules! on_each {
    ($connection:expr, $inner:ident => $body:expr) => {
        match $connection {
            $crate::store::connection::AnyConnection::Sqlite($inner) => $body,
            #[cfg(feature = "postgres")]
            $crate::store::connection::AnyConnection::Postgres($inner) => $body,
        }
    };
}

pub(crate) use on_each;

/// A database that can hand out the rows of a query one after the other.
pub(super) trait RowByRow {
    /// Diesel's name for that.
    type Mode;
}

impl RowByRow for SqliteConnection {
    type Mode = diesel::connection::DefaultLoadingMode;
}

#[cfg(feature = "postgres")]
impl RowByRow for diesel::PgConnection {
    type Mode = diesel::pg::PgRowByRowLoadingMode;
}

/// Rows as they are taken: a server's answer does not lie in memory as a whole.
pub(super) fn row_by_row<'c, 'q: 'c, C: RowByRow, U: 'c, Q>(
    connection: &'c mut C,
    query: Q,
) -> diesel::QueryResult<Q::RowIter<'c>>
where
    Q: LoadQuery<'q, C, U, C::Mode> + RunQueryDsl<C> + 'c,
{
    query.load_iter::<U, C::Mode>(connection)
}

/// The database a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Sqlite(std::path::PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl Target {
    /// Chooses the database by the scheme; a path without a scheme or an unknown scheme is refused.
    pub(crate) fn from_url(url: &str) -> Result<Self, StoreError> {
        match url.split_once("://") {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url.to_owned())),
            #[cfg(not(feature = "postgres"))]
            Some(("postgres" | "postgresql", _)) => Err(StoreError::PostgresNotBuilt),
            Some((scheme, _)) => Err(StoreError::UnknownScheme(scheme.to_owned())),
            None => Err(StoreError::UnknownScheme(String::new())),
        }
    }

    /// Opens a connection that may write.
    pub(crate) fn open(&self) -> Result<AnyConnection, diesel::ConnectionError> {
        match self {
            Self::Sqlite(path) => open_sqlite(path).map(AnyConnection::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => open_postgres(url).map(AnyConnection::Postgres),
        }
    }

    /// Opens the one connection that writes to the embedded database.
    ///
    /// It keeps more pages in memory than a reader: the rows of a filing for thousands of controllers go to all places of the indexes,
    /// and what does not fit is written and read again. The log may become about 128 MB long before it carries it into the file itself,
    /// which is done beside it.
    pub(crate) fn open_to_write(&self) -> Result<AnyConnection, diesel::ConnectionError> {
        let mut connection = self.open()?;
        if let AnyConnection::Sqlite(sqlite) = &mut connection {
            for pragma in ["PRAGMA cache_size = -16000", "PRAGMA wal_autocheckpoint = 32000"] {
                sqlite.batch_execute(pragma).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            }
        }
        Ok(connection)
    }

    /// Opens a connection that can only read. It changes nothing: no file is made, no journal mode set, no migration applied.
    pub(crate) fn open_to_read(&self) -> Result<AnyConnection, diesel::ConnectionError> {
        match self {
            Self::Sqlite(path) => open_sqlite_to_read(path).map(AnyConnection::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => open_postgres(url).map(AnyConnection::Postgres),
        }
    }
}

fn open_sqlite_to_read(path: &std::path::Path) -> Result<SqliteConnection, diesel::ConnectionError> {
    let bad = || diesel::ConnectionError::BadConnection(format!("there is no database at {}", path.display()));
    if !path.is_file() {
        return Err(bad());
    }
    // Only a URL can ask SQLite not to write.
    let absolute = std::path::absolute(path).map_err(|_| bad())?;
    let mut url = url::Url::from_file_path(absolute).map_err(|()| bad())?;
    url.set_query(Some("mode=ro"));
    let mut connection = SqliteConnection::establish(url.as_str())?;
    connection
        .batch_execute("PRAGMA busy_timeout = 10000")
        .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

fn open_sqlite(path: &std::path::Path) -> Result<SqliteConnection, diesel::ConnectionError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|error| diesel::ConnectionError::BadConnection(format!("{}: {error}", folder.display())))?;
    }
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
    // One statement each: a failing one must not hide the next. The time-out comes first, since switching to WAL may wait.
    for pragma in [
        "PRAGMA busy_timeout = 10000",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA cache_size = -2000",
        "PRAGMA temp_store = MEMORY",
    ] {
        connection.batch_execute(pragma).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    }
    super::organisations::register_functions(&mut connection)
        .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

#[cfg(feature = "postgres")]
fn open_postgres(url: &str) -> Result<diesel::PgConnection, diesel::ConnectionError> {
    let mut connection = diesel::PgConnection::establish(url)?;
    for setting in [
        "SET statement_timeout = '60s'",
        "SET lock_timeout = '20s'",
        "SET idle_in_transaction_session_timeout = '60s'",
        // Lists travel as parameters; a cached generic plan is what we want.
        "SET plan_cache_mode = 'force_generic_plan'",
        // Such a plan may be made while a table is empty and must serve its first great filing: what has an index goes by it.
        "SET enable_seqscan = off",
    ] {
        connection.batch_execute(setting).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    }
    Ok(connection)
}

/// What the connections of a pool are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Reading and writing.
    Everything,
    /// Reading beside a connection that writes.
    Reading,
    /// Reading a database that must stay as it is found.
    Inspecting,
}

/// Opens pooled connections.
#[derive(Debug)]
pub(crate) struct Manager {
    pub(crate) target: Target,
    pub(crate) purpose: Use,
}

impl ManageConnection for Manager {
    type Connection = AnyConnection;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<AnyConnection, Self::Error> {
        let opened = if self.purpose == Use::Inspecting { self.target.open_to_read() } else { self.target.open() };
        let mut connection = opened.map_err(diesel::r2d2::Error::ConnectionError)?;
        if self.purpose == Use::Reading
            && let AnyConnection::Sqlite(sqlite) = &mut connection
        {
            sqlite.batch_execute("PRAGMA query_only = ON").map_err(diesel::r2d2::Error::QueryError)?;
        }
        Ok(connection)
    }

    fn is_valid(&self, connection: &mut AnyConnection) -> Result<(), Self::Error> {
        connection.batch_execute("SELECT 1").map_err(diesel::r2d2::Error::QueryError)
    }

    fn has_broken(&self, connection: &mut AnyConnection) -> bool {
        std::thread::panicking() || on_each!(connection, inner => inner_broken(inner))
    }
}

fn inner_broken<C: diesel::connection::Connection>(connection: &mut C) -> bool {
    use diesel::connection::TransactionManager as _;
    C::TransactionManager::is_broken_transaction_manager(connection)
}

/// Makes the transaction that has just begun read-only with one view for all its statements. SQLite's always has one.
pub(crate) fn hold_view(connection: &mut AnyConnection) -> Result<(), StoreError> {
    match connection {
        AnyConnection::Sqlite(_) => Ok(()),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => {
            Ok(inner.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")?)
        }
    }
}

/// Applies what is missing and answers the names of the migrations applied.
pub(crate) fn migrate(connection: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    fn names(applied: &[MigrationVersion<'_>]) -> Vec<String> {
        applied.iter().map(ToString::to_string).collect()
    }
    match connection {
        AnyConnection::Sqlite(inner) => inner.run_pending_migrations(SQLITE_MIGRATIONS).map(|applied| names(&applied)),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => {
            // Replicas that start together take turns.
            inner.batch_execute("SELECT pg_advisory_lock(33)").map_err(StoreError::Query)?;
            let applied = inner.run_pending_migrations(POSTGRES_MIGRATIONS).map(|applied| names(&applied));
            inner.batch_execute("SELECT pg_advisory_unlock(33)").map_err(StoreError::Query)?;
            applied
        }
    }
    .map_err(|error| StoreError::Migration(error.to_string()))
}

/// Whether a migration is missing.
pub(crate) fn needs_migration(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    match connection {
        AnyConnection::Sqlite(inner) => inner.has_pending_migration(SQLITE_MIGRATIONS),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => inner.has_pending_migration(POSTGRES_MIGRATIONS),
    }
    .map_err(|error| StoreError::Migration(error.to_string()))
}

/// Takes every migration back, newest first. Only tests and operators who start over want this.
pub(crate) fn revert_all(connection: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    match connection {
        AnyConnection::Sqlite(inner) => {
            inner.revert_all_migrations(SQLITE_MIGRATIONS).map(|list| list.iter().map(ToString::to_string).collect())
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => {
            inner.revert_all_migrations(POSTGRES_MIGRATIONS).map(|list| list.iter().map(ToString::to_string).collect())
        }
    }
    .map_err(|error| StoreError::Migration(error.to_string()))
}
