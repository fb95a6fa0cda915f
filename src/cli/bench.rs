//! `art33 bench`: figures of this machine.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, print, say};
use crate::bench::{self, On, Options, Part};

/// What to measure, and how to show it.
#[derive(Debug, Args)]
pub(super) struct BenchArguments {
    /// Smaller loads: to see that it works, not for figures.
    #[arg(long)]
    quick: bool,
    /// Measure only this part.
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
    /// Measure only on this kind of database.
    #[arg(long, value_name = "DATABASE")]
    on: Option<On>,
    /// Endpoints that hang have failed before; without it the service learns of it only by trying.
    #[arg(long)]
    known_bad: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Where the databases lie; the directory for temporary files unless given.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// An empty PostgreSQL database; without it a throw-away server is started where one is installed.
    #[arg(long, value_name = "URL", env = "ART33_BENCH_POSTGRES_URL")]
    postgres_url: Option<String>,
}

/// Measures, and prints the figures.
pub(super) fn measure(wanted: BenchArguments) -> Result<(), CliError> {
    let BenchArguments { quick, only, on, known_bad, json, directory, postgres_url } = wanted;
    let directory = directory.unwrap_or_else(std::env::temp_dir);
    let report = bench::run(&Options { quick, only, on, known_bad, directory, postgres_url }, &say)?;
    if json { print(&(report.json() + "\n")) } else { print(&report.table()) }
}

/// Runs the endpoints that the benchmark delivers to, as a process of its own.
pub(super) fn listen() -> Result<(), CliError> {
    // One connection for each attempt that hangs; where the limit stays low the figures say so.
    drop(rlimit::increase_nofile_limit(u64::MAX));
    Ok(bench::listen()?)
}
