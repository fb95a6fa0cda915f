//! How periods are counted: pure functions over instants, named as in the contract. Elapsed time is added on instants, never on wall
//! time; hours are rounded and days are told apart in the legal zone of a region, never in the offset that somebody sent.
//!
//! A period ends with its due time: an act at that very instant is late.

mod days;
mod hours;
mod question;
mod step;
#[cfg(test)]
mod tests;

use time::{Duration, OffsetDateTime, UtcOffset};

use super::calendar::{OutOfRange, Region};
use super::catalogue::Weekends;
use super::span::Span;
use super::vocabulary::code_list;

pub use question::{Asked, Question};
pub use step::{Reading, Step};

code_list! {
    /// A rule for counting a period from an event.
    ///
    /// - `natural_hours`: from moment to moment, as agreements under German law count hours.
    /// - `eu_hours`: Reg. (EEC, Euratom) 1182/71 read literally: the hour in which the event falls is not counted, not even when the
    ///   event falls on the exact full hour; weekends and holidays count.
    /// - `eu_hours_ceil`: the same as practitioners read it: an event on the exact full hour counts that hour.
    /// - `eu_hours_min2wd_touch`, `eu_hours_min2wd_full`: `eu_hours` with the two working days of Art. 3(5), touched or whole; a
    ///   minority reading, since authorities hold Art. 3(5) to be for days.
    /// - `eu_days`, `eu_months`: days and months of the same Regulation; an end on a day off moves to the next working day.
    /// - `eu_working_days`: working days of the same Regulation.
    /// - `bgb_days`: days and months of §§ 187, 188 and 193 BGB.
    /// - `dora_weekend_noon`: hours and days from moment to moment, months by date; an end on a day off moves to noon of the next
    ///   working day (Art. 5 Del. Reg. (EU) 2025/301).
    ///
    /// Every rule but two is monotone: a later event is never due earlier. `dora_weekend_noon` cannot be, since an end on Sunday moves
    /// to Monday noon, and a later one on Monday at nine stays. `eu_hours_min2wd_touch` cannot be either, since a period that just
    /// reaches into its second working day is long enough, and one that just does not lasts to the end of that day. Of both, and
    /// of all others, the day of the end never comes earlier for a later event.
    CountingRule {
        NaturalHours "natural_hours",
        EuHours "eu_hours",
        EuHoursCeil "eu_hours_ceil",
        EuDays "eu_days",
        EuMonths "eu_months",
        EuWorkingDays "eu_working_days",
        BgbDays "bgb_days",
        DoraWeekendNoon "dora_weekend_noon",
        EuHoursMin2wdTouch "eu_hours_min2wd_touch",
        EuHoursMin2wdFull "eu_hours_min2wd_full",
    }
}

/// A period that was counted, with every step of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// From when hours are counted, UTC; none where whole days or months are.
    pub counted_from: Option<OffsetDateTime>,
    /// The end, UTC. An act at that very instant is late.
    pub due_at: OffsetDateTime,
    /// How it came about, in order.
    pub steps: Vec<Step>,
}

/// Why a period cannot be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountingError {
    /// The rule counts other units.
    #[error("`{rule}` counts {}, not `{span}`", rule.units())]
    Unit {
        /// The rule.
        rule: CountingRule,
        /// What it was to count.
        span: Span,
    },
    /// Nobody knows which days of that year are working days.
    #[error(transparent)]
    Holidays(#[from] OutOfRange),
    /// The end would lie behind year 9999.
    #[error("the period ends after the year 9999")]
    TooFar,
}

impl CountingRule {
    /// The end of a period that an event at `from` starts, in the zone and with the holidays of `region`.
    ///
    /// Cheap enough for tens of thousands of duties at once: no text is made. Fails when the rule does not count the unit of `span`, and
    /// where it asks for working days of a year whose holidays are not known.
    pub fn count(self, from: OffsetDateTime, span: &Span, region: &Region) -> Result<Counted, CountingError> {
        if !self.counts(span) {
            return Err(CountingError::Unit { rule: self, span: span.clone() });
        }
        let from = from.checked_to_offset(UtcOffset::UTC).ok_or(CountingError::TooFar)?;
        match span {
            Span::Within(within) => match self {
                Self::NaturalHours => hours::natural(from, within.length(), region),
                Self::EuHours | Self::EuHoursCeil => hours::eu(self, from, within.length(), region),
                Self::EuHoursMin2wdTouch => {
                    hours::with_two_working_days(Reading::Touched, from, within.length(), region)
                }
                Self::EuHoursMin2wdFull => hours::with_two_working_days(Reading::Full, from, within.length(), region),
                Self::DoraWeekendNoon => hours::to_noon(from, within.length(), region),
                Self::EuWorkingDays => days::working(from, within.days(), region),
                _ => days::days(self, from, within.days(), region),
            },
            Span::Months(months) => days::months(self, from, months.count(), region),
            Span::WithoutUndueDelay => Err(CountingError::Unit { rule: self, span: span.clone() }),
        }
    }

    /// Whether the rule counts the units of `span`.
    pub fn counts(self, span: &Span) -> bool {
        let within = match span {
            Span::Within(within) => within,
            Span::Months(_) => return matches!(self, Self::EuMonths | Self::BgbDays | Self::DoraWeekendNoon),
            Span::WithoutUndueDelay => return false,
        };
        match self {
            Self::NaturalHours | Self::DoraWeekendNoon => true,
            Self::EuHours | Self::EuHoursCeil | Self::EuHoursMin2wdTouch | Self::EuHoursMin2wdFull => {
                within.days() == 0 && within.clock().whole_minutes() % 60 == 0
            }
            Self::EuDays | Self::EuWorkingDays | Self::BgbDays => within.clock().is_zero(),
            Self::EuMonths => false,
        }
    }

    /// What the rule does at weekends and on holidays.
    pub fn weekends(self) -> Weekends {
        match self {
            Self::NaturalHours | Self::EuHours | Self::EuHoursCeil => Weekends::Counted,
            Self::EuDays | Self::EuMonths | Self::BgbDays => Weekends::NextWorkingDay,
            Self::EuWorkingDays => Weekends::Skipped,
            Self::DoraWeekendNoon => Weekends::NoonOfNextWorkingDay,
            Self::EuHoursMin2wdTouch | Self::EuHoursMin2wdFull => Weekends::TwoWorkingDays,
        }
    }

    /// The units that the rule counts, in words, with an example.
    fn units(self) -> &'static str {
        match self {
            Self::NaturalHours => "hours and days, such as PT24H",
            Self::EuHours | Self::EuHoursCeil | Self::EuHoursMin2wdTouch | Self::EuHoursMin2wdFull => {
                "whole hours, such as PT72H"
            }
            Self::EuDays => "days, such as P3D",
            Self::EuMonths => "months, such as P1M",
            Self::EuWorkingDays => "working days, such as P30D for thirty of them",
            Self::BgbDays => "days or months, such as P14D or P1M",
            Self::DoraWeekendNoon => "hours, days or months, such as PT72H or P1M",
        }
    }
}

/// The end of the same date so many months later in `region`, UTC, whether or not that is a working day; `None` for other spans.
pub fn same_date(from: OffsetDateTime, span: &Span, region: &Region) -> Option<OffsetDateTime> {
    let Span::Months(months) = span else { return None };
    days::same_date(from, months.count(), region).ok()
}

/// `instant` and so much elapsed time later.
fn later(instant: OffsetDateTime, length: Duration) -> Result<OffsetDateTime, CountingError> {
    instant.checked_add(length).ok_or(CountingError::TooFar)
}
