//! How periods are counted: pure functions over instants, named as in the contract. Elapsed time is added on instants, never on wall time.

use time::{Duration, OffsetDateTime};

/// A rule for counting a period of hours from an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountingRule {
    /// From moment to moment, as contracts under German law count hours (§§ 187 ff. BGB do not cover them).
    NaturalHours,
    /// Regulation (EEC, Euratom) 1182/71, Art. 3(1) and (2)(a), read literally: the hour in which the event falls is not
    /// counted, not even when it falls on the exact full hour; weekends and holidays count.
    EuHours,
}

impl serde::Serialize for CountingRule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Counted.
#[derive(Debug)]
pub struct Counted {
    /// Due.
    pub due_at: OffsetDateTime,
}

impl CountingRule {
    /// Counts.
    pub fn count(
        self,
        from: OffsetDateTime,
        span: &super::span::Span,
        _region: &super::calendar::Region,
    ) -> Result<Counted, ()> {
        span.length().map(|length| Counted { due_at: self.due(from, length) }).ok_or(())
    }

    /// Every rule with its name.
    pub const CODES: &'static [(&'static str, Self)] =
        &[("natural_hours", Self::NaturalHours), ("eu_hours", Self::EuHours)];

    /// The name of the rule.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NaturalHours => "natural_hours",
            Self::EuHours => "eu_hours",
        }
    }

    /// The rule of a name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::CODES.iter().find(|(known, _)| *known == code).map(|(_, rule)| *rule)
    }

    /// The end of a period of `length` that `event` starts, both UTC. An act at that very instant is late.
    ///
    /// Full hours are those of UTC: the zones of all member states lie whole hours from it.
    pub fn due(self, event: OffsetDateTime, length: Duration) -> OffsetDateTime {
        match self {
            Self::NaturalHours => event + length,
            Self::EuHours => start_of_hour(event) + Duration::HOUR + length,
        }
    }
}

fn start_of_hour(instant: OffsetDateTime) -> OffsetDateTime {
    let seconds = instant.unix_timestamp();
    instant - Duration::seconds(seconds.rem_euclid(3600)) - Duration::nanoseconds(i64::from(instant.nanosecond()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn published_examples_come_out() {
        let hours = Duration::hours;
        for (rule, length, event, due) in [
            (CountingRule::EuHours, 72, datetime!(2020-12-22 12:17 +1), datetime!(2020-12-25 12:00 UTC)),
            (CountingRule::EuHours, 72, datetime!(2020-12-22 13:00 +1), datetime!(2020-12-25 13:00 UTC)),
            (CountingRule::EuHours, 72, datetime!(2026-11-20 16:30 +1), datetime!(2026-11-23 16:00 UTC)),
            (CountingRule::EuHours, 72, datetime!(2026-11-21 23:40 +1), datetime!(2026-11-24 23:00 UTC)),
            (CountingRule::EuHours, 72, datetime!(2026-05-22 16:30 +2), datetime!(2026-05-25 15:00 UTC)),
            (CountingRule::EuHours, 72, datetime!(2026-10-24 14:20 +2), datetime!(2026-10-27 13:00 UTC)),
            (CountingRule::EuHours, 72, datetime!(2026-10-25 02:30 +2), datetime!(2026-10-28 01:00 UTC)),
            (CountingRule::EuHours, 72, datetime!(2026-11-20 21:00 +5:30), datetime!(2026-11-23 16:00 UTC)),
            (CountingRule::EuHours, 72, datetime!(2026-11-21 10:05 +1), datetime!(2026-11-24 10:00 UTC)),
            (CountingRule::EuHours, 96, datetime!(2026-11-20 16:30 +1), datetime!(2026-11-24 16:00 UTC)),
            (CountingRule::NaturalHours, 24, datetime!(2026-11-20 16:42:10 +1), datetime!(2026-11-21 15:42:10 UTC)),
            (CountingRule::NaturalHours, 24, datetime!(2026-10-24 18:00 +2), datetime!(2026-10-25 16:00 UTC)),
        ] {
            assert_eq!(rule.due(event, hours(length)), due, "{} {event}", rule.as_str());
        }
    }

    proptest! {
        #[test]
        fn the_law_never_counts_shorter_than_the_clock(seconds in 0_i64..4_000_000_000, hours in 1_i64..10_000) {
            let event = OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds);
            let length = Duration::hours(hours);
            let (natural, eu) = (CountingRule::NaturalHours.due(event, length), CountingRule::EuHours.due(event, length));
            prop_assert!(eu > natural && eu - natural <= Duration::HOUR);
            prop_assert_eq!((eu.minute(), eu.second(), eu.nanosecond()), (0, 0, 0));
        }

        #[test]
        fn later_events_are_never_due_earlier(a in 0_i64..4_000_000_000_000, b in 0_i64..4_000_000_000_000) {
            let at = |millis| OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(millis);
            let (first, second) = (at(a.min(b)), at(a.max(b)));
            for (_, rule) in CountingRule::CODES {
                prop_assert!(rule.due(first, Duration::DAY) <= rule.due(second, Duration::DAY));
            }
        }

        #[test]
        fn the_senders_offset_changes_nothing(seconds in 0_i64..4_000_000_000, quarter in -56_i32..56) {
            let event = OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds);
            let Ok(offset) = time::UtcOffset::from_whole_seconds(quarter * 900) else { return Ok(()) };
            for (_, rule) in CountingRule::CODES {
                prop_assert_eq!(rule.due(event, Duration::DAY), rule.due(event.to_offset(offset), Duration::DAY));
            }
        }
    }
}
