//! Time limits with their units: hours, days, months, or "without undue delay". Counts nothing; that is the rules' work.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use time::Duration;

/// Days, hours and minutes, kept with the ISO 8601 text that they were written as.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IsoDuration {
    days: u16,
    clock: Duration,
    text: String,
}

/// Calendar months, kept with the ISO 8601 text that they were written as; a year is twelve of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Months {
    count: u16,
    text: String,
}

/// How long a debtor has. Which unit ends when is for a counting rule to say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Span {
    /// At the latest after so many days, hours and minutes.
    Within(IsoDuration),
    /// At the latest after so many calendar months. Stands in laws, never in the terms of an agreement.
    Months(Months),
    /// Without culpable delay (§ 121(1) BGB); has no fixed end.
    WithoutUndueDelay,
}

/// A text that is no length this crate counts with.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidSpan {
    /// Not of the form `P…D T…H…M`.
    #[error("expected an ISO 8601 duration of days, hours and minutes, such as PT24H")]
    Form,
    /// Without unit, or none of the units that some rule counts, or units that none counts together.
    #[error("expected an ISO 8601 duration with its unit, such as PT72H, P14D or P1M (months and years stand alone)")]
    Unit,
    /// Zero, or more than a year.
    #[error("expected a duration longer than zero and no longer than 366 days")]
    Length,
    /// No month, or more than ten years.
    #[error("expected at least one month and at most 120")]
    Months,
}

/// The text for a limit without fixed end.
const WITHOUT_UNDUE_DELAY: &str = "without_undue_delay";

impl IsoDuration {
    /// A length of whole minutes, at least one; what is left below a minute is dropped.
    pub fn of(length: Duration) -> Self {
        let minutes = length.whole_minutes().max(1);
        let text = match (minutes / 60, minutes % 60) {
            (hours, 0) => format!("PT{hours}H"),
            (0, rest) => format!("PT{rest}M"),
            (hours, rest) => format!("PT{hours}H{rest}M"),
        };
        Self { days: 0, clock: Duration::minutes(minutes), text }
    }

    /// The length, a day at 24 hours.
    pub fn length(&self) -> Duration {
        Duration::days(i64::from(self.days)) + self.clock
    }

    /// Its days, without what is written in hours and minutes.
    pub fn days(&self) -> u16 {
        self.days
    }

    /// Its hours and minutes, without what is written in days.
    pub fn clock(&self) -> Duration {
        self.clock
    }

    /// The ISO 8601 text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Months {
    /// How many.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The ISO 8601 text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Span {
    /// The fixed length, a day at 24 hours; `None` for months, whose length differs, and for "without undue delay".
    pub fn length(&self) -> Option<Duration> {
        match self {
            Self::Within(duration) => Some(duration.length()),
            Self::Months(_) | Self::WithoutUndueDelay => None,
        }
    }

    /// The stricter of two limits that both hold: a fixed one bounds "without undue delay", of two fixed ones the shorter.
    pub fn stricter<'s>(&'s self, other: &'s Self) -> &'s Self {
        match (self.least(), other.least()) {
            (Some(own), Some(theirs)) if theirs < own => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    /// The shortest that it can be: no month is shorter than 28 days.
    fn least(&self) -> Option<Duration> {
        match self {
            Self::Months(months) => Some(Duration::days(28 * i64::from(months.count))),
            _ => self.length(),
        }
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Within(duration) => &duration.text,
            Self::Months(months) => &months.text,
            Self::WithoutUndueDelay => WITHOUT_UNDUE_DELAY,
        }
    }
}

impl FromStr for IsoDuration {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let body = text.strip_prefix('P').ok_or(InvalidSpan::Form)?;
        let (date, clock) = match body.split_once('T') {
            Some((_, "")) => return Err(InvalidSpan::Form),
            Some(parts) => parts,
            None => (body, ""),
        };
        if date.is_empty() && clock.is_empty() {
            return Err(InvalidSpan::Form);
        }
        let days = units(date, &[('D', 1)])?;
        let minutes = units(clock, &[('H', 60), ('M', 1)])?;
        let all = days.checked_mul(24 * 60).and_then(|of_days| of_days.checked_add(minutes));
        if !all.is_some_and(|all| (1..=366 * 24 * 60).contains(&all)) {
            return Err(InvalidSpan::Length);
        }
        let days = u16::try_from(days).map_err(|_| InvalidSpan::Length)?;
        let minutes = i64::try_from(minutes).map_err(|_| InvalidSpan::Length)?;
        Ok(Self { days, clock: Duration::minutes(minutes), text: text.to_owned() })
    }
}

