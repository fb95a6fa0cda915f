//! Reads the file of regions with all faults at once. A file that is wrong somewhere gives no calendar at all.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;
use time::{Date, Month};

use super::{Calendar, DEFAULT_REGION, Region};
use crate::domain::fault::Faults;
use crate::domain::organisation::{is_country, is_region_of};
use crate::domain::parse::Place;

/// Years that a file may list.
const POSSIBLE: RangeInclusive<i32> = 1970..=2200;

impl Calendar {
    /// Reads the file of regions; answers all faults at once.
    pub fn parse(file: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let Some(members) = file.as_object() else {
            faults.add("", "type", "Expected a table of regions.");
            return Err(faults);
        };
        let mut calendar = Self::default();
        for (name, value) in members {
            let place = Place { value, pointer: format!("/{name}") };
            if name == "version" {
                calendar.version = place.text(64, &mut faults).unwrap_or_default();
            } else if let Some(region) = region(name, &place, &mut faults) {
                calendar.regions.insert(name.clone(), region);
            }
        }
        for name in ["version", DEFAULT_REGION] {
            if !members.contains_key(name) {
                faults.add(format!("/{name}"), "required", format!("The member `{name}` is required."));
            }
        }
        calendar.complete_parts(members.keys(), &mut faults);
        faults.finish(Some(calendar))
    }

    /// Adds to every part of a country the holidays of the country.
    fn complete_parts<'n>(&mut self, names: impl Iterator<Item = &'n String>, faults: &mut Faults) {
        let names: Vec<_> = names.map(String::as_str).collect();
        let parts: Vec<_> = self.regions.keys().filter(|code| code.contains('-')).cloned().collect();
        for code in parts {
            let pointer = format!("/{code}");
            let country = code.split('-').next().unwrap_or_default();
            let Some(whole) = self.regions.get(country).cloned() else {
                // A country that is there and faulty has been named already.
                if !names.contains(&country) {
                    faults.add(pointer, "country", format!("There is no `{country}` that this would be a part of."));
                }
                continue;
            };
            let Some(part) = self.regions.get_mut(&code) else { continue };
            if part.years != whole.years {
                let (first, last) = (whole.years.start(), whole.years.end());
                faults.add(&pointer, "years", format!("Expected the years of `{country}`, {first} to {last}."));
            }
            for (day, name) in whole.holidays {
                if let Some(twice) = part.holidays.insert(day, name) {
                    let detail = format!("{day} ({twice}) is a holiday of `{country}` already.");
                    faults.add(format!("{pointer}/{}", day.year()), "duplicate", detail);
                }
            }
        }
    }
}

fn region(code: &str, place: &Place<'_>, faults: &mut Faults) -> Option<Region> {
    let country = code.split('-').next().unwrap_or_default();
    if !is_country(country) || (code != country && !is_region_of(code, country)) {
        let detail = format!("`{code}` is neither an ISO 3166-1 country nor an ISO 3166-2 part of one.");
        faults.add(&place.pointer, "region", detail);
    }
    let Some(members) = place.value.as_object() else {
        faults.add(&place.pointer, "type", "Expected a table with `zone` and years.");
        return None;
    };
    let mut zone_name = None;
    let mut years = BTreeMap::new();
    for (name, value) in members {
        let place = Place { value, pointer: format!("{}/{name}", place.pointer) };
        if name == "zone" {
            zone_name = zone(&place, faults);
        } else if let Some(number) = name.parse().ok().filter(|year| POSSIBLE.contains(year)) {
            years.insert(number, year(number, &place, faults));
        } else {
            faults.add(&place.pointer, "unknown_member", "Expected `zone`, or a year such as 2026.");
        }
    }
    if !members.contains_key("zone") {
        faults.add(format!("{}/zone", place.pointer), "required", "The member `zone` is required.");
    }
    let years_known = unbroken(&years, &place.pointer, faults)?;
    let holidays = years.into_values().flatten().collect();
    Some(Region { code: code.to_owned(), zone: zone_name?, years: years_known, holidays })
}

fn zone(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let name = place.text(64, faults)?;
    if tzdb::tz_by_name(&name).is_none() {
        faults.add(&place.pointer, "zone", format!("`{name}` is no IANA time zone, such as Europe/Berlin."));
        return None;
    }
    Some(name)
}

/// The years from the first to the last; a fault for each that is missing between.
fn unbroken<T>(years: &BTreeMap<i32, T>, pointer: &str, faults: &mut Faults) -> Option<RangeInclusive<i32>> {
    let (Some((first, _)), Some((last, _))) = (years.first_key_value(), years.last_key_value()) else {
        faults.add(pointer, "required", "Expected at least one year, such as 2026 = [\"01-01 Neujahr\"].");
        return None;
    };
    for missing in (*first..=*last).filter(|year| !years.contains_key(year)) {
        faults.add(format!("{pointer}/{missing}"), "gap", format!("{missing} is missing between {first} and {last}."));
    }
    Some(*first..=*last)
}

/// The holidays of one year, each `month-day name`, in order.
fn year(number: i32, place: &Place<'_>, faults: &mut Faults) -> Vec<(Date, String)> {
    let mut days: Vec<(Date, String)> = Vec::new();
    place.list(faults, |item, faults| {
        let (day, name) = holiday(number, item, faults)?;
        match days.last() {
            Some((last, _)) if *last == day => {
                faults.add(&item.pointer, "duplicate", format!("{day} is listed twice."));
            }
            Some((last, _)) if *last > day => {
                faults.add(&item.pointer, "order", format!("{day} stands after {last}; expected them in order."));
            }
            _ => {}
        }
        days.push((day, name));
        Some(())
    });
    days
}

fn holiday(year: i32, place: &Place<'_>, faults: &mut Faults) -> Option<(Date, String)> {
    let text = place.text(200, faults)?;
    let Some((day, name)) = text.split_once(' ') else {
        faults.add(
            &place.pointer,
            "form",
            format!("Expected month, day and name, such as \"01-01 Neujahr\", not \"{text}\"."),
        );
        return None;
    };
    // A whole date says its year once more; it must be the one it stands under.
    let (stated, day) = match day.len() {
        10 => (day.get(..4).unwrap_or_default().parse().unwrap_or(0), day.get(5..).unwrap_or_default()),
        _ => (year, day),
    };
    if stated != year {
        faults.add(&place.pointer, "year", format!("\"{text}\" stands under {year}."));
        return None;
    }
    let found = date(year, day);
    if found.is_none() {
        faults.add(
            &place.pointer,
            "date",
            format!("{year} has no day \"{day}\"; expected month and day, such as 12-25."),
        );
    }
    Some((found?, name.trim().to_owned()))
}

fn date(year: i32, day: &str) -> Option<Date> {
    let (month, day) = day.split_once('-')?;
    let number = |text: &str| if text.len() == 2 { text.parse::<u8>().ok() } else { None };
    Date::from_calendar_date(year, Month::try_from(number(month)?).ok()?, number(day)?).ok()
}
