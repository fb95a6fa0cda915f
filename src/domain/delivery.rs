//! When a delivery is tried again, and which lane it takes. Sends nothing and reads no clock; chance is handed in.

use time::{Duration, OffsetDateTime};

use super::delivery_outcome::Outcome;
use super::endpoint::DEGRADED_AFTER;

/// Work that shares permits, so that one dead receiver costs the healthy ones nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// First attempts to endpoints that work as far as known.
    First,
    /// Later attempts, and endpoints that failed lately.
    Retry,
    /// E-mail.
    Mail,
    /// What nobody is waiting for: tests, probes, and notices that somebody wants sent again.
    Replay,
}

impl Lane {
    /// The lane of a first attempt at a webhook that failed so often in a row.
    pub fn after(failures: i32) -> Self {
        if failures >= DEGRADED_AFTER { Self::Retry } else { Self::First }
    }

    /// The lane of the attempts after this one.
    #[must_use]
    pub fn later(self) -> Self {
        match self {
            Self::First | Self::Retry => Self::Retry,
            Self::Mail => Self::Mail,
            Self::Replay => Self::Replay,
        }
    }

    /// The lane of what is sent again or tried out because somebody asks for it.
    #[must_use]
    pub fn replayed(self) -> Self {
        match self {
            Self::Mail => Self::Mail,
            Self::First | Self::Retry | Self::Replay => Self::Replay,
        }
    }

    /// The lane that the database keeps as `index`.
    pub fn from_index(index: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.index() == index)
    }

    /// Every lane.
    pub const ALL: [Self; 4] = [Self::First, Self::Retry, Self::Mail, Self::Replay];

    /// What the database keeps.
    pub fn index(self) -> i32 {
        match self {
            Self::First => 0,
            Self::Retry => 1,
            Self::Mail => 2,
            Self::Replay => 3,
        }
    }

    /// The stable code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::Mail => "mail",
            Self::Replay => "replay",
        }
    }
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It reached the receiver's sphere; nothing more to do.
    Done,
    /// It is tried again then.
    Again(OffsetDateTime),
    /// The endpoint is no more.
    Gone,
    /// Nobody waits for it any longer.
    Closed,
}

/// The waits after the first attempts, in seconds; afterwards the longest step of the window.
const DENSE: [i64; 7] = [10, 30, 90, 180, 420, 780, 1200];

/// What follows an attempt that ended at `now`, the `attempts`-th of this delivery, within a window that ends at `deadline`.
///
/// The schedule is dense for the window (no wait longer than 1/48 of it and never longer than half an hour), and hourly after
/// the deadline: a late notice is still owed. `chance` in [0, 1) spreads the waits by a fifth either way. A receiver's wish to
/// wait is honoured up to a quarter of an hour and an eighth of what is left: the statute outranks it.
pub fn next(
    outcome: Outcome,
    attempts: i32,
    window: (OffsetDateTime, OffsetDateTime),
    wish: Option<Duration>,
    now: OffsetDateTime,
    chance: f64,
) -> Next {
    match outcome {
        Outcome::Delivered => Next::Done,
        Outcome::Gone => Next::Gone,
        // Taken for later is no proof that it arrived; an acknowledgement ends the asking.
        Outcome::Accepted | Outcome::Transient(_) | Outcome::Configuration(_) => {
            let (created, deadline) = window;
            let wait = if now >= deadline { Duration::HOUR } else { planned(attempts, deadline - created) };
            let spread = wait * (0.8 + 0.4 * chance);
            let left: Duration = (deadline - now) / 8;
            let cap = if left.is_positive() { left.min(Duration::minutes(15)) } else { Duration::minutes(15) };
            Next::Again(now + spread.max(wish.unwrap_or(Duration::ZERO).min(cap)))
        }
    }
}

/// The same for what is told only for convenience, such as an alarm: it ends with its window, and 202 is enough.
pub fn next_of_reminder(
    outcome: Outcome,
    attempts: i32,
    window: (OffsetDateTime, OffsetDateTime),
    wish: Option<Duration>,
    now: OffsetDateTime,
    chance: f64,
) -> Next {
    if outcome == Outcome::Accepted {
        return Next::Done;
    }
    match next(outcome, attempts, window, wish, now, chance) {
        Next::Again(at) if at >= window.1 => Next::Closed,
        next => next,
    }
}

fn planned(attempts: i32, window: Duration) -> Duration {
    let share: Duration = window / 48;
    let longest = share.clamp(Duration::seconds(10), Duration::minutes(30));
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    DENSE.get(index).map_or(longest, |seconds| Duration::seconds(*seconds)).min(longest)
}

/// Reads `Retry-After`: whole seconds or an HTTP date. Anything else, or a time past, is no wish.
pub fn retry_after(header: &str, now: OffsetDateTime) -> Option<Duration> {
    if let Ok(seconds) = header.trim().parse::<u32>() {
        return Some(Duration::seconds(i64::from(seconds)));
    }
    let date =
        OffsetDateTime::parse(&header.trim().replace("GMT", "+0000"), &time::format_description::well_known::Rfc2822);
    date.ok().map(|date| date - now).filter(|wait| wait.is_positive())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::domain::delivery_outcome::FailureKind;

    const START: OffsetDateTime = datetime!(2026-11-22 00:00 UTC);
    const FAILED: Outcome = Outcome::Transient(FailureKind::Timeout);

    #[test]
    fn a_day_holds_more_than_fifty_attempts() {
        let window = (START, START + Duration::DAY);
        let (mut now, mut attempts) = (START, 0);
        while now < window.1 {
            attempts += 1;
            let Next::Again(at) = next(FAILED, attempts, window, None, now, 0.5) else { break };
            now = at;
        }
        assert!((50..60).contains(&attempts), "{attempts}");
    }

    #[test]
    fn after_the_deadline_it_goes_on_hourly() {
        let window = (START, START + Duration::DAY);
        let now = START + Duration::days(3);
        assert_eq!(next(FAILED, 90, window, None, now, 0.5), Next::Again(now + Duration::HOUR));
    }

    #[test]
    fn wishes_of_the_receiver_are_read_and_bounded() {
        assert_eq!(retry_after("120", START), Some(Duration::minutes(2)));
        assert_eq!(retry_after("Sun, 22 Nov 2026 00:05:00 GMT", START), Some(Duration::minutes(5)));
        for nonsense in ["-5", "NaN", "1e309", "", "Sun, 22 Nov 2020 00:05:00 GMT"] {
            assert_eq!(retry_after(nonsense, START), None, "{nonsense}");
        }
        let window = (START, START + Duration::DAY);
        let wish = Some(Duration::days(9));
        assert_eq!(next(FAILED, 1, window, wish, START, 0.5), Next::Again(START + Duration::minutes(15)));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_window_allows(attempts in 1..500, hours in 1_i64..200, chance in 0.0..1.0_f64) {
            let window = (START, START + Duration::hours(hours));
            let Next::Again(at) = next(FAILED, attempts, window, None, START, chance) else { return Err(TestCaseError::fail("gave up")) };
            prop_assert!(at > START && at - START <= Duration::minutes(36));
        }
    }
}
