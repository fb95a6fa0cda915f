//! Holidays and zones per region, as data: what a working day is, and when a local day begins. Reads no clock.

mod parse;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset, Weekday};

use super::organisation::is_region_of;

/// The region whose zone and holidays count where nothing else is said.
pub const DEFAULT_REGION: &str = "DE";

/// The holidays and legal zone of every known region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    version: String,
    regions: BTreeMap<String, Region>,
}

/// A country or a part of one: its legal zone and its public holidays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// ISO 3166-1 alpha-2, or ISO 3166-2 for a part of a country.
    pub code: String,
    /// The legal zone by its IANA name, such as `Europe/Berlin`.
    pub zone: String,
    years: RangeInclusive<i32>,
    holidays: BTreeMap<Date, String>,
}

/// The holidays of a year are not known, so nobody can say which of its days are working days.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no holidays of {region} are known for {year}, only for {first} to {last}", first = .known.start(), last = .known.end())]
pub struct OutOfRange {
    /// The region asked.
    pub region: String,
    /// The year that the file does not list.
    pub year: i32,
    /// The years that it lists.
    pub known: RangeInclusive<i32>,
}

/// Why a day is no working day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayOff<'r> {
    /// A public holiday by this name, whatever day of the week it is.
    Holiday(&'r str),
    /// A Saturday.
    Saturday,
    /// A Sunday.
    Sunday,
}

impl Calendar {
    /// The name of this state of the file.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The region of an ISO 3166 code; a part of a country that has no entry of its own is answered with its country.
    pub fn region(&self, code: &str) -> Option<&Region> {
        if let Some(region) = self.regions.get(code) {
            return Some(region);
        }
        let (country, part) = code.split_once('-')?;
        let is_part = (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_part.then(|| self.regions.get(country))?
    }

    /// The region of a code that somebody wrote by hand: as [`region`](Self::region), but a Land that does not exist is none.
    pub fn existing_region(&self, code: &str) -> Option<&Region> {
        let exists = self.regions.contains_key(code)
            || code.split_once('-').is_some_and(|(country, _)| is_region_of(code, country));
        exists.then(|| self.region(code))?
    }

    /// Every region, by code.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.values()
    }
}

impl Region {
    /// The public holiday of a day, in the language of the country; `None` too in years that are not known.
    pub fn holiday(&self, day: Date) -> Option<&str> {
        self.holidays.get(&day).map(String::as_str)
    }

    /// Why a day is no working day; in years that are not known, weekends alone are found.
    pub fn day_off(&self, day: Date) -> Option<DayOff<'_>> {
        match (self.holiday(day), day.weekday()) {
            (Some(name), _) => Some(DayOff::Holiday(name)),
            (None, Weekday::Saturday) => Some(DayOff::Saturday),
            (None, Weekday::Sunday) => Some(DayOff::Sunday),
            _ => None,
        }
    }

    /// Whether a day is neither Saturday, Sunday nor public holiday (Art. 2 Reg. 1182/71, § 193 BGB); an error in a year whose
    /// holidays are not known.
    pub fn is_working_day(&self, day: Date) -> Result<bool, OutOfRange> {
        if !self.years.contains(&day.year()) {
            return Err(OutOfRange { region: self.code.clone(), year: day.year(), known: self.years.clone() });
        }
        Ok(self.day_off(day).is_none())
    }

    /// The same instant with the offset that the legal zone has then.
    pub fn to_local(&self, instant: OffsetDateTime) -> OffsetDateTime {
        instant.checked_to_offset(self.offset(instant)).unwrap_or(instant)
    }

    /// What the zone calls its time at an instant, such as `CEST`.
    pub fn time_name(&self, instant: OffsetDateTime) -> &'static str {
        let zone = tzdb::tz_by_name(&self.zone);
        // The data of tzdb lives as long as the process, and so do its names.
        let kinds = zone.map(|zone| zone.local_time_types()).unwrap_or_default();
        let found = zone.and_then(|zone| zone.find_local_time_type(instant.unix_timestamp()).ok());
        kinds.iter().find(|kind| Some(*kind) == found).map_or("UTC", |kind| kind.time_zone_designation())
    }

    /// The instant in UTC at which a local day begins, even where the clocks change at midnight.
    pub fn midnight(&self, day: Date) -> OffsetDateTime {
        self.instant(day.midnight())
    }

    /// The first instant in UTC at which the clocks of the zone show `local`, or pass over it.
    pub fn instant(&self, local: PrimitiveDateTime) -> OffsetDateTime {
        let near = |shift| self.offset(local.assume_utc().saturating_add(shift));
        let with = |offset| local.assume_offset(offset).checked_to_offset(UtcOffset::UTC).unwrap_or(local.assume_utc());
        // Clocks change at most once in two days, so one of the offsets around is the right one. Where they skip `local`, only the
        // earlier offset leads to an instant that is not before it; where they repeat it, both do, and the earlier instant counts.
        let (before, after) = (with(near(-Duration::DAY)), with(near(Duration::DAY)));
        let reached = |instant: OffsetDateTime| {
            let shown = self.to_local(instant);
            PrimitiveDateTime::new(shown.date(), shown.time()) >= local
        };
        [before.min(after), before.max(after)].into_iter().find(|instant| reached(*instant)).unwrap_or(before)
    }

    fn offset(&self, instant: OffsetDateTime) -> UtcOffset {
        let zone = tzdb::tz_by_name(&self.zone);
        let kind = zone.as_ref().and_then(|zone| zone.find_local_time_type(instant.unix_timestamp()).ok());
        kind.and_then(|kind| UtcOffset::from_whole_seconds(kind.ut_offset()).ok()).unwrap_or(UtcOffset::UTC)
    }
}
