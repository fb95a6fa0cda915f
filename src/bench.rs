//! The benchmark: a service of its own, a load on it, and the bare baselines it is compared with, all in one run.
//!
//! Measures from outside, through the interface, as a client would. Nothing here is part of the service.

mod bare;
mod client;
mod database;
mod figures;
mod filed;
#[cfg(feature = "postgres")]
mod pgbench;
mod run;
mod server;
mod world;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use figures::Report;

/// What to measure, and where.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Smaller loads: to see that it works, not for figures.
    pub(crate) quick: bool,
    /// Where the databases lie; on the disk that is to be measured.
    pub(crate) directory: PathBuf,
    /// An empty database on a server with its usual durability; without it a throw-away server is started.
    pub(crate) postgres_url: Option<String>,
}

/// Bounds of one load; whichever comes first ends it.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    filings: usize,
    time: Duration,
    /// Controllers that one filing for all affects.
    controllers: usize,
}

impl Options {
    fn bounds(&self) -> Bounds {
        if self.quick {
            return Bounds { filings: 2_000, time: Duration::from_secs(2), controllers: 1_000 };
        }
        Bounds { filings: 40_000, time: Duration::from_secs(10), controllers: 10_000 }
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

/// Measures everything, one database after the other; `progress` gets a line for people before each step.
pub(crate) fn run(options: &Options, progress: &dyn Fn(&str)) -> Result<Report, BenchError> {
    // One thread, since the service shares the cores with it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(cannot("start"))?.block_on(run::all(options, progress))
}
