//! Logs and metrics: how lines are written, which measures exist, and the only functions that touch them.
//! No body, no secret and no id of a person ever becomes a log line here or a label of a metric.

mod measures;

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{LogFormat, Telemetry};
pub use measures::*;

/// Starts logging to the standard error stream; fails when a subscriber is already set.
pub fn init_logging(settings: &Telemetry) -> Result<(), TryInitError> {
    let human = match settings.log_format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if human {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    let filter = settings.log.clone().and(filter_fn(holds_no_content));
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()
}

/// Refuses the debug output of other crates, whatever the settings say: it can hold bytes in flight.
fn holds_no_content(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= LevelFilter::INFO || is_own(metadata.target())
}

fn is_own(target: &str) -> bool {
    target == "art33" || target.starts_with("art33::")
}

/// Why metrics cannot be kept.
#[derive(Clone, Debug, thiserror::Error)]
#[error("metrics cannot be kept: {0}")]
pub struct MetricsError(String);

impl From<BuildError> for MetricsError {
    fn from(error: BuildError) -> Self {
        Self(error.to_string())
    }
}

/// The metrics of this process, ready to be shown.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder; a second call answers the same one, since a process has one set of metrics.
    pub fn install() -> Result<Self, MetricsError> {
        static INSTALLED: OnceLock<Result<Metrics, MetricsError>> = OnceLock::new();
        INSTALLED.get_or_init(|| Ok(Self(recorder()?.install_recorder().inspect(|_| describe())?))).clone()
    }

    /// All metrics in Prometheus text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// The names of all measures there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MEASURES.iter().map(|(_, name, _)| *name)
    }

    /// Folds fresh samples into the histograms; call it every few seconds, or memory grows between scrapes.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

fn recorder() -> Result<PrometheusBuilder, BuildError> {
    let requests = Matcher::Full(HTTP_REQUEST_DURATION.to_owned());
    let lateness = Matcher::Full(LATENESS.to_owned());
    let batches = Matcher::Full(STORE_BATCH_SIZE.to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(requests, &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0])?
        .set_buckets_for_metric(lateness, &[0.1, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0])?
        .set_buckets_for_metric(batches, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_installation_answers_the_same_metrics() {
        Metrics::install().unwrap();
        Metrics::install().unwrap().upkeep();
    }

    /// A recorder of its own: other tests of this process write rows too, and those are counted in the global one.
    #[test]
    fn every_measure_is_described_and_rendered() {
        let own = recorder().unwrap().build_recorder();
        metrics::with_local_recorder(&own, || {
            describe();
            http_request("GET", Some("/v1/incidents/{id}"), 404, Duration::from_millis(3));
            http_request("BREW", None, 405, Duration::from_millis(3));
            incident_filed("initial");
            delivery_attempted("accepted", "email");
            late_by(Timed::Delivery, time::Duration::seconds(2));
            late_by(Timed::Step, -time::Duration::SECOND);
            oldest_overdue(Timed::Alarm, time::Duration::seconds(9));
            endpoints("webhook", "degraded", 3);
            audited(2, time::OffsetDateTime::UNIX_EPOCH + time::Duration::DAY);
            heartbeat(Beat::Withheld);
            network_outage(true);
            clock_stepped(ClockSource::Database);
            duties_in_state("running", 4);
            queue_depth("retry", 7);
            store_batch(16);
            ledger_entries_added(5);
            release_overdue();
            step_fired("last_call", "nobody");
        });
        let text = own.handle().render();
        for line in [
            r#"art33_http_requests_total{method="GET",route="/v1/incidents/{id}",status="4xx"} 1"#,
            r#"art33_http_requests_total{method="other",route="unmatched",status="4xx"} 1"#,
            r#"art33_http_request_duration_seconds_bucket{method="GET",route="/v1/incidents/{id}",le="0.005"} 1"#,
            r#"art33_filings_total{stage="initial"} 1"#,
            r#"art33_delivery_attempts_total{class="accepted",channel="email"} 1"#,
            r#"art33_lateness_seconds_bucket{kind="delivery",le="2.5"} 1"#,
            r#"art33_lateness_seconds_bucket{kind="step",le="0.1"} 1"#,
            "art33_releases_overdue_total 1",
            r#"art33_ladder_steps_total{action="last_call",outcome="nobody"} 1"#,
            r#"art33_ladder_steps_total{action="next_channel",outcome="withheld"} 0"#,
            r#"art33_oldest_overdue_seconds{kind="alarm"} 9"#,
            r#"art33_endpoints{channel="webhook",health="degraded"} 3"#,
            "art33_audit_findings 2",
            "art33_audit_timestamp_seconds 86400",
            r#"art33_heartbeats_total{result="withheld"} 1"#,
            r#"art33_heartbeats_total{result="sent"} 0"#,
            "art33_network_outage 1",
            r#"art33_clock_steps_total{clock="database"} 1"#,
            r#"art33_clock_steps_total{clock="machine"} 0"#,
            r#"art33_duties{state="running"} 4"#,
            r#"art33_queue_depth{lane="retry"} 7"#,
            r#"art33_store_write_batch_size_bucket{le="16"} 1"#,
            "art33_ledger_entries_total 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} not in\n{text}");
        }
        for (_, name, _) in MEASURES {
            assert!(text.contains(&format!("# HELP {name} ")), "{name} is not described");
        }
    }

    #[test]
    fn only_our_own_targets_may_speak_below_info() {
        assert!(is_own("art33") && is_own("art33::worker::delivery"));
        assert!(!is_own("art33_other") && !is_own("hyper::proto") && !is_own(""));
    }
}
