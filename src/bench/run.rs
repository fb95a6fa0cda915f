//! The order in which things are measured: one database after the other, one part after the other.

use std::path::Path;

use super::database::{Database, Kind};
use super::figures::Measured;
use super::{BenchError, Options, Part, Report, cannot, deliveries, filings, timers};

pub(super) async fn all(options: &Options, progress: &dyn Fn(&str)) -> Result<Report, BenchError> {
    let place = Place::make(&options.directory)?;
    let mut notes = Vec::new();
    if options.wants(Part::Filings) {
        notes.push("Filings: delivery works, but has no endpoints to deliver to; no limit on requests.".to_owned());
        notes.push("Every answered filing was found in the database after the service was killed.".to_owned());
    }
    let mut databases = Vec::new();
    for kind in Kind::all(options, &mut notes)? {
        databases.push(measure(&kind, &place.0, options, progress).await?);
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Report { cores, databases, notes })
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

/// Each part has a database of its own, so that none is measured beside the rows of another.
async fn measure(
    kind: &Kind,
    place: &Path,
    options: &Options,
    progress: &dyn Fn(&str),
) -> Result<Measured, BenchError> {
    let mut measured = Measured { database: kind.name(), filings: None, deliveries: None, timers: None };
    let bounds = options.bounds();
    if options.wants(Part::Filings) {
        let database = Database::make(kind, place, "filings")?;
        measured.filings = Some(filings::measure(&database, place, bounds, progress).await?);
    }
    if options.wants(Part::Deliveries) {
        let database = Database::make(kind, place, "deliveries")?;
        measured.deliveries = Some(deliveries::measure(&database, place, options, progress).await?);
    }
    if options.wants(Part::Timers) {
        let database = Database::make(kind, place, "timers")?;
        measured.timers = Some(timers::measure(&database, place, bounds, progress).await?);
    }
    Ok(measured)
}
