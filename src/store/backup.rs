//! A copy of the embedded database, made while it is in use.

use std::path::Path;

use diesel::RunQueryDsl as _;
use diesel::sql_types::Text;

use super::connection::Target;
use super::{StoreError, open};

/// Writes a consistent copy of the SQLite database that `url` names into the new file `to`.
///
/// # Errors
/// When the database is none of SQLite's, `to` exists already, or it cannot be written.
pub fn backup(url: &str, to: &Path) -> Result<(), StoreError> {
    let target = Target::from_url(url)?;
    match &target {
        Target::Sqlite(from) if from.is_file() => {}
        Target::Sqlite(from) => {
            return Err(StoreError::Unavailable(format!("there is no database at {}", from.display())));
        }
        #[cfg(feature = "postgres")]
        Target::Postgres(_) => return Err(StoreError::NoFile),
    }
    let copy = diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(to.to_string_lossy());
    Ok(copy.execute(&mut open(&target)?).map(drop)?)
}
