//! The first part: filings and reports, and the same rows written without the service.

use std::path::Path;
use std::time::Duration;

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _};
use serde::Serialize;

use super::client::Load;
use super::database::Database;
use super::figures::{Pace, Table};
use super::filed::Filed;
use super::server::{Server, Settings};
use super::world::{CLIENTS, World};
use super::{BenchError, Bounds};
use crate::store::AnyConnection;

/// The filing whose rows the baselines write again; the digits make room for numbers of copies.
const PATTERN_KEY: &str = "pattern-00000000";
/// How often a filing for all is repeated.
const REPEATED: usize = 5;

/// Filings of one controller each, beside the same rows written bare.
#[derive(Debug, Serialize)]
struct Singles {
    clients: usize,
    count: usize,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    baseline: &'static str,
    baseline_per_second: f64,
    /// Of the service to the baseline.
    ratio: f64,
}

/// Filings that affect every controller, one after the other.
#[derive(Debug, Serialize)]
struct FanOut {
    controllers: usize,
    median_ms: f64,
    slowest_ms: f64,
}

/// All that this part measures.
#[derive(Debug, Serialize)]
pub(super) struct Filings {
    #[serde(rename = "filings")]
    singles: Singles,
    fan_out: FanOut,
    report_median_ms: f64,
    idle_mb: f64,
    peak_mb: f64,
}

/// Measures filings of one controller each, filings for all, reports, and memory.
pub(super) async fn measure(
    database: &Database,
    place: &Path,
    bounds: Bounds,
    progress: &dyn Fn(&str),
) -> Result<Filings, BenchError> {
    let name = database.name();
    let server = Server::start(place, database.url(), &Settings::new())?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = server.memory()?;
    progress(&format!("{name}: making {} controllers with their agreements", bounds.controllers));
    let world = World::make(&server, "filings", bounds.controllers).await?;
    database.keep_copy()?;
    progress(&format!("{name}: filing incidents of one controller each"));
    world.file_singles("warm", Bounds { filings: bounds.filings / 20, ..bounds }).await?;
    let load = world.file_singles("single", bounds).await?;
    let pattern = world.file_single(PATTERN_KEY).await?;
    progress(&format!("{name}: filing for all controllers, laying out reports"));
    let fan_out = world.file_for_all(REPEATED).await?;
    world.reports(&pattern, 1).await?;
    let reports = world.reports(&pattern, bounds.reports).await?;
    let peak = server.memory()?;
    drop(server);

    let mut connection = database.open()?;
    let filed = bounds.filings / 20 + load.latencies.len() + 1 + REPEATED;
    check_all_there(&mut connection, filed, bounds)?;
    let pattern = Filed::read(&mut connection, &pattern, PATTERN_KEY)?;
    drop(connection);
    progress(&format!("{name}: the same rows without the service, by {}", database.baseline()));
    let bare = database.write_bare(place, &pattern, bounds)?;
    Ok(Filings {
        singles: Singles::new(&load, database.baseline(), bare),
        fan_out: FanOut {
            controllers: bounds.controllers,
            median_ms: fan_out.percentile_ms(50),
            slowest_ms: fan_out.percentile_ms(100),
        },
        report_median_ms: reports.percentile_ms(50),
        idle_mb: idle.now,
        peak_mb: peak.peak,
    })
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Fails unless the database holds at least as many incidents as were answered.
fn check_all_there(connection: &mut AnyConnection, filed: usize, bounds: Bounds) -> Result<(), BenchError> {
    let count: Count = diesel::sql_query("SELECT count(*) AS count FROM incident").get_result(connection)?;
    if usize::try_from(count.count).is_ok_and(|there| there >= filed) {
        return Ok(());
    }
    let (there, bounds) = (count.count, bounds.time);
    Err(BenchError::Unusable(format!("{filed} filings were answered within {bounds:?}, {there} are in the database")))
}

impl Singles {
    fn new(load: &Load, baseline: &'static str, bare: Pace) -> Self {
        Self {
            clients: CLIENTS,
            count: load.latencies.len(),
            per_second: load.pace().per_second,
            p50_ms: load.percentile_ms(50),
            p99_ms: load.percentile_ms(99),
            baseline,
            baseline_per_second: bare.per_second,
            ratio: load.pace().per_second / bare.per_second,
        }
    }
}

impl Filings {
    /// Says it in rows.
    pub(super) fn rows(&self, table: &mut Table<'_>) {
        let Singles { clients, per_second, p50_ms, p99_ms, baseline, baseline_per_second, ratio, .. } = self.singles;
        table.row(
            format!("durable filings, one controller each, {clients} clients"),
            format!("{per_second:.0}/s, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms"),
            if table.database == "SQLite" { "3,000/s, p99 ≤ 50 ms" } else { "" },
        );
        table.row(
            format!("the same against {baseline}"),
            format!("{:.0} % of {baseline_per_second:.0}/s", ratio * 100.0),
            "≥ 40 %",
        );
        table.row(
            format!("one filing for {} controllers, until answered", self.fan_out.controllers),
            format!("median {:.0} ms, slowest {:.0} ms", self.fan_out.median_ms, self.fan_out.slowest_ms),
            "≤ 1 s",
        );
        table.row("report as PDF, warm, over HTTP", format!("median {:.0} ms", self.report_median_ms), "≤ 50 ms");
        table.row("memory, idle", format!("{:.0} MB", self.idle_mb), "≤ 60 MB");
        table.row("memory, peak of all this", format!("{:.0} MB", self.peak_mb), "≤ 150 MB");
    }
}
