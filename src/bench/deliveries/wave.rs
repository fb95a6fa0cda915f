//! One filing for every controller, and when its notice is at each endpoint that answers.

use serde::Serialize;
use time::OffsetDateTime;

use super::{PATIENCE, Stage};
use crate::bench::BenchError;
use crate::bench::figures::percentile;
use crate::bench::server::Server;
use crate::bench::sink::hangs;
use crate::bench::world::World;
use crate::clock::Clock;
use crate::store::micros;

/// How long the first attempts took, counted from the commit of the filing.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Wave {
    pub(super) hanging_percent: usize,
    pub(super) endpoints: usize,
    /// From the request to the answer of the filing.
    pub(super) filed_ms: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Until all healthy endpoints have it.
    pub(super) last_ms: f64,
    /// From the first arrival until all are recorded; where some hang, until the last healthy one has arrived.
    pub(super) per_second: f64,
    /// Seconds of processors for 1,000 deliveries, from the answer to the filing until the same moment.
    pub(super) processor_seconds: f64,
}

/// The moments of a filing.
struct Moments {
    sent: OffsetDateTime,
    answered: OffsetDateTime,
    /// When all that arrived was recorded, if that was waited for.
    recorded: Option<OffsetDateTime>,
}

impl Stage<'_> {
    /// Files for every controller and waits until all endpoints that answer have their notice.
    pub(super) async fn wave(
        &mut self,
        server: &Server,
        world: &World,
        hanging_percent: usize,
        round: usize,
    ) -> Result<Wave, BenchError> {
        let clock = Clock::system();
        let hanging = (0..world.size()).filter(|number| hangs(*number, hanging_percent)).count();
        let healthy = world.size() - hanging - usize::from(hanging > 0);
        self.sink.begin(hanging_percent)?;
        let sent = clock.now();
        let answered = world.file_all(&format!("wave-{hanging_percent}-{round}")).await?;
        let used = server.processor_seconds()?;
        self.sink.wait(PATIENCE, |count| count.healthy >= healthy).await?;
        let mut recorded = None;
        if hanging == 0 {
            self.outbox.wait_until_empty().await?;
            recorded = Some(clock.now());
        }
        let used = server.processor_seconds()? - used;
        let arrivals = self.sink.arrivals()?;
        Ok(Wave::new((hanging_percent, world.size()), &arrivals, &Moments { sent, answered, recorded }, used))
    }
}

impl Wave {
    #[expect(clippy::cast_precision_loss, reason = "counts and times of a day, far below 2^52")]
    fn new(
        (hanging_percent, endpoints): (usize, usize),
        arrivals: &[i64],
        moments: &Moments,
        processor_seconds: f64,
    ) -> Self {
        let (first, last) = (percentile(arrivals, 0), percentile(arrivals, 100));
        // The service does not wait with the first ones until we have read its answer: whichever comes first is behind the commit.
        let committed = micros(moments.answered).min(first);
        let after = |percent: usize| (percentile(arrivals, percent) - committed) as f64 / 1000.0;
        let took = moments.recorded.map_or(last, micros) - first;
        Self {
            hanging_percent,
            endpoints,
            filed_ms: (moments.answered - moments.sent).as_seconds_f64() * 1000.0,
            p50_ms: after(50),
            p99_ms: after(99),
            last_ms: after(100),
            per_second: arrivals.len() as f64 / (took.max(1) as f64 / 1e6),
            processor_seconds: processor_seconds / arrivals.len().max(1) as f64 * 1000.0,
        }
    }

    /// The median of each figure of several waves alike.
    pub(super) fn median(waves: &[Self]) -> Option<Self> {
        let one = waves.first()?.clone();
        let of = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = waves.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            percentile(&figures, 50)
        };
        Some(Self {
            filed_ms: of(|wave| wave.filed_ms),
            p50_ms: of(|wave| wave.p50_ms),
            p99_ms: of(|wave| wave.p99_ms),
            last_ms: of(|wave| wave.last_ms),
            per_second: of(|wave| wave.per_second),
            processor_seconds: of(|wave| wave.processor_seconds),
            ..one
        })
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, OffsetDateTime};

    use super::{Moments, Wave};

    fn wave(arrivals: &[i64], recorded: Option<i64>) -> Wave {
        let at = |seconds| OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds);
        let moments = Moments { sent: at(0), answered: at(1), recorded: recorded.map(at) };
        Wave::new((10, 110), arrivals, &moments, 0.5)
    }

    #[test]
    fn times_count_from_the_commit_and_the_pace_from_the_first_arrival() {
        let arrivals: Vec<i64> = (0..100).map(|number| 2_000_000 + number * 10_000).collect();
        let late = wave(&arrivals, None);
        assert!((late.p50_ms - 1490.0).abs() < 1e-9);
        assert!((late.last_ms - 1990.0).abs() < 1e-9);
        assert!((late.per_second - 100.0 / 0.99).abs() < 1e-6);
        assert!((late.processor_seconds - 5.0).abs() < 1e-9);
        assert!((wave(&arrivals, Some(4)).per_second - 50.0).abs() < 1e-9, "until all are recorded");
        let early: Vec<i64> = arrivals.iter().map(|at| at - 1_500_000).collect();
        assert!((wave(&early, None).last_ms - 990.0).abs() < 1e-9, "some arrived before the answer");
    }

    #[test]
    fn of_several_rounds_each_figure_is_a_median() {
        let waves = [1_100_000, 1_900_000, 1_300_000].map(|at| wave(&[at], None));
        let median = Wave::median(&waves).map(|median| median.last_ms);
        assert!(median.is_some_and(|last| (last - 300.0).abs() < 1e-9), "{median:?}");
    }
}
