//! `art33 demo`: everything at once, to look at.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{CliError, print, runtime, serve};
use crate::clock::Clock;
use crate::config::Sources;
use crate::demo::{self, Options, Place};
use crate::entropy::Entropy;
use crate::telemetry;

/// Where the demo works unless told otherwise.
const DIRECTORY: &str = "art33-demo";

/// How the demo is to run.
#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// Run the clock so many times faster: 3600 shows 72 hours in 72 seconds.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=36_000))]
    speed: u32,
    /// Print one JSON object instead of staying up, and fail unless every notice was delivered and acknowledged.
    #[arg(long)]
    once: bool,
    /// Work in this directory, which must be empty, missing, or an earlier demo's; that one is emptied.
    ///
    /// Without it: ./art33-demo, and with --once a new temporary directory in which only the reports stay.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Plays the demo.
pub(super) fn run(arguments: &DemoArguments) -> Result<(), CliError> {
    let options = Options { speed: arguments.speed, once: arguments.once };
    let place = match &arguments.directory {
        None if options.once => Place::temporary(&hex::encode(Entropy::system().id_bytes(Clock::system().now())))?,
        directory => Place::take(directory.as_deref().unwrap_or(Path::new(DIRECTORY)))?,
    };
    let config = demo::settings(&place, demo::port(options), &Sources::process(None).environment)?;
    telemetry::init_logging(&config.telemetry).map_err(|error| CliError::Refused(format!("cannot log: {error}")))?;
    let summary = runtime()?.block_on(async {
        let signals = serve::stop_signals().map_err(CliError::Start)?;
        Ok::<_, CliError>(demo::run(options, &place, config, signals).await?)
    })?;
    let Some(summary) = summary else { return Ok(()) };
    let object = serde_json::to_string(&summary).map_err(|error| CliError::Refused(error.to_string()))?;
    print(&(object + "\n"))?;
    Ok(summary.judge()?)
}
