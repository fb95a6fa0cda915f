//! The table of duties, filled and moved without the service: copies of one filing, set-based.

use std::time::Duration;

#[cfg(feature = "postgres")]
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _};

use crate::bench::database::Database;
use crate::bench::filed::{copied_id, lines};
use crate::bench::{BenchError, Bounds};
use crate::clock::Clock;
use crate::store::{AnyConnection, micros};

/// Copies that go in with one statement.
const CHUNK: usize = 1_000;
/// The longest wait for alarms that are late.
const PATIENCE: Duration = Duration::from_mins(5);
/// What a copy has of its own; the rest stands in it as in the pattern.
const WAITING: &str = "FROM duty WHERE next_alarm_at IS NOT NULL";
/// The columns that move with a clock.
const TIMES: [&str; 6] = ["start_at", "alarm_at", "legal_due_at", "internal_target_at", "urgency_at", "next_alarm_at"];

/// The open duties of a database whose only filing is the pattern.
pub(super) struct Duties(AnyConnection);

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl Duties {
    pub(super) fn open(database: &Database) -> Result<Self, BenchError> {
        let mut connection = database.open()?;
        #[cfg(feature = "postgres")]
        if let AnyConnection::Postgres(inner) = &mut connection {
            inner.batch_execute("SET statement_timeout = 0")?;
        }
        Ok(Self(connection))
    }

    fn number(&mut self, sql: &str) -> Result<usize, BenchError> {
        let found: Number = diesel::sql_query(sql).get_result(&mut self.0)?;
        Ok(usize::try_from(found.number).unwrap_or_default())
    }

    /// Copies the filing and those of its duties that have an alarm until `wanted` are there; answers how many are.
    pub(super) fn fill(&mut self, wanted: usize) -> Result<usize, BenchError> {
        let waiting = format!("SELECT count(*) AS number {WAITING}");
        let own = self.number(&waiting)?;
        let incident = lines(&mut self.0, "SELECT id AS line FROM incident".to_owned())?.concat();
        if own == 0 || incident.is_empty() {
            return Err(BenchError::Unusable("a filing without a single alarm".to_owned()));
        }
        let (incidents, duties) = (self.columns("incident")?, self.columns("duty")?);
        let ids = [("id", copied_id("id", "n"))];
        let incidents =
            Copying::new("incident", &incidents, &ids, format!("(SELECT * FROM incident WHERE id = '{incident}')"));
        let ids =
            [("id", copied_id("id", &format!("n * {own} + place"))), ("incident_id", copied_id("incident_id", "n"))];
        let numbered = format!("SELECT *, row_number() OVER (ORDER BY id) - 1 AS place {WAITING}");
        let duties = Copying::new("duty", &duties, &ids, format!("({numbered} AND incident_id = '{incident}')"));
        let copies = wanted / own;
        for first in (0..copies).step_by(CHUNK) {
            for copying in [&incidents, &duties] {
                diesel::sql_query(copying.statement(first, copies.min(first + CHUNK))).execute(&mut self.0)?;
            }
        }
        #[cfg(feature = "postgres")]
        if let AnyConnection::Postgres(inner) = &mut self.0 {
            // The server would do it by itself a little later, in the middle of the measuring.
            inner.batch_execute("VACUUM ANALYZE duty")?;
        }
        self.number(&waiting)
    }

    fn columns(&mut self, table: &str) -> Result<Vec<String>, BenchError> {
        let sql = match self.0 {
            AnyConnection::Sqlite(_) => format!("SELECT name AS line FROM pragma_table_info('{table}')"),
            #[cfg(feature = "postgres")]
            AnyConnection::Postgres(_) => format!(
                "SELECT column_name::text AS line FROM information_schema.columns \
                 WHERE table_name = '{table}' AND table_schema = current_schema()"
            ),
        };
        lines(&mut self.0, sql)
    }

    /// Moves the clocks of some duties among all `open` ones, so that their alarms come one by one, beginning soon.
    pub(super) fn plant(&mut self, open: usize, Bounds { alarms, spread, .. }: Bounds) -> Result<(), BenchError> {
        let stride = (open / alarms).max(1);
        let gap = spread.as_micros() / alarms as u128;
        // Numbering them all takes a while, and no alarm may be late before it is planted.
        let lead = time::Duration::SECOND * 3 + Duration::from_micros(open as u64 * 10);
        let first = Clock::system().now() + lead;
        let moved: Vec<String> = TIMES.iter().map(|column| format!("{column} = {column} + shift")).collect();
        let sql = format!(
            "UPDATE duty SET {} FROM (SELECT id AS chosen, {} + place / {stride} * {gap} - next_alarm_at AS shift FROM \
             (SELECT id, next_alarm_at, row_number() OVER (ORDER BY id) - 1 AS place {WAITING}) AS numbered \
             WHERE place % {stride} = 0 AND place < {stride} * {alarms}) AS planted WHERE id = chosen",
            moved.join(", "),
            micros(first),
        );
        diesel::sql_query(sql).execute(&mut self.0)?;
        if Clock::system().now() < first {
            return Ok(());
        }
        Err(BenchError::Unusable("the alarms were late before they were planted".to_owned()))
    }

    /// Waits until as many alarms have fired; answers how late each was, in milliseconds, sorted.
    pub(super) async fn fired(&mut self, alarms: usize) -> Result<Vec<i64>, BenchError> {
        const ENTRIES: &str = "FROM ledger WHERE kind = 'duty.alarm'";
        let begun = std::time::Instant::now();
        while self.number(&format!("SELECT count(*) AS number {ENTRIES}"))? < alarms {
            if begun.elapsed() > PATIENCE {
                return Err(BenchError::Unusable(format!("after {PATIENCE:?} alarms are still missing")));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let entries = lines(&mut self.0, format!("SELECT facts AS line {ENTRIES}"))?;
        let mut late = entries.iter().map(|facts| late_ms(facts)).collect::<Result<Vec<_>, _>>()?;
        late.sort_unstable();
        Ok(late)
    }
}

fn late_ms(facts: &str) -> Result<i64, BenchError> {
    let facts: serde_json::Value = serde_json::from_str(facts)?;
    facts["late_ms"].as_i64().ok_or_else(|| BenchError::Unusable(format!("an alarm without lateness: {facts}")))
}

/// A statement that inserts copies of rows, each numbered by `n`.
struct Copying {
    table: &'static str,
    columns: String,
    values: String,
    rows: String,
}

impl Copying {
    /// The columns `own` get a value for each copy; the others stand as they are.
    fn new(table: &'static str, columns: &[String], own: &[(&str, String)], rows: String) -> Self {
        let value = |column: &String| {
            let own = own.iter().find(|(name, _)| name == column);
            own.map_or_else(|| format!("\"{column}\""), |(_, value)| value.clone())
        };
        let values = columns.iter().map(value).collect::<Vec<_>>().join(", ");
        let columns = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
        Self { table, columns, values, rows }
    }

    fn statement(&self, first: usize, end: usize) -> String {
        let Self { table, columns, values, rows } = self;
        format!(
            "INSERT INTO {table} ({columns}) WITH RECURSIVE series(n) AS \
             (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {end}) \
             SELECT {values} FROM {rows} AS pattern CROSS JOIN series"
        )
    }
}
