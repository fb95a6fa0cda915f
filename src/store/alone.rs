//! One process at a time serves an embedded database: it alone migrates it and is woken by what is filed in it.
//!
//! A lock beside the file, not on it: whoever reads, copies or checks the database, or adds to it from the command line, is welcome.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use super::connection::Target;
use super::error::StoreError;

/// The right to serve a database; given back when dropped, and by the system when the process dies.
#[derive(Debug)]
pub struct Alone(#[expect(dead_code, reason = "holds the lock")] Option<File>);

impl Alone {
    /// Takes the right to serve the database that `url` names. A server's may be served by many.
    ///
    /// # Errors
    /// When another process has it.
    pub fn take(url: &str) -> Result<Self, StoreError> {
        match Target::from_url(url)? {
            Target::Sqlite(path) => Ok(Self(Some(lock(path)?))),
            #[cfg(feature = "postgres")]
            Target::Postgres(_) => Ok(Self(None)),
        }
    }
}

fn lock(database: PathBuf) -> Result<File, StoreError> {
    let path = PathBuf::from(format!("{}.lock", database.display()));
    let cannot = |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    if let Some(folder) = database.parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    let file = File::options().create(true).append(true).open(&path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Served(database)),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}
