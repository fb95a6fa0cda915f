//! The outbox of the service, looked at and moved from outside, in its database.

use std::time::{Duration, Instant};

use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl as _};

use super::PATIENCE;
use crate::bench::BenchError;
use crate::bench::database::Database;
use crate::bench::sink::hangs;
use crate::domain::endpoint::DEGRADED_AFTER;
use crate::store::AnyConnection;

/// How often it is looked at while something is awaited.
const LOOK: Duration = Duration::from_millis(20);

/// A connection of our own to the database of the service.
pub(super) struct Outbox(AnyConnection);

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Endpoint {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    url: String,
}

impl Outbox {
    pub(super) fn open(database: &Database) -> Result<Self, BenchError> {
        Ok(Self(database.open()?))
    }

    fn number(&mut self, sql: &str) -> Result<usize, BenchError> {
        let found: Number = diesel::sql_query(sql).get_result(&mut self.0)?;
        Ok(usize::try_from(found.number).unwrap_or_default())
    }

    /// How many attempts have begun and not ended.
    pub(super) fn in_flight(&mut self) -> Result<usize, BenchError> {
        self.number("SELECT count(*) AS number FROM attempt WHERE ended_at IS NULL")
    }

    /// Waits until nothing is owed to any endpoint.
    pub(super) async fn wait_until_empty(&mut self) -> Result<(), BenchError> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.number("SELECT count(*) AS number FROM delivery WHERE state = 'open'")? == 0 {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(BenchError::Unusable(format!("after {PATIENCE:?} deliveries are still open")))
    }

    /// Makes everything that is owed due at once.
    pub(super) fn bring_forward(&mut self) -> Result<(), BenchError> {
        diesel::sql_query("UPDATE delivery SET next_at = 0 WHERE state = 'open'").execute(&mut self.0)?;
        Ok(())
    }

    /// Makes the endpoints that are going to hang look as if they had failed before.
    pub(super) fn mark_failing(&mut self, hanging_percent: usize) -> Result<(), BenchError> {
        let endpoints: Vec<Endpoint> =
            diesel::sql_query("SELECT id, address AS url FROM endpoint").load(&mut self.0)?;
        let is_failing = |endpoint: &&Endpoint| {
            let number = endpoint.url.rsplit('/').next().and_then(|number| number.parse().ok());
            number.is_some_and(|number| hangs(number, hanging_percent))
        };
        let ids: Vec<String> = endpoints.iter().filter(is_failing).map(|found| format!("'{}'", found.id)).collect();
        for ids in ids.chunks(1000) {
            let sql = format!(
                "UPDATE endpoint SET failures = {DEGRADED_AFTER}, health = 'degraded' WHERE id IN ({})",
                ids.join(", ")
            );
            diesel::sql_query(sql).execute(&mut self.0)?;
        }
        Ok(())
    }
}
