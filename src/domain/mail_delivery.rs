//! When a mail is handed over again. The mail system between us and the mailbox tries by itself, so once it has a message it is
//! given time. Sends nothing and reads no clock.

use time::{Duration, OffsetDateTime};

use super::delivery::{self, Next};
use super::delivery_outcome::{FailureKind, Outcome};

/// How long a mailbox that refused a message, or sent it back, is left alone: asking densely makes relays refuse us altogether.
const AFTER_REFUSAL: Duration = Duration::HOUR;

/// How long a message is not sent again that the relay may have taken without our hearing of it.
const IN_DOUBT: Duration = Duration::minutes(15);

/// What follows an attempt to mail a notice that ended at `now`, within a window that ends at its deadline.
///
/// A message that the relay has taken goes out again half way to the deadline, though not before a quarter of the window, and
/// once a day afterwards: it can be lost behind the relay. Its id stays the same, so that whoever has it sees that. What failed
/// on the way to the relay is tried as densely as a webhook.
pub fn next(
    outcome: Outcome,
    attempts: i32,
    window: (OffsetDateTime, OffsetDateTime),
    now: OffsetDateTime,
    chance: f64,
) -> Next {
    match outcome {
        Outcome::Accepted => {
            let (created, deadline) = window;
            let (half, quarter): (Duration, Duration) = ((deadline - now) / 2, (deadline - created) / 4);
            Next::Again(now + if deadline > now { half.max(quarter) } else { Duration::DAY })
        }
        Outcome::Configuration(FailureKind::Withheld) => Next::Closed,
        Outcome::Configuration(FailureKind::MailRefused | FailureKind::MailBounced) => Next::Again(now + AFTER_REFUSAL),
        _ => delivery::next(outcome, attempts, window, None, now, chance),
    }
}

/// The same where the message went out in full, but no reply came: it is likely to be there, and not sent again at once.
pub fn in_doubt(next: Next, now: OffsetDateTime) -> Next {
    match next {
        Next::Again(at) => Next::Again(at.max(now + IN_DOUBT)),
        done => done,
    }
}

/// The same for what is mailed once and then done with: a reminder, a request to confirm an address.
pub fn next_of_reminder(
    outcome: Outcome,
    attempts: i32,
    window: (OffsetDateTime, OffsetDateTime),
    now: OffsetDateTime,
    chance: f64,
) -> Next {
    match (outcome, next(outcome, attempts, window, now, chance)) {
        (Outcome::Accepted, _) => Next::Done,
        (_, Next::Again(at)) if at >= window.1 => Next::Closed,
        (_, next) => next,
    }
}

/// Whether an outcome says anything about the mailbox itself, rather than about the way to the relay.
///
/// That the relay has taken a message says nothing either: it takes almost everything.
pub fn speaks_of_the_mailbox(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Delivered | Outcome::Gone => true,
        _ => matches!(outcome.kind(), Some(FailureKind::MailRefused | FailureKind::MailBounced)),
    }
}

/// Whether an outcome shuts this way to the controller: trying again will not get the notice there soon.
pub fn is_shut(outcome: Outcome) -> bool {
    let unsent = matches!(outcome.kind(), Some(FailureKind::Withheld | FailureKind::InvalidRequest));
    unsent || (!outcome.is_success() && speaks_of_the_mailbox(outcome))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-11-22 00:00 UTC);
    const WINDOW: (OffsetDateTime, OffsetDateTime) = (START, datetime!(2026-11-23 00:00 UTC));

    fn hours_until(next: Next, now: OffsetDateTime) -> Option<i64> {
        if let Next::Again(at) = next { Some((at - now).whole_hours()) } else { None }
    }

    #[test]
    fn a_message_that_was_taken_goes_out_thrice_in_its_window_and_daily_afterwards() {
        for (passed, wait) in [(0, 12), (12, 6), (18, 6), (24, 24), (100, 24)] {
            let now = START + Duration::hours(passed);
            assert_eq!(hours_until(next(Outcome::Accepted, 1, WINDOW, now, 0.5), now), Some(wait), "after {passed} h");
        }
        assert_eq!(next_of_reminder(Outcome::Accepted, 1, WINDOW, START, 0.5), Next::Done);
    }

    #[test]
    fn what_waits_behind_a_grey_list_is_tried_densely_and_who_refused_is_left_alone() {
        let deferred = Outcome::Transient(FailureKind::MailDeferred);
        assert_eq!(next(deferred, 1, WINDOW, START, 0.5), Next::Again(START + Duration::seconds(10)));
        for kind in [FailureKind::MailRefused, FailureKind::MailBounced] {
            assert_eq!(hours_until(next(Outcome::Configuration(kind), 1, WINDOW, START, 0.5), START), Some(1));
        }
        assert_eq!(next(Outcome::Configuration(FailureKind::Withheld), 1, WINDOW, START, 0.5), Next::Closed);
    }

    #[test]
    fn what_may_have_been_taken_waits_and_what_waits_longer_is_left_alone() {
        let dense = next(Outcome::Transient(FailureKind::Timeout), 1, WINDOW, START, 0.5);
        assert_eq!(in_doubt(dense, START), Next::Again(START + Duration::minutes(15)));
        let later = Next::Again(START + Duration::HOUR);
        assert_eq!((in_doubt(later, START), in_doubt(Next::Done, START)), (later, Next::Done));
    }

    #[test]
    fn the_way_to_the_relay_says_nothing_of_the_mailbox() {
        for kind in [
            FailureKind::Connect,
            FailureKind::RelayRefused,
            FailureKind::MailAuthentication,
            FailureKind::MailDeferred,
        ] {
            assert!(!speaks_of_the_mailbox(Outcome::Transient(kind)), "{kind:?}");
        }
        assert!(speaks_of_the_mailbox(Outcome::Configuration(FailureKind::MailRefused)));
        assert!(!speaks_of_the_mailbox(Outcome::Accepted));
    }
}
