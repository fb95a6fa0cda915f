//! `art33 bounce`: hands what came back to a return path over to the running service; for a pipe of the mail server.

use std::io::Read as _;

use clap::Args;
use url::Url;

use super::client::{own_address, to_anywhere};
use super::{CliError, runtime};
use crate::app::AppError;
use crate::config::Config;
use crate::outbound::Outbound;

/// The largest message that is handed over, in bytes.
const LARGEST: u64 = 256 * 1024;
/// As much of the answer as is read.
const ANSWER: usize = 64 * 1024;

/// Whose message, and where to.
#[derive(Debug, Args)]
pub(super) struct BounceArguments {
    /// The address that the message came to: our return path.
    #[arg(long, value_name = "ADDRESS")]
    recipient: String,
    /// Where the service is; without it, where the configuration says that it listens.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
}

/// Reads a message from the standard input and hands it over.
///
/// Fails so that the mail server tries again where the service cannot be reached, and for good where it refuses the message.
pub(super) fn hand_over(config: &Config, wanted: BounceArguments) -> Result<(), CliError> {
    let mut message = Vec::new();
    let read = std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut message);
    read.map_err(|error| CliError::Later(format!("the message cannot be read: {error}")))?;
    let base = wanted.url.map_or_else(|| own_address(&config.server), Ok)?;
    let mut url = base.join("/inbound/mail").map_err(|error| CliError::Usage(format!("{base} is no base: {error}")))?;
    url.query_pairs_mut().append_pair("recipient", &wanted.recipient);
    let headers = vec![("content-type".to_owned(), "message/rfc822".to_owned())];
    let answer = runtime()?.block_on(async {
        let client = Outbound::new(&to_anywhere()).map_err(AppError::from)?;
        let answer = client.call(&url, headers, Some(message), ANSWER).await;
        answer.map_err(|kind| CliError::Later(format!("{base} cannot be reached ({kind})")))
    })?;
    match answer.0 {
        200..=299 => Ok(()),
        status @ (429 | 500..=599) => Err(CliError::Later(format!("{base} answered {status}"))),
        404 => Err(CliError::Refused("this is no return path of a mail that was sent".to_owned())),
        status => Err(CliError::Refused(format!("the message was refused with {status}"))),
    }
}
