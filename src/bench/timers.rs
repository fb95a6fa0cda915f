//! The third part: alarms among very many open duties, and what waiting for them costs.

mod duties;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::database::Database;
use super::figures::{Table, percentile};
use super::server::{Server, Settings};
use super::world::World;
use super::{BenchError, Bounds};
use duties::Duties;

/// Controllers of the filing whose duties are copied.
const CONTROLLERS: usize = 20;
/// How long the service may settle after its start.
const SETTLING: Duration = Duration::from_secs(2);

/// All that this part measures.
#[derive(Debug, Serialize)]
pub(super) struct Timers {
    open_duties: usize,
    alarms: usize,
    within_seconds: u64,
    p50_ms: i64,
    p99_ms: i64,
    slowest_ms: i64,
    /// Share of one core while nothing is due.
    idle_percent: f64,
    peak_mb: f64,
}

/// Fills the table of duties, watches the service while nothing is due, then lets alarms come.
pub(super) async fn measure(
    database: &Database,
    place: &Path,
    bounds: Bounds,
    progress: &dyn Fn(&str),
) -> Result<Timers, BenchError> {
    let say = |line: String| progress(&format!("{}: {line}", database.name()));
    let server = Server::start(place, database.url(), &Settings::new())?;
    World::make(&server, "timers", CONTROLLERS).await?.file_all("pattern").await?;
    drop(server);
    say(format!("copying its duties until {} are open", bounds.duties));
    let mut duties = Duties::open(database)?;
    let open_duties = duties.fill(bounds.duties)?;
    let server = Server::start(place, database.url(), &Settings::new())?;
    tokio::time::sleep(SETTLING).await;
    say(format!("watching the service for {:?} while nothing is due", bounds.idle));
    let used = server.processor_seconds()?;
    tokio::time::sleep(bounds.idle).await;
    let idle_percent = (server.processor_seconds()? - used) / bounds.idle.as_secs_f64() * 100.0;
    say(format!("letting {} alarms come within {:?}", bounds.alarms, bounds.spread));
    duties.plant(open_duties, bounds)?;
    let late = duties.fired(bounds.alarms).await?;
    Ok(Timers {
        open_duties,
        alarms: late.len(),
        within_seconds: bounds.spread.as_secs(),
        p50_ms: percentile(&late, 50),
        p99_ms: percentile(&late, 99),
        slowest_ms: percentile(&late, 100),
        idle_percent,
        peak_mb: server.memory()?.peak,
    })
}

impl Timers {
    /// Says it in rows.
    pub(super) fn rows(&self, table: &mut Table<'_>) {
        let Self { open_duties, alarms, within_seconds, p50_ms, p99_ms, slowest_ms, idle_percent, peak_mb } = self;
        table.row(
            format!("lateness of {alarms} alarms within {within_seconds} s among {open_duties} open duties"),
            format!("p50 {p50_ms} ms, p99 {p99_ms} ms, slowest {slowest_ms} ms"),
            "p99 < 2,000 ms",
        );
        table.row(
            "processor while nothing is due, with these duties",
            format!("{idle_percent:.1} % of a core"),
            "< 1 %",
        );
        table.row("memory, peak of the alarms", format!("{peak_mb:.0} MB"), "≤ 150 MB");
    }
}
