//! `art33 verify`: the whole ledger, checked entry by entry.

use std::path::Path;

use super::{CliError, print, runtime};
use crate::app;
use crate::config::Config;

/// Fails when an entry does not fit.
pub(super) fn run(config: &Config, json: bool) -> Result<(), CliError> {
    let file = config.database.url.expose().strip_prefix("sqlite://").map(Path::new);
    if let Some(missing) = file.filter(|file| !file.exists()) {
        return Err(CliError::Refused(format!("there is no database at {}", missing.display())));
    }
    let service = app::open(config)?;
    let found = runtime()?.block_on(service.verify_ledger())?;
    if json {
        let text = serde_json::to_string(&found).map_err(|error| CliError::Refused(error.to_string()))?;
        print(&(text + "\n"))?;
    } else if found.verified {
        print(&format!("The ledger fits: {} entries in {} streams.\n", found.entries, found.streams))?;
    }
    match found.misfit {
        None => Ok(()),
        Some(misfit) => Err(CliError::Refused(format!(
            "the ledger does not fit: stream {}, entry {}: {}",
            misfit.stream, misfit.sequence, misfit.reason
        ))),
    }
}
