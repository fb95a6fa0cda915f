//! Periods of days, working days and months: counted on local dates, ended with the last hour of a day, turned into an instant at last.

use time::{Date, Duration, Month, OffsetDateTime};

use super::hours::noon;
use super::{Counted, CountingError, CountingRule, Reading, Step};
use crate::domain::calendar::Region;

/// Days without that of the event; a last day that is no working day moves to the next one (Art. 3(1), (2)(b) and (4) Reg. 1182/71;
/// §§ 187(1), 188(1), 193 BGB). By the Regulation, two days or more include two working days (Art. 3(5)).
pub(super) fn days(
    rule: CountingRule,
    from: OffsetDateTime,
    count: u16,
    region: &Region,
) -> Result<Counted, CountingError> {
    let event = region.to_local(from).date();
    let last = event.checked_add(Duration::days(i64::from(count))).ok_or(CountingError::TooFar)?;
    let mut steps = vec![Step::DayExcluded { day: event }, Step::LastDay { day: last }];
    let mut last = to_working_day(last, region, &mut steps)?;
    if rule == CountingRule::EuDays && count >= 2 {
        let first = day_after(event)?;
        let second = second_working_day(first, region)?;
        if second > last {
            steps.push(Step::ExtendedToSecondWorkingDay { reading: Reading::Full, first, second });
            last = second;
        }
    }
    ended(last, region, steps)
}

/// Working days only, without that of the event (Art. 3(1), (2)(b) and (3) Reg. 1182/71).
pub(super) fn working(from: OffsetDateTime, count: u16, region: &Region) -> Result<Counted, CountingError> {
    let event = region.to_local(from).date();
    let first = day_after(event)?;
    let mut last = event;
    for _ in 0..count {
        last = next_working_day(last, region)?;
    }
    ended(last, region, vec![Step::DayExcluded { day: event }, Step::LastWorkingDay { first, day: last }])
}

/// The same date so many months later, or the last day of a shorter month (Art. 3(2)(c) Reg. 1182/71; § 188(2) and (3) BGB); a last
/// day that is no working day moves.
pub(super) fn months(
    rule: CountingRule,
    from: OffsetDateTime,
    count: u16,
    region: &Region,
) -> Result<Counted, CountingError> {
    let event = region.to_local(from).date();
    let last = months_later(event, count)?;
    let same = Step::SameDate { day: last, cut: last.day() != event.day() };
    let mut steps = vec![Step::DayExcluded { day: event }, same];
    if rule == CountingRule::DoraWeekendNoon && !region.is_working_day(last)? {
        let to = next_working_day(last, region)?;
        let due_at = noon(to, region);
        steps.extend([Step::NoonOfNextWorkingDay { from: last, to }, Step::EndsAt { due: due_at }]);
        return Ok(Counted { counted_from: None, due_at, steps });
    }
    let last = to_working_day(last, region, &mut steps)?;
    ended(last, region, steps)
}

/// The end of the same date so many months later, working day or not.
pub(super) fn same_date(from: OffsetDateTime, count: u16, region: &Region) -> Result<OffsetDateTime, CountingError> {
    end_of(months_later(region.to_local(from).date(), count)?, region)
}

/// The day itself if it is a working day, otherwise the next one.
fn to_working_day(day: Date, region: &Region, steps: &mut Vec<Step>) -> Result<Date, CountingError> {
    if region.is_working_day(day)? {
        steps.push(Step::StaysOnWorkingDay { day });
        return Ok(day);
    }
    let to = next_working_day(day, region)?;
    steps.push(Step::NextWorkingDay { from: day, to });
    Ok(to)
}

fn ended(day: Date, region: &Region, mut steps: Vec<Step>) -> Result<Counted, CountingError> {
    let due_at = end_of(day, region)?;
    steps.push(Step::EndsWithDay { day, due: due_at });
    Ok(Counted { counted_from: None, due_at, steps })
}

/// The instant, UTC, at which a local day is over.
pub(super) fn end_of(day: Date, region: &Region) -> Result<OffsetDateTime, CountingError> {
    Ok(region.midnight(day_after(day)?))
}

/// The first working day after `day`.
pub(super) fn next_working_day(day: Date, region: &Region) -> Result<Date, CountingError> {
    let mut next = day_after(day)?;
    while !region.is_working_day(next)? {
        next = day_after(next)?;
    }
    Ok(next)
}

/// The second working day from `first` on, `first` included.
pub(super) fn second_working_day(first: Date, region: &Region) -> Result<Date, CountingError> {
    let one = if region.is_working_day(first)? { first } else { next_working_day(first, region)? };
    next_working_day(one, region)
}

/// The next day.
pub(super) fn day_after(day: Date) -> Result<Date, CountingError> {
    day.next_day().ok_or(CountingError::TooFar)
}

fn months_later(day: Date, count: u16) -> Result<Date, CountingError> {
    let months = day.year() * 12 + i32::from(u8::from(day.month())) - 1 + i32::from(count);
    let year = months.div_euclid(12);
    let month = u8::try_from(months.rem_euclid(12) + 1).ok().and_then(|month| Month::try_from(month).ok());
    let month = month.ok_or(CountingError::TooFar)?;
    let day = day.day().min(month.length(year));
    Date::from_calendar_date(year, month, day).map_err(|_| CountingError::TooFar)
}
