//! The order in which things are measured.

use std::path::Path;
use std::time::Duration;

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _};

use super::database::Database;
use super::figures::{FanOut, Filings, Measured};
use super::filed::Filed;
use super::server::Server;
use super::world::{CLIENTS, World};
use super::{BenchError, Bounds, Options, Report, cannot};
use crate::clock::Clock;
use crate::store::AnyConnection;

/// The filing whose rows the baselines write again; the digits make room for numbers of copies.
const PATTERN_KEY: &str = "pattern-00000000";
/// How often a filing for all and a report are repeated.
const REPEATED: usize = 5;

pub(super) async fn all(options: &Options, progress: &dyn Fn(&str)) -> Result<Report, BenchError> {
    let place = Place::make(&options.directory)?;
    let mut databases = Vec::new();
    let mut notes = vec![
        "Delivery works, but has no endpoints to deliver to; no limit on requests.".to_owned(),
        "Every answered filing was found in the database after the service was killed.".to_owned(),
    ];
    for database in Database::all(options, &place.0, &mut notes)? {
        databases.push(measure(&database, &place.0, options.bounds(), progress).await?);
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Report { cores, clients: CLIENTS, databases, notes })
}

/// A directory of our own; removed when dropped.
struct Place(std::path::PathBuf);

impl Place {
    fn make(parent: &Path) -> Result<Self, BenchError> {
        let path = parent.join(format!("art33-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(cannot("make a directory"))?;
        path.canonicalize().map(Self).map_err(cannot("find the directory"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

async fn measure(
    database: &Database,
    place: &Path,
    bounds: Bounds,
    progress: &dyn Fn(&str),
) -> Result<Measured, BenchError> {
    let name = database.name();
    let server = Server::start(place, database.url())?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = server.memory()?;
    progress(&format!("{name}: making {} controllers with their agreements", bounds.controllers));
    let world = World::make(&server, bounds.controllers, Clock::system().now()).await?;
    database.keep_copy()?;
    progress(&format!("{name}: filing incidents of one controller each"));
    world.file_singles("warm", Bounds { filings: bounds.filings / 20, ..bounds }).await?;
    let load = world.file_singles("single", bounds).await?;
    let pattern = world.file_single(PATTERN_KEY).await?;
    progress(&format!("{name}: filing for all controllers, laying out reports"));
    let fan_out = world.file_for_all(REPEATED).await?;
    world.reports(&pattern, 1).await?;
    let reports = world.reports(&pattern, REPEATED * 4).await?;
    let peak = server.memory()?;
    drop(server);

    let mut connection = database.open()?;
    let filed = bounds.filings / 20 + load.latencies.len() + 1 + REPEATED;
    check_all_there(&mut connection, filed, bounds)?;
    let pattern = Filed::read(&mut connection, &pattern, PATTERN_KEY)?;
    drop(connection);
    progress(&format!("{name}: the same rows without the service, by {}", database.baseline()));
    let bare = database.write_bare(place, &pattern, bounds)?;
    Ok(Measured {
        database: name,
        filings: Filings::new(&load, database.baseline(), bare),
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
