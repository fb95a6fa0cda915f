//! The figures of all parts, as a table for people and as JSON. Measures nothing.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::client::Load;
use super::deliveries::Deliveries;
use super::filings::Filings;
use super::timers::Timers;

/// How many of something in one second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) per_second: f64,
}

/// All that was measured on one database; what was not asked for is left out.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) database: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) filings: Option<Filings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deliveries: Option<Deliveries>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timers: Option<Timers>,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(super) cores: usize,
    pub(super) databases: Vec<Measured>,
    pub(super) notes: Vec<String>,
}

/// The rows of one database.
pub(super) struct Table<'t> {
    pub(super) database: &'static str,
    text: &'t mut String,
}

impl Table<'_> {
    pub(super) fn row(&mut self, what: impl std::fmt::Display, measured: impl std::fmt::Display, wanted: &str) {
        let _ = writeln!(self.text, "| {}: {what} | {measured} | {wanted} |", self.database);
    }
}

impl Pace {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(super) fn of(count: usize, elapsed: Duration) -> Self {
        Self { per_second: count as f64 / elapsed.as_secs_f64() }
    }
}

/// The value that `percent` of `sorted` do not exceed; of nothing it is nothing.
pub(super) fn percentile<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

impl Load {
    pub(super) fn pace(&self) -> Pace {
        Pace::of(self.latencies.len(), self.elapsed)
    }

    /// The latency that `percent` of the answers did not exceed, in milliseconds.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        percentile(&self.latencies, percent).as_secs_f64() * 1000.0
    }
}

impl Report {
    /// All figures as one JSON object.
    pub(crate) fn json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// The table, in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = "| what | measured | wanted |\n|---|---|---|\n".to_owned();
        for measured in &self.databases {
            let mut table = Table { database: measured.database, text: &mut text };
            measured.filings.iter().for_each(|filings| filings.rows(&mut table));
            measured.deliveries.iter().for_each(|deliveries| deliveries.rows(&mut table));
            measured.timers.iter().for_each(|timers| timers.rows(&mut table));
        }
        let _ = write!(text, "\n{} cores, shared with the load.", self.cores);
        self.notes.iter().for_each(|note| {
            let _ = write!(text, " {note}");
        });
        text + "\n"
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Load, percentile};

    #[test]
    fn percentiles_are_latencies_that_occurred() {
        let latencies = (1..=200).map(Duration::from_millis).collect();
        let load = Load { elapsed: Duration::from_secs(2), latencies };
        assert!((load.percentile_ms(50) - 100.0).abs() < 1e-9);
        assert!((load.percentile_ms(99) - 198.0).abs() < 1e-9);
        assert!((load.percentile_ms(100) - 200.0).abs() < 1e-9);
        assert!((load.pace().per_second - 100.0).abs() < 1e-9);
        assert_eq!(percentile::<i64>(&[], 99), 0);
    }
}
