//! The benchmark: a service of its own, a load on it, and the bare baselines it is compared with, all in one run.
//!
//! Measures from outside, through the interface, as a client would. Nothing here is part of the service.

mod bare;
mod client;
mod database;
mod deliveries;
mod figures;
mod filed;
mod filings;
mod message;
#[cfg(feature = "postgres")]
mod pgbench;
mod process;
mod run;
mod server;
mod sink;
mod timers;
mod world;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use figures::Report;
pub(crate) use sink::listen;

/// One part of what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Filings, reports, and memory.
    Filings,
    /// First attempts, also beside endpoints that hang; a service that is killed; and TLS.
    Deliveries,
    /// Alarms of many open duties, and what waiting for them costs.
    Timers,
}

/// One kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum On {
    /// The embedded database.
    Sqlite,
    /// A server.
    Postgres,
}

/// What to measure, and where.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Smaller loads: to see that it works, not for figures.
    pub(crate) quick: bool,
    /// Only this part; all of them without it.
    pub(crate) only: Option<Part>,
    /// Only on this kind of database; on all that there are without it.
    pub(crate) on: Option<On>,
    /// Whether endpoints that hang have failed before, so that the service knows them. The worst case is that it does not.
    pub(crate) known_bad: bool,
    /// Where the databases lie; on the disk that is to be measured.
    pub(crate) directory: PathBuf,
    /// An empty database on a server with its usual durability; without it a throw-away server is started.
    pub(crate) postgres_url: Option<String>,
}

/// Bounds of the loads. Of filings and their time whichever comes first ends the load.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    filings: usize,
    time: Duration,
    /// Controllers that one filing for all affects.
    controllers: usize,
    /// Reports that are laid out.
    reports: usize,
    /// Controllers with an endpoint; a multiple of 100, so that percentages are whole.
    endpoints: usize,
    /// The same, with TLS.
    tls_endpoints: usize,
    /// How often each wave of deliveries is repeated.
    rounds: usize,
    /// The longest that an attempt takes, in whole seconds.
    attempt: u64,
    /// Whether the leases of a killed service are waited for, which takes half a minute.
    waits_for_leases: bool,
    /// Open duties, each with an alarm to come.
    duties: usize,
    /// Those of them whose alarm comes while it is measured.
    alarms: usize,
    /// How long those alarms are spread over.
    spread: Duration,
    /// How long the service is watched while nothing is due.
    idle: Duration,
}

impl Options {
    fn bounds(&self) -> Bounds {
        if self.quick {
            return Bounds {
                filings: 2_000,
                time: Duration::from_secs(2),
                controllers: 300,
                reports: 3,
                endpoints: 200,
                tls_endpoints: 100,
                rounds: 1,
                attempt: 1,
                waits_for_leases: false,
                duties: 50_000,
                alarms: 500,
                spread: Duration::from_secs(4),
                idle: Duration::from_secs(2),
            };
        }
        Bounds {
            filings: 40_000,
            time: Duration::from_secs(10),
            controllers: 10_000,
            reports: 20,
            endpoints: 10_000,
            tls_endpoints: 5_000,
            rounds: 3,
            attempt: 10,
            waits_for_leases: true,
            duties: 1_000_000,
            alarms: 4_000,
            spread: Duration::from_secs(20),
            // Two audits at least.
            idle: Duration::from_secs(130),
        }
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error("cannot {what}: {source}")]
    Io { what: &'static str, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error(transparent)]
    Query(#[from] diesel::result::Error),
    #[error(transparent)]
    Connection(#[from] diesel::ConnectionError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("the service answered {status}: {body}")]
    Refused { status: u16, body: String },
    #[error("{0}")]
    Unusable(String),
}

/// Says what failed.
fn cannot(what: &'static str) -> impl FnOnce(std::io::Error) -> BenchError {
    move |source| BenchError::Io { what, source }
}

/// Measures what is wanted, one database after the other; `progress` gets a line for people before each step.
pub(crate) fn run(options: &Options, progress: &dyn Fn(&str)) -> Result<Report, BenchError> {
    // One thread, since the service shares the cores with it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(cannot("start"))?.block_on(run::all(options, progress))
}
