//! One filing for every controller, and when its notice is at each endpoint that answers.

use serde::Serialize;
use time::OffsetDateTime;

use super::{PATIENCE, Stage};
use crate::bench::BenchError;
use crate::bench::figures::percentile;
use crate::bench::server::Server;
use crate::bench::sink::hangs;
use crate::bench::world::World;
use crate::store::micros;

/// How long the first attempts took, counted from the answer to the filing.
#[derive(Debug, Serialize)]
pub(super) struct Wave {
    pub(super) hanging_percent: usize,
    pub(super) endpoints: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Until all healthy endpoints have it.
    pub(super) last_ms: f64,
    /// From the first to the last arrival.
    pub(super) per_second: f64,
    /// Seconds of processors for 1,000 deliveries, until all are recorded; hanging ones count for nothing.
    pub(super) processor_seconds: f64,
}

impl Stage<'_> {
    /// Files for every controller and waits until all endpoints that answer have their notice.
    pub(super) async fn wave(
        &mut self,
        server: &Server,
        world: &World,
        hanging_percent: usize,
    ) -> Result<Wave, BenchError> {
        let hanging = (0..world.size()).filter(|number| hangs(*number, hanging_percent)).count();
        let healthy = world.size() - hanging - usize::from(hanging > 0);
        self.sink.begin(hanging_percent)?;
        let answered = world.file_all(&format!("wave-{hanging_percent}")).await?;
        let used = server.processor_seconds()?;
        self.sink.wait(PATIENCE, |count| count.healthy >= healthy).await?;
        if hanging == 0 {
            self.outbox.wait_until_empty().await?;
        }
        let used = server.processor_seconds()? - used;
        let arrivals = self.sink.arrivals()?;
        Ok(Wave::new(hanging_percent, world.size(), &arrivals, answered, used))
    }
}

impl Wave {
    #[expect(clippy::cast_precision_loss, reason = "counts and times of a day, far below 2^52")]
    fn new(
        hanging_percent: usize,
        endpoints: usize,
        arrivals: &[i64],
        answered: OffsetDateTime,
        processor_seconds: f64,
    ) -> Self {
        // The service does not wait with the first ones until we have read its answer.
        let after = |percent: usize| (percentile(arrivals, percent) - micros(answered)).max(0) as f64 / 1000.0;
        let took = percentile(arrivals, 100) - percentile(arrivals, 0);
        Self {
            hanging_percent,
            endpoints,
            p50_ms: after(50),
            p99_ms: after(99),
            last_ms: after(100),
            per_second: arrivals.len() as f64 / (took.max(1) as f64 / 1e6),
            processor_seconds: processor_seconds / arrivals.len().max(1) as f64 * 1000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::Wave;

    #[test]
    fn times_count_from_the_answer_and_the_pace_from_the_first_arrival() {
        let arrivals: Vec<i64> = (0..100).map(|number| 2_000_000 + number * 10_000).collect();
        let answered = OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(1);
        let wave = Wave::new(10, 110, &arrivals, answered, 0.5);
        assert!((wave.p50_ms - 1490.0).abs() < 1e-9);
        assert!((wave.last_ms - 1990.0).abs() < 1e-9);
        assert!((wave.per_second - 100.0 / 0.99).abs() < 1e-6);
        assert!((wave.processor_seconds - 5.0).abs() < 1e-9);
    }
}
