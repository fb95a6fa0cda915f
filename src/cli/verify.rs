//! `art33 verify`: the whole ledger, checked entry by entry.

use super::{CliError, print, runtime};
use crate::app::AppError;
use crate::service;
use crate::store::Store;

/// Fails when an entry does not fit. Changes nothing, not even the schema.
pub(super) fn run(url: &str, json: bool) -> Result<(), CliError> {
    let store = Store::open_to_read(url)?;
    let found = runtime()?.block_on(service::verify_ledger(&store)).map_err(AppError::from)?;
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
