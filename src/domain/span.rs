//! Time limits of agreements: a length of fixed hours, or "without undue delay". Counts nothing; that is the rules' work.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use time::Duration;

/// A length of time in whole minutes, kept with the ISO 8601 text that it was written as.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IsoDuration {
    length: Duration,
    text: String,
}

/// How long a debtor has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Span {
    /// At the latest after this length, moment to moment.
    Within(IsoDuration),
    /// Without culpable delay (§ 121(1) BGB); has no fixed end.
    WithoutUndueDelay,
}

/// A text that is no length this crate counts with.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidSpan {
    /// Not of the form `P…D T…H…M`.
    #[error("expected an ISO 8601 duration of days, hours and minutes, such as PT24H")]
    Form,
    /// Zero, or more than a year.
    #[error("expected a duration longer than zero and no longer than 366 days")]
    Length,
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
        Self { length: Duration::minutes(minutes), text }
    }

    /// The length.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// The ISO 8601 text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Span {
    /// The fixed length; `None` for "without undue delay".
    pub fn length(&self) -> Option<Duration> {
        match self {
            Self::Within(duration) => Some(duration.length),
            Self::WithoutUndueDelay => None,
        }
    }

    /// The stricter of two limits that both hold: a fixed one bounds "without undue delay", of two fixed ones the shorter.
    pub fn stricter<'s>(&'s self, other: &'s Self) -> &'s Self {
        match (self.length(), other.length()) {
            (Some(own), Some(theirs)) if theirs < own => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Within(duration) => &duration.text,
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
        let days = units(date, &[('D', 24 * 60)])?;
        let minutes = units(clock, &[('H', 60), ('M', 1)])?.checked_add(days).ok_or(InvalidSpan::Length)?;
        if minutes == 0 || minutes > 366 * 24 * 60 {
            return Err(InvalidSpan::Length);
        }
        let minutes = i64::try_from(minutes).map_err(|_| InvalidSpan::Length)?;
        Ok(Self { length: Duration::minutes(minutes), text: text.to_owned() })
    }
}

/// Sums `<number><letter>` parts in minutes; each letter at most once and in the given order.
fn units(mut text: &str, letters: &[(char, u64)]) -> Result<u64, InvalidSpan> {
    let mut minutes: u64 = 0;
    for (letter, factor) in letters {
        let Some((number, rest)) = text.split_once(*letter) else { continue };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidSpan::Form);
        }
        let number: u64 = number.parse().map_err(|_| InvalidSpan::Length)?;
        let part = number.checked_mul(*factor).ok_or(InvalidSpan::Length)?;
        minutes = minutes.checked_add(part).ok_or(InvalidSpan::Length)?;
        text = rest;
    }
    if text.is_empty() { Ok(minutes) } else { Err(InvalidSpan::Form) }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        if text == WITHOUT_UNDUE_DELAY { Ok(Self::WithoutUndueDelay) } else { text.parse().map(Self::Within) }
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
    fn what_has_no_fixed_length_is_refused() {
        for text in
            ["", "P", "PT", "P1DT", "P1M", "P1Y", "P1W", "PT1.5H", "PT30S", "-PT1H", "PT-1H", "PT1M1H", "24h", "PTH"]
        {
            assert_eq!(text.parse::<Span>(), Err(InvalidSpan::Form), "{text}");
        }
        for text in ["PT0H", "P0D", "P367D", "PT99999999999999999999H", "P18446744073709551615DT1H"] {
            assert_eq!(text.parse::<Span>(), Err(InvalidSpan::Length), "{text}");
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
    }

    #[test]
    fn a_computed_length_is_written_in_hours_and_minutes() {
        assert_eq!(IsoDuration::of(Duration::hours(12)).as_str(), "PT12H");
        assert_eq!(IsoDuration::of(Duration::minutes(90)).as_str(), "PT1H30M");
        assert_eq!(IsoDuration::of(Duration::seconds(30)).as_str(), "PT1M");
    }
}
