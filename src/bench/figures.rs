//! The figures, as a table for people and as JSON. Measures nothing.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::client::Load;

/// How many filings in one second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) per_second: f64,
}

/// Megabytes of resident memory.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Memory {
    pub(super) now: f64,
    pub(super) peak: f64,
}

/// Filings of one controller each, beside the same rows written bare.
#[derive(Debug, Serialize)]
pub(super) struct Filings {
    pub(super) count: usize,
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) baseline: &'static str,
    pub(super) baseline_per_second: f64,
    /// Of the service to the baseline.
    pub(super) ratio: f64,
}

/// Filings that affect every controller, one after the other.
#[derive(Debug, Serialize)]
pub(super) struct FanOut {
    pub(super) controllers: usize,
    pub(super) median_ms: f64,
    pub(super) slowest_ms: f64,
}

/// All that was measured on one database.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) database: &'static str,
    pub(super) filings: Filings,
    pub(super) fan_out: FanOut,
    pub(super) report_median_ms: f64,
    pub(super) idle_mb: f64,
    pub(super) peak_mb: f64,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(super) cores: usize,
    pub(super) clients: usize,
    pub(super) databases: Vec<Measured>,
    pub(super) notes: Vec<String>,
}

impl Pace {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(super) fn of(count: usize, elapsed: Duration) -> Self {
        Self { per_second: count as f64 / elapsed.as_secs_f64() }
    }
}

impl Load {
    pub(super) fn pace(&self) -> Pace {
        Pace::of(self.latencies.len(), self.elapsed)
    }

    /// The latency that `percent` of the answers did not exceed, in milliseconds.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let place = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies.get(place).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

impl Filings {
    pub(super) fn new(load: &Load, baseline: &'static str, bare: Pace) -> Self {
        Self {
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

impl Report {
    /// All figures as one JSON object.
    pub(crate) fn json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// The table, in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table = "| what | measured | wanted |\n|---|---|---|\n".to_owned();
        for measured in &self.databases {
            self.rows(measured, &mut table);
        }
        let _ = write!(table, "\n{} cores, shared with the load.", self.cores);
        self.notes.iter().for_each(|note| {
            let _ = write!(table, " {note}");
        });
        table + "\n"
    }

    fn rows(&self, measured: &Measured, table: &mut String) {
        let Measured { database, filings, fan_out, report_median_ms, idle_mb, peak_mb } = measured;
        let mut row = |what: String, measured: String, wanted: &str| {
            let _ = writeln!(table, "| {database}: {what} | {measured} | {wanted} |");
        };
        let Filings { per_second, p50_ms, p99_ms, baseline, baseline_per_second, ratio, .. } = filings;
        let pace = if *database == "SQLite" { "3,000/s, p99 ≤ 50 ms" } else { "" };
        row(
            format!("durable filings, one controller each, {} clients", self.clients),
            format!("{per_second:.0}/s, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms"),
            pace,
        );
        row(
            format!("the same against {baseline}"),
            format!("{:.0} % of {baseline_per_second:.0}/s", ratio * 100.0),
            "≥ 40 %",
        );
        row(
            format!("one filing for {} controllers, until answered", fan_out.controllers),
            format!("median {:.0} ms, slowest {:.0} ms", fan_out.median_ms, fan_out.slowest_ms),
            "≤ 1 s",
        );
        row("report as PDF, warm, over HTTP".to_owned(), format!("median {report_median_ms:.0} ms"), "≤ 50 ms");
        row("memory, idle".to_owned(), format!("{idle_mb:.0} MB"), "≤ 60 MB");
        row("memory, peak of all this".to_owned(), format!("{peak_mb:.0} MB"), "≤ 150 MB");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Load;

    #[test]
    fn percentiles_are_latencies_that_occurred() {
        let latencies = (1..=200).map(Duration::from_millis).collect();
        let load = Load { elapsed: Duration::from_secs(2), latencies };
        assert!((load.percentile_ms(50) - 100.0).abs() < 1e-9);
        assert!((load.percentile_ms(99) - 198.0).abs() < 1e-9);
        assert!((load.percentile_ms(100) - 200.0).abs() < 1e-9);
        assert!((load.pace().per_second - 100.0).abs() < 1e-9);
    }
}
