//! The one clock of the service, handed in wherever a time is needed.
//!
//! The only file that may ask the machine what time it is. Knows nothing of what the time is used for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use time::{Duration, OffsetDateTime};

/// A shared clock: UTC, microsecond precision, never running backwards.
///
/// Clones share their state, so an offset set or a step made through one is seen by all.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    /// How far the leading clock (the database's) is ahead of this machine's.
    offset: AtomicI64,
    /// How far the clock was moved by hand.
    advanced: AtomicI64,
    /// The latest time ever told: a machine clock that is set back stands still here until it has caught up.
    latest: AtomicI64,
}

#[derive(Debug)]
enum Source {
    System,
    Manual { start: i64 },
    Accelerated { start: i64, since: Instant, factor: u32 },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::of(Source::System)
    }

    /// A clock that stands at `start` until it is moved with [`Clock::advance`].
    pub fn manual(start: OffsetDateTime) -> Self {
        Self::of(Source::Manual { start: microseconds(start) })
    }

    /// A clock that starts at the machine's time and runs `factor` times as fast; for demonstrations only.
    ///
    /// A factor of zero is taken as one.
    pub fn accelerated(factor: u32) -> Self {
        Self::of(Source::Accelerated { start: machine_time(), since: Instant::now(), factor: factor.max(1) })
    }

    fn of(source: Source) -> Self {
        Self(Arc::new(Inner {
            source,
            offset: AtomicI64::new(0),
            advanced: AtomicI64::new(0),
            latest: AtomicI64::new(i64::MIN),
        }))
    }

    /// The time: UTC, whole microseconds, never earlier than any time told before.
    pub fn now(&self) -> OffsetDateTime {
        let read = match self.0.source {
            Source::System => machine_time().saturating_add(self.0.offset.load(Ordering::Relaxed)),
            Source::Manual { start } => start,
            Source::Accelerated { start, since, factor } => {
                let passed = i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX);
                start.saturating_add(passed.saturating_mul(i64::from(factor)))
            }
        };
        let read = read.saturating_add(self.0.advanced.load(Ordering::Relaxed));
        let latest = self.0.latest.fetch_max(read, Ordering::Relaxed).max(read);
        from_microseconds(latest)
    }

    /// Moves the clock forward by `step`; a negative step makes it stand still for as long.
    pub fn advance(&self, step: Duration) {
        self.0.advanced.fetch_add(whole_microseconds(step), Ordering::Relaxed);
    }

    /// Makes the machine's clock follow another one (the database's) that is ahead of it by `offset`.
    ///
    /// Manual and accelerated clocks follow nobody and ignore this.
    pub fn set_offset(&self, offset: Duration) {
        self.0.offset.store(whole_microseconds(offset), Ordering::Relaxed);
    }

    /// How long to really wait until `delay` has passed on this clock; zero for a negative delay.
    pub fn real_delay(&self, delay: Duration) -> std::time::Duration {
        std::time::Duration::try_from(delay).unwrap_or_default() / self.factor()
    }

    /// How much passes on this clock while `real` passes in the world.
    pub fn passes_in(&self, real: Duration) -> Duration {
        real * i32::try_from(self.factor()).unwrap_or(i32::MAX)
    }

    fn factor(&self) -> u32 {
        match self.0.source {
            Source::Accelerated { factor, .. } => factor,
            Source::System | Source::Manual { .. } => 1,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn machine_time() -> i64 {
    microseconds(OffsetDateTime::now_utc())
}

fn microseconds(at: OffsetDateTime) -> i64 {
    whole_microseconds(at - OffsetDateTime::UNIX_EPOCH)
}

fn whole_microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.whole_microseconds()).unwrap_or(if duration.is_negative() { i64::MIN } else { i64::MAX })
}

fn from_microseconds(microseconds: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::microseconds(microseconds))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-11-22 00:40:00.123_456_789 UTC);

    #[test]
    fn tells_whole_microseconds() {
        assert_eq!(Clock::manual(START).now(), datetime!(2026-11-22 00:40:00.123_456 UTC));
        assert_eq!(Clock::system().now().nanosecond() % 1000, 0);
    }

    #[test]
    fn is_moved_by_hand_through_every_clone() {
        let clock = Clock::manual(START);
        let before = clock.now();
        clock.clone().advance(Duration::hours(72));
        assert_eq!(clock.now() - before, Duration::hours(72));
    }

    #[test]
    fn never_runs_backwards() {
        let clock = Clock::manual(START);
        let before = clock.now();
        clock.advance(-Duration::HOUR);
        assert_eq!(clock.now(), before);
        clock.advance(Duration::HOUR + Duration::SECOND);
        assert_eq!(clock.now() - before, Duration::SECOND);

        let system = Clock::system();
        system.set_offset(Duration::DAY);
        let ahead = system.now();
        system.set_offset(Duration::ZERO);
        assert_eq!(system.now(), ahead);
    }

    #[test]
    fn follows_an_offset() {
        let plain = Clock::system();
        let ahead = Clock::system();
        ahead.set_offset(Duration::DAY);
        assert!(ahead.now() - plain.now() > Duration::hours(23));
    }

    #[test]
    fn an_accelerated_clock_shortens_real_waiting_only() {
        let clock = Clock::accelerated(3600);
        assert_eq!(clock.real_delay(Duration::hours(72)), std::time::Duration::from_secs(72));
        assert_eq!(Clock::accelerated(0).real_delay(Duration::SECOND), std::time::Duration::from_secs(1));
        assert_eq!(Clock::system().real_delay(Duration::SECOND), std::time::Duration::from_secs(1));
        assert_eq!(Clock::system().real_delay(-Duration::SECOND), std::time::Duration::ZERO);
    }
}
