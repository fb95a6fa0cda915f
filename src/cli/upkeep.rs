//! `art33 migrate` and `art33 backup`: the database by hand.

use std::path::Path;

use super::{CliError, print};
use crate::config::Config;
use crate::store;

/// Applies what is missing, or takes everything back, and names each migration.
pub(super) fn migrate(config: &Config, revert_all: bool) -> Result<(), CliError> {
    let url = config.database.url.expose();
    let (verb, names) =
        if revert_all { ("reverted", store::revert_all(url)?) } else { ("applied", store::migrate(url)?) };
    let lines: Vec<String> = names.iter().map(|name| format!("{verb} {name}\n")).collect();
    if lines.is_empty() { print("nothing to do\n") } else { print(&lines.concat()) }
}

/// Copies the embedded database.
pub(super) fn backup(config: &Config, file: &Path) -> Result<(), CliError> {
    if file.exists() {
        return Err(CliError::Refused(format!("{} exists already; a backup overwrites nothing", file.display())));
    }
    store::backup(config.database.url.expose(), file)?;
    let (file, keys) = (file.display(), config.data_dir.display());
    print(&format!("{file} holds the database. Back up the keys in {keys} too, but not beside it.\n"))
}
