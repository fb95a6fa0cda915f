//! Periods of hours. They run over weekends and holidays; three rules look at working days all the same.

use time::{Date, Duration, OffsetDateTime, Time, UtcOffset};

use super::days::{day_after, end_of, next_working_day, second_working_day};
use super::{Counted, CountingError, CountingRule, Reading, Step, later};
use crate::domain::calendar::Region;

/// From moment to moment, as contracts under German law count hours: §§ 187 to 193 BGB name days, weeks, months and years only.
pub(super) fn natural(from: OffsetDateTime, length: Duration, region: &Region) -> Result<Counted, CountingError> {
    let due_at = later(from, length)?;
    let mut steps = vec![Step::FromMoment { at: from }, Step::Elapsed { from, to: due_at }];
    let last = last_day(due_at, region);
    if region.day_off(last).is_some() {
        steps.push(Step::WeekendsCount { last });
    }
    steps.push(Step::EndsAt { due: due_at });
    Ok(Counted { counted_from: Some(from), due_at, steps })
}

/// Art. 3(1), (2)(a) and (3) Reg. 1182/71: from the hour after that of the event, weekends and holidays included, no shift.
pub(super) fn eu(
    rule: CountingRule,
    from: OffsetDateTime,
    length: Duration,
    region: &Region,
) -> Result<Counted, CountingError> {
    let (counted_from, beginning) = beginning(rule, from, region)?;
    let due_at = later(counted_from, length)?;
    let last = last_day(due_at, region);
    let elapsed = Step::Elapsed { from: counted_from, to: due_at };
    let steps = vec![beginning, elapsed, Step::WeekendsCount { last }, Step::EndsAt { due: due_at }];
    Ok(Counted { counted_from: Some(counted_from), due_at, steps })
}

/// As `eu`, and Art. 3(5) on top: a period of two days or more includes two working days, or lasts to the end of the second one.
pub(super) fn with_two_working_days(
    reading: Reading,
    from: OffsetDateTime,
    length: Duration,
    region: &Region,
) -> Result<Counted, CountingError> {
    let (counted_from, beginning) = beginning(CountingRule::EuHours, from, region)?;
    let end = later(counted_from, length)?;
    let mut steps = vec![beginning, Step::Elapsed { from: counted_from, to: end }];
    if length < Duration::days(2) {
        steps.extend([Step::ShorterThanTwoDays, Step::EndsAt { due: end }]);
        return Ok(Counted { counted_from: Some(counted_from), due_at: end, steps });
    }
    let begun = region.to_local(counted_from).date();
    // A day that has begun already is touched, but never wholly included.
    let first = match reading {
        Reading::Full if region.midnight(begun) < counted_from => day_after(begun)?,
        _ => begun,
    };
    let second = second_working_day(first, region)?;
    let second_ends = end_of(second, region)?;
    let included = match reading {
        Reading::Touched => second <= last_day(end, region),
        Reading::Full => second_ends <= end,
    };
    let due_at = if included {
        steps.extend([Step::TwoWorkingDaysIncluded { reading }, Step::EndsAt { due: end }]);
        end
    } else {
        let extended = Step::ExtendedToSecondWorkingDay { reading, first, second };
        steps.extend([extended, Step::EndsWithDay { day: second, due: second_ends }]);
        second_ends
    };
    Ok(Counted { counted_from: Some(counted_from), due_at, steps })
}

/// Moment to moment; an end on a weekend or holiday moves to noon of the next working day (Art. 5 Del. Reg. (EU) 2025/301).
pub(super) fn to_noon(from: OffsetDateTime, length: Duration, region: &Region) -> Result<Counted, CountingError> {
    let end = later(from, length)?;
    let mut steps = vec![Step::FromMoment { at: from }, Step::Elapsed { from, to: end }];
    let last = last_day(end, region);
    let due_at = if region.is_working_day(last)? {
        steps.push(Step::StaysOnWorkingDay { day: last });
        end
    } else {
        let to = next_working_day(last, region)?;
        steps.push(Step::NoonOfNextWorkingDay { from: last, to });
        noon(to, region)
    };
    steps.push(Step::EndsAt { due: due_at });
    Ok(Counted { counted_from: Some(from), due_at, steps })
}

/// Twelve o'clock of a local day, UTC.
pub(super) fn noon(day: Date, region: &Region) -> OffsetDateTime {
    let twelve = Time::from_hms(12, 0, 0).unwrap_or(Time::MIDNIGHT);
    region.instant(day.with_time(twelve))
}

/// The local day in which a period ends. One that ends at midnight ends with the day before.
fn last_day(due_at: OffsetDateTime, region: &Region) -> Date {
    region.to_local(due_at.saturating_sub(Duration::NANOSECOND)).date()
}

/// From when hours are counted.
fn beginning(
    rule: CountingRule,
    from: OffsetDateTime,
    region: &Region,
) -> Result<(OffsetDateTime, Step), CountingError> {
    let local = region.to_local(from);
    let into = local.time() - Time::from_hms(local.hour(), 0, 0).unwrap_or(local.time());
    let exact = into.is_zero();
    if exact && rule == CountingRule::EuHoursCeil {
        return Ok((from, Step::FullHourCounted { at: from }));
    }
    let counted_from = later(from, Duration::HOUR - into)?.to_offset(UtcOffset::UTC);
    Ok((counted_from, Step::HourExcluded { counted_from, exact }))
}
