//! The one clock of the service, handed in wherever a time is needed.
//!
//! The only file that may ask the machine what time it is. Knows nothing of what the time is used for.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use time::{Duration, OffsetDateTime};

/// A shared clock: UTC, microsecond precision, never running backwards and never standing still.
///
/// Clones share their state, so whatever is done to one is seen by all.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

/// What a clock on the wall and the steady counter beside it show at one moment.
///
/// Nobody sets the counter: what the wall clock moves more or less than the counter, somebody has set it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    wall: i64,
    steady: i64,
}

#[derive(Debug)]
struct Inner {
    source: Source,
    /// How much time was let pass by hand.
    advanced: AtomicI64,
    /// How far the wall clock was set by hand, while no time passed.
    set: AtomicI64,
    told: Mutex<Told>,
}

#[derive(Debug)]
enum Source {
    System { begun: Instant },
    Manual { start: i64 },
    Accelerated { start: i64, begun: Instant, factor: u32 },
}

/// What a clock remembers.
#[derive(Debug, Default)]
struct Told {
    /// The leading clock (the database's) when it was last asked; carried on by the steady counter.
    lead: Option<Reading>,
    /// When the told time was last the time that was read.
    agreed: Option<Reading>,
}

impl Told {
    /// The time to tell when the sources show `read`: that, unless it lies behind what was told before.
    ///
    /// A clock that was set back is not followed: until it has caught up, time goes on at half its rate, so that whatever waits
    /// for a time meanwhile comes later than it should, but comes.
    fn tell(&mut self, read: Reading) -> i64 {
        let least = |agreed: Reading| agreed.wall.saturating_add(read.steady.saturating_sub(agreed.steady) / 2);
        match self.agreed.map(least) {
            Some(least) if read.wall < least => least,
            _ => {
                self.agreed = Some(read);
                read.wall
            }
        }
    }
}

impl Reading {
    /// By how much the wall clock was set since `before`, or how far it is ahead of another one; negative if back or behind.
    #[must_use]
    pub fn step_since(self, before: Self) -> Duration {
        let (passed, went) = (self.steady.saturating_sub(before.steady), self.wall.saturating_sub(before.wall));
        Duration::microseconds(went.saturating_sub(passed))
    }
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::of(Source::System { begun: Instant::now() })
    }

    /// A clock that stands at `start` until it is moved with [`Clock::advance`].
    pub fn manual(start: OffsetDateTime) -> Self {
        Self::of(Source::Manual { start: microseconds(start) })
    }

    /// A clock that starts at the machine's time and runs `factor` times as fast; for demonstrations only.
    ///
    /// A factor of zero is taken as one.
    pub fn accelerated(factor: u32) -> Self {
        Self::of(Source::Accelerated { start: machine_time(), begun: Instant::now(), factor: factor.max(1) })
    }

    fn of(source: Source) -> Self {
        let (advanced, set) = (AtomicI64::new(0), AtomicI64::new(0));
        Self(Arc::new(Inner { source, advanced, set, told: Mutex::default() }))
    }

    /// The time: UTC, whole microseconds, never earlier than any time told before.
    pub fn now(&self) -> OffsetDateTime {
        let mut told = self.told();
        // Read under the lock: two readings that overtake each other would look like a clock that was set back.
        let machine = self.reading();
        let read = told.lead.map_or(machine, |lead| Reading {
            wall: lead.wall.saturating_add(machine.steady.saturating_sub(lead.steady)),
            ..machine
        });
        from_microseconds(told.tell(read))
    }

    /// What the machine's clock and its steady counter show, whatever time is told.
    pub fn reading(&self) -> Reading {
        let micros = |elapsed: std::time::Duration| i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        let (wall, steady) = match self.0.source {
            Source::System { begun } => (machine_time(), micros(begun.elapsed())),
            Source::Manual { start } => (start, 0),
            Source::Accelerated { start, begun, factor } => {
                let passed = micros(begun.elapsed()).saturating_mul(i64::from(factor));
                (start.saturating_add(passed), passed)
            }
        };
        let advanced = self.0.advanced.load(Ordering::Relaxed);
        let set = self.0.set.load(Ordering::Relaxed);
        Reading { wall: wall.saturating_add(advanced).saturating_add(set), steady: steady.saturating_add(advanced) }
    }

    /// Lets `step` pass. Time does not run backwards: a negative step sets the wall clock back, as [`Clock::set_by`] does.
    pub fn advance(&self, step: Duration) {
        if step.is_negative() {
            return self.set_by(step);
        }
        self.0.advanced.fetch_add(whole_microseconds(step), Ordering::Relaxed);
    }

    /// Sets the wall clock forward or back by `step`, as an operator does who corrects it; no time passes.
    pub fn set_by(&self, step: Duration) {
        self.0.set.fetch_add(whole_microseconds(step), Ordering::Relaxed);
    }

    /// Makes the clock go on from `mark` if it is behind it; answers how far it was behind.
    ///
    /// What was written down before a restart must not lie in the future after it.
    pub fn begin_at(&self, mark: OffsetDateTime) -> Duration {
        let behind = mark - self.now();
        if !behind.is_positive() {
            return Duration::ZERO;
        }
        match self.0.source {
            Source::System { .. } => {
                let steady = self.reading().steady;
                self.told().agreed = Some(Reading { wall: microseconds(mark), steady });
            }
            // These run on their own: there is no machine's time that they could wait for.
            Source::Manual { .. } | Source::Accelerated { .. } => self.set_by(behind),
        }
        behind
    }

    /// Makes the clock follow the one (the database's) that told `theirs` between the readings `asked` and `answered`; the
    /// machine's own may then be set as it likes. Answers that clock as a reading.
    ///
    /// Manual and accelerated clocks follow nobody and answer `None`.
    pub fn follow(&self, theirs: OffsetDateTime, asked: Reading, answered: Reading) -> Option<Reading> {
        if !matches!(self.0.source, Source::System { .. }) {
            return None;
        }
        let steady = asked.steady.saturating_add(answered.steady.saturating_sub(asked.steady) / 2);
        let lead = Reading { wall: microseconds(theirs), steady };
        self.told().lead = Some(lead);
        Some(lead)
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
            Source::System { .. } | Source::Manual { .. } => 1,
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
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
mod tests;
