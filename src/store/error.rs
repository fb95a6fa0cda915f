//! What can go wrong with the database, told apart by what the caller can do about it.

/// A failure of the database or of what was found in it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names a database that this program does not know.
    #[error("unknown database URL scheme `{0}`; expected sqlite:// or postgres://")]
    UnknownScheme(String),
    /// The program was built without PostgreSQL.
    #[error("this build has no PostgreSQL support; build it with `--features postgres`")]
    PostgresNotBuilt,
    /// The database is a server's, not a file.
    #[error("art33 copies SQLite databases only; back up PostgreSQL with pg_dump")]
    NoFile,
    /// Another process serves this file.
    #[error("another process serves {}; only one can serve an SQLite database", .0.display())]
    Served(std::path::PathBuf),
    /// No connection could be had in time; the request may be sent again later.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// A row holds what no row may hold.
    #[error("table {table}, row {id}: column {column} holds an impossible value")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        id: String,
    },
    /// A migration failed or is missing.
    #[error("migration: {0}")]
    Migration(String),
    /// A row could not be written as JSON.
    #[error("a row could not be written as JSON: {0}")]
    Unwritable(String),
    /// The database refused or lost a statement.
    #[error("statement failed: {0}")]
    Query(#[from] diesel::result::Error),
}

impl StoreError {
    /// Whether trying again later can help, as far as one can tell.
    pub fn is_unavailable(&self) -> bool {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        match self {
            Self::Unavailable(_)
            | Self::Query(
                Error::BrokenTransactionManager
                | Error::DatabaseError(
                    Kind::ClosedConnection
                    | Kind::UnableToSendCommand
                    | Kind::SerializationFailure
                    | Kind::ReadOnlyTransaction,
                    _,
                ),
            ) => true,
            Self::Query(Error::DatabaseError(_, information)) => {
                let message = information.message();
                [
                    "disk is full",
                    "database is locked",
                    "disk I/O error",
                    "terminating connection",
                    "No space left",
                    "deadlock detected",
                    "due to lock timeout",
                    "due to statement timeout",
                ]
                .iter()
                .any(|sign| message.contains(sign))
            }
            _ => false,
        }
    }
}
