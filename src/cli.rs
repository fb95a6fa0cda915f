//! The command line: reads arguments, hands them to the rest, and says in one plain sentence what went wrong.
//!
//! The only room that knows clap. Results go to the standard output, all else to the standard error.

mod bench;
mod client;
mod deadline;
mod demo;
mod grant;
mod import;
mod obligations;
mod rotate;
mod serve;
mod upkeep;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::AppError;
use crate::config::{self, Config, ConfigError, Sources};

/// The contract, as it stands at the top of the repository.
const OPENAPI: &str = include_str!("../openapi.yaml");

/// Keeps a processor's breach-notification promises (Art. 33 GDPR).
///
/// Settings come from art33.toml in the working directory and from ART33_* variables; `art33 config` shows them all.
#[derive(Debug, Parser)]
#[command(name = "art33", version, max_term_width = 100, disable_help_subcommand = true)]
struct Arguments {
    /// Read this file instead of art33.toml.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show it all: five controllers, one incident, real deliveries; needs nothing and sends nothing beyond this machine.
    Demo(demo::DemoArguments),
    /// Run the service until SIGTERM or SIGINT; a second signal stops it at once.
    Serve,
    /// Bring the database's schema up to date. SQLite needs this never, since `serve` does it.
    Migrate {
        /// Take every migration back, and with it all data.
        #[arg(long, hide = true)]
        revert_all: bool,
    },
    /// Show the effective configuration as TOML, with the origin of every value; secrets are masked.
    Config,
    /// Print a token of the built-in issuer, and nothing else.
    Token(grant::TokenArguments),
    /// Create agreements from terms files (.toml), NDJSON (.ndjson, .jsonl) or CSV (.csv).
    Import(import::ImportArguments),
    /// Say when something is due under a counting rule, and explain every step.
    Deadline(deadline::DeadlineArguments),
    /// Check the whole ledger and name the first entry that was changed, removed, inserted or reordered.
    Verify {
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
        /// Check this SQLite database, such as a backup, instead of the configured one; needs no keys.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Copy the SQLite database into a new file, while the service runs.
    Backup {
        /// The file to write; it must not exist.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show who owes what after an incident: the catalogue of obligations.
    Obligations(obligations::ObligationsArguments),
    /// Make a new signing key; the one before stays published, and signs webhooks too for a while.
    RotateSigningKey(rotate::RotateArguments),
    /// Print the description of the HTTP interface, as it is served at /openapi.yaml.
    Openapi,
    /// Ask a running service whether it is ready; for health checks of containers.
    Health {
        /// Where the service is; without it, where the configuration says that it listens.
        #[arg(long, value_name = "URL")]
        url: Option<url::Url>,
    },
    /// Measure filings, deliveries and timers on this machine.
    #[command(hide = true)]
    Bench(bench::BenchArguments),
    /// The endpoints of `bench`: commands come in, one per line, and counts go out.
    #[command(hide = true)]
    BenchSink,
}

/// Why a command did not do its work. Each is one sentence for a person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Demo(#[from] crate::demo::DemoError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error(transparent)]
    Service(#[from] crate::service::ServiceError),
    #[error(transparent)]
    Bench(#[from] crate::bench::BenchError),
    #[error("cannot start: {0}")]
    Start(#[source] std::io::Error),
    #[error("cannot write to the standard output: {0}")]
    Output(#[source] std::io::Error),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Usage(String),
}

/// Runs the program with the arguments of this process.
///
/// 0 means done, 1 that it failed, 2 that the arguments or the configuration are wrong.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has seen enough.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("art33: {error}"));
            ExitCode::from(if matches!(error, CliError::Config(_) | CliError::Usage(_)) { 2 } else { 1 })
        }
    }
}

fn execute(arguments: Arguments) -> Result<(), CliError> {
    let configuration = || -> Result<Config, CliError> { Ok(config::load(&Sources::process(arguments.config))?) };
    match arguments.command {
        Command::Openapi => print(OPENAPI),
        Command::Config => print(configuration()?.effective_toml()),
        Command::Demo(wanted) => demo::run(&wanted),
        Command::Serve => serve::run(&configuration()?),
        Command::Migrate { revert_all } => upkeep::migrate(&configuration()?, revert_all),
        Command::Token(wanted) => grant::print_token(&configuration()?, &wanted),
        Command::Import(wanted) => import::run(&configuration()?, &wanted),
        Command::Deadline(wanted) => deadline::run(&configuration()?, wanted),
        Command::Verify { json, file: Some(file) } => verify::run(&format!("sqlite://{}", file.display()), json),
        Command::Verify { json, file: None } => verify::run(configuration()?.database.url.expose(), json),
        Command::Backup { file } => upkeep::backup(&configuration()?, &file),
        Command::Obligations(wanted) => obligations::run(&configuration()?, wanted),
        Command::RotateSigningKey(wanted) => rotate::run(&configuration()?, &wanted),
        Command::Bench(wanted) => bench::measure(wanted),
        Command::BenchSink => bench::listen(),
        Command::Health { url } => client::health(&configuration()?, url),
    }
}

/// Writes a result to the standard output.
fn print(text: &str) -> Result<(), CliError> {
    use std::io::Write as _;
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(CliError::Output)
}

/// Writes a line for people to the standard error; there is nothing to be done if that fails.
fn say(line: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// The threads that asynchronous work runs on.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Start)
}
