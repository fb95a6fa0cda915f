//! Reads the file of authorities and refuses what cannot be: two authorities for one organisation, or a place that does not exist.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Authorities, Authority, Basis};
use crate::domain::{
    fault::Faults,
    organisation::{self, Sector, is_region},
    parse::{Object, Place},
};

pub(super) fn authorities(file: &Value) -> Result<Authorities, Faults> {
    let mut faults = Faults::default();
    let read = Place::root(file).object(&mut faults).and_then(|object| members(object, &mut faults));
    faults.finish(read)
}

fn members(mut object: Object<'_>, faults: &mut Faults) -> Option<Authorities> {
    let version = object.required("version", faults, |place, faults| place.text(64, faults));
    let eea = object.optional("eea", faults, |place, faults| place.set(faults, organisation::country));
    let bases = object.optional("basis", faults, |place, faults| place.list(faults, Basis::parse));
    let rows = object.optional("authority", faults, |place, faults| {
        // A faulty row must not hide that two others overlap.
        let mut rows = Vec::new();
        place.list(faults, |item, faults| {
            rows.push((item.pointer.clone(), Authority::parse(item, faults)?));
            Some(())
        });
        unique(&rows, faults);
        overlaps(&rows, faults);
        Some(rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>())
    });
    object.close(faults);
    let mut rows = rows?.unwrap_or_default();
    rows.sort_by(|one, other| one.id.cmp(&other.id));
    Some(Authorities { version: version?, eea: eea?.unwrap_or_default(), rows, bases: bases?.unwrap_or_default() })
}

impl Basis {
    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let country = object.optional("country", faults, organisation::country);
        let sectors = object.optional("sectors", faults, |place, faults| place.filled_set(faults, sector));
        let text = object.required("text", faults, |place, faults| place.text(200, faults));
        object.close(faults);
        Some(Self { country: country?, sectors: sectors?.unwrap_or_default(), text: text? })
    }
}

impl Authority {
    fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let country = object.required("country", faults, organisation::country);
        let id = object.required("id", faults, |place, faults| id(place, country.as_deref(), faults));
        let name = object.required("name", faults, |place, faults| place.text(200, faults));
        let name_en = object.optional("name_en", faults, |place, faults| place.text(200, faults));
        let regions = object.optional("regions", faults, |place, faults| {
            place.filled_set(faults, |item, faults| region(item, country.as_deref(), faults))
        });
        let sectors = object.required("sectors", faults, sectors);
        let contact_point = object.optional("contact_point", faults, Place::boolean);
        let url = object.optional("url", faults, url);
        let valid_from = object.optional("valid_from", faults, Place::day);
        let valid_to = object.optional("valid_to", faults, Place::day);
        if let (Some(Some(from)), Some(Some(to))) = (valid_from, valid_to)
            && to < from
        {
            faults.add(format!("{}/valid_to", place.pointer), "time_order", "The last day lies before the first.");
        }
        object.close(faults);
        Some(Self {
            id: id?,
            name: name?,
            name_en: name_en?,
            country: country?,
            regions: regions?.unwrap_or_default(),
            sectors: sectors?,
            contact_point: contact_point?.unwrap_or(false),
            url: url?,
            valid_from: valid_from?,
            valid_to: valid_to?,
        })
    }
}

fn id(place: &Place<'_>, country: Option<&str>, faults: &mut Faults) -> Option<String> {
    let text = place.text(64, faults)?;
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let (prefix, rest) = text.split_once('-').unwrap_or_default();
    let fits = country.is_none_or(|country| prefix.eq_ignore_ascii_case(country));
    if plain && fits && prefix.len() == 2 && !rest.is_empty() {
        return Some(text);
    }
    faults.add(&place.pointer, "id", "Expected the country in lower case, a hyphen and a short name, such as de-bw.");
    None
}

fn region(place: &Place<'_>, country: Option<&str>, faults: &mut Faults) -> Option<String> {
    let code = place.text(6, faults)?;
    if country.is_none_or(|country| is_region(&code, country)) {
        return Some(code);
    }
    faults.add(&place.pointer, "region", "Expected an ISO 3166-2 code of this country, such as DE-BW.");
    None
}

fn sector(place: &Place<'_>, faults: &mut Faults) -> Option<Sector> {
    place.code(Sector::CODES, faults)
}

/// A list of sectors, or "all".
fn sectors(place: &Place<'_>, faults: &mut Faults) -> Option<BTreeSet<Sector>> {
    if place.value == "all" {
        return Some(Sector::CODES.iter().map(|(_, sector)| *sector).collect());
    }
    place.set(faults, sector)
}

fn url(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let text = place.text(200, faults)?;
    if text.starts_with("https://") && text.len() > "https://".len() && !text.contains(char::is_whitespace) {
        return Some(text);
    }
    faults.add(&place.pointer, "url", "Expected an address that begins with https://.");
    None
}

fn unique(rows: &[(String, Authority)], faults: &mut Faults) {
    let mut known = BTreeSet::new();
    for (pointer, row) in rows {
        if !known.insert(&row.id) {
            faults.add(format!("{pointer}/id"), "duplicate", format!("The id {} stands in the file already.", row.id));
        }
    }
}

/// Notes where two rows of equal precision are competent for the same organisations on the same day, or both stand for a country.
fn overlaps(rows: &[(String, Authority)], faults: &mut Faults) {
    let mut by_country: BTreeMap<&str, Vec<&(String, Authority)>> = BTreeMap::new();
    for row in rows {
        by_country.entry(&row.1.country).or_default().push(row);
    }
    for rows in by_country.values() {
        for (index, (pointer, row)) in rows.iter().copied().enumerate() {
            let before = rows.iter().take(index).map(|(_, earlier)| earlier);
            for earlier in before.filter(|earlier| same_days(earlier, row)) {
                if let Some((place, sector)) = shared(earlier, row) {
                    let detail =
                        format!("{} and {} are both competent for {place}, sector {sector}.", earlier.id, row.id);
                    faults.add(pointer, "overlap", detail);
                }
                if earlier.contact_point && row.contact_point {
                    let detail =
                        format!("{} and {} are both the contact point of {}.", earlier.id, row.id, row.country);
                    faults.add(format!("{pointer}/contact_point"), "overlap", detail);
                }
            }
        }
    }
}

fn same_days(one: &Authority, other: &Authority) -> bool {
    let ends_before = |one: &Authority, other: &Authority| match (one.valid_to, other.valid_from) {
        (Some(to), Some(from)) => to < from,
        _ => false,
    };
    !ends_before(one, other) && !ends_before(other, one)
}

/// The first place and sector that both rows are competent for with equal precision.
fn shared<'a>(one: &'a Authority, other: &'a Authority) -> Option<(&'a str, Sector)> {
    let sector = one.sectors.intersection(&other.sectors).next()?;
    let place = match (one.regions.is_empty(), other.regions.is_empty()) {
        (true, true) => one.country.as_str(),
        (false, false) => one.regions.intersection(&other.regions).next()?,
        _ => return None,
    };
    Some((place, *sector))
}
