//! `art33 rotate-signing-key`: a new key for receipts, webhooks and tokens, while the one before is still good for a while.

use clap::Args;
use time::format_description::well_known::Rfc3339;

use super::grant::duration;
use super::{CliError, print};
use crate::app::AppError;
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::KeyHistory;
use crate::entropy::Entropy;

/// How keys change over.
#[derive(Debug, Args)]
pub(super) struct RotateArguments {
    /// How long the key before signs webhooks beside the new one, as an ISO 8601 duration of at most 366 days. PT0S ends it at once.
    #[arg(long, value_name = "DURATION", value_parser = overlap, default_value = "P7D")]
    overlap: time::Duration,
}

fn overlap(text: &str) -> Result<time::Duration, String> {
    if text == "PT0S" { Ok(time::Duration::ZERO) } else { duration(text) }
}

/// Changes the key, and says which one comes and which one goes.
pub(super) fn run(config: &Config, wanted: &RotateArguments) -> Result<(), CliError> {
    let now = Clock::system().now();
    let made = KeyHistory::rotate(&config.data_dir, &Entropy::system(), now, wanted.overlap).map_err(AppError::from)?;
    let until = made.previous_valid_until.format(&Rfc3339).map_err(|error| CliError::Refused(error.to_string()))?;
    print(&format!(
        "The signing key is now {}; {} is good until {until}.\n\
         Restart the service, every replica, so that it takes effect. Receivers find both keys at /.well-known/jwks.json.\n\
         Tokens that `art33 token` printed before are refused from then on.\n",
        made.key_id, made.previous_key_id,
    ))
}