impl FromStr for Months {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let body = text.strip_prefix('P').filter(|body| !body.is_empty()).ok_or(InvalidSpan::Unit)?;
        let count = units(body, &[('Y', 12), ('M', 1)]).map_err(|_| InvalidSpan::Unit)?;
        let count = u16::try_from(count).ok().filter(|count| (1..=120).contains(count)).ok_or(InvalidSpan::Months)?;
        Ok(Self { count, text: text.to_owned() })
    }
}

/// Sums `<number><letter>` parts, each number times the factor of its letter; each letter at most once and in the given order.
fn units(mut text: &str, letters: &[(char, u64)]) -> Result<u64, InvalidSpan> {
    let mut sum: u64 = 0;
    for (letter, factor) in letters {
        let Some((number, rest)) = text.split_once(*letter) else { continue };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidSpan::Form);
        }
        let number: u64 = number.parse().map_err(|_| InvalidSpan::Length)?;
        let part = number.checked_mul(*factor).ok_or(InvalidSpan::Length)?;
        sum = sum.checked_add(part).ok_or(InvalidSpan::Length)?;
        text = rest;
    }
    if text.is_empty() { Ok(sum) } else { Err(InvalidSpan::Form) }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        if text == WITHOUT_UNDUE_DELAY {
            return Ok(Self::WithoutUndueDelay);
        }
        match text.parse() {
            Ok(duration) => Ok(Self::Within(duration)),
            Err(InvalidSpan::Form) => text.parse().map(Self::Months),
            Err(other) => Err(other),
        }
    }
}

impl fmt::Display for IsoDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for IsoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn fixed_lengths_keep_their_text() {
        for (text, length) in [
            ("PT24H", Duration::hours(24)),
            ("P1D", Duration::hours(24)),
            ("PT90M", Duration::minutes(90)),
            ("P1DT12H30M", Duration::minutes(36 * 60 + 30)),
            ("P366D", Duration::days(366)),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.length(), span.as_str()), (Some(length), text));
        }
    }

    #[test]
    fn durations_have_days_hours_and_minutes_only() {
        for text in
            ["", "P", "PT", "P1DT", "P1M", "P1Y", "P1W", "PT1.5H", "PT30S", "-PT1H", "PT-1H", "PT1M1H", "24h", "PTH"]
        {
            assert_eq!(text.parse::<IsoDuration>(), Err(InvalidSpan::Form), "{text}");
        }
        for text in ["PT0H", "P0D", "P367D", "PT99999999999999999999H", "P18446744073709551615DT1H"] {
            assert_eq!(text.parse::<IsoDuration>(), Err(InvalidSpan::Length), "{text}");
            assert_eq!(text.parse::<Span>(), Err(InvalidSpan::Length), "{text}");
        }
    }

    #[test]
    fn days_and_hours_are_kept_apart() {
        let duration: IsoDuration = "P1DT12H".parse().unwrap();
        assert_eq!((duration.days(), duration.clock()), (1, Duration::hours(12)));
        assert_eq!(IsoDuration::of(Duration::hours(36)).days(), 0);
    }

    #[test]
    fn months_stand_alone_and_have_no_fixed_length() {
        for (text, count) in [("P1M", 1), ("P1Y", 12), ("P1Y6M", 18), ("P10Y", 120)] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.length(), span.as_str()), (None, text));
            assert!(matches!(span, Span::Months(months) if months.count() == count), "{text}");
        }
        for text in ["72", "P", "P1M1D", "P1MT1H", "P1W", "P1M1Y", "PM", "-P1M", "P1.5M", "1 month"] {
            assert_eq!(text.parse::<Span>(), Err(InvalidSpan::Unit), "{text}");
        }
        for text in ["P0M", "P121M", "P9999999Y"] {
            assert_eq!(text.parse::<Span>(), Err(InvalidSpan::Months), "{text}");
        }
    }

    #[test]
    fn a_fixed_limit_bounds_undue_delay() {
        let day: Span = "PT24H".parse().unwrap();
        let hour: Span = "PT1H".parse().unwrap();
        let open: Span = "without_undue_delay".parse().unwrap();
        assert_eq!(open.length(), None);
        assert_eq!(open.stricter(&day), &day);
        assert_eq!(day.stricter(&open), &day);
        assert_eq!(day.stricter(&hour), &hour);
        assert_eq!(open.stricter(&open), &open);
        let month: Span = "P1M".parse().unwrap();
        assert_eq!(month.stricter(&day), &day);
        assert_eq!(open.stricter(&month), &month);
    }

    #[test]
    fn a_computed_length_is_written_in_hours_and_minutes() {
        assert_eq!(IsoDuration::of(Duration::hours(12)).as_str(), "PT12H");
        assert_eq!(IsoDuration::of(Duration::minutes(90)).as_str(), "PT1H30M");
        assert_eq!(IsoDuration::of(Duration::seconds(30)).as_str(), "PT1M");
    }
}
