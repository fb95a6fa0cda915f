//! Supervisory authorities, as data: who is competent for whom. The file decides; no authority is named in code.

mod jurisdiction;
mod parse;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use time::{Date, OffsetDateTime};

use super::{
    fault::Faults,
    organisation::{Seat, Sector},
    parse::{Object, Place},
};

pub use jurisdiction::Jurisdiction;

/// One supervisory authority and for whom it is competent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Authority {
    /// Stable id: the country in lower case, a hyphen and a short name, such as `de-bw`.
    pub id: String,
    /// The official name, in the language of the country.
    pub name: String,
    /// A name in English, where that helps.
    pub name_en: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// ISO 3166-2; empty for the whole country.
    pub regions: BTreeSet<String>,
    /// The sectors it is competent for; empty for one that is only ever chosen by hand.
    pub sectors: BTreeSet<Sector>,
    /// Whether it stands for its country towards controllers that sit elsewhere, where the country has several.
    pub contact_point: bool,
    /// Where it is found.
    pub url: Option<String>,
    /// The first day of the row; none for as long as anybody remembers.
    #[serde(with = "day::option")]
    pub valid_from: Option<Date>,
    /// The last day of the row; none while open-ended.
    #[serde(with = "day::option")]
    pub valid_to: Option<Date>,
}

time::serde::format_description!(day, Date, "[year]-[month]-[day]");

/// Why an authority is competent, for one country or the whole EEA.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Basis {
    /// None for the whole EEA.
    country: Option<String>,
    /// Empty for every sector.
    sectors: BTreeSet<Sector>,
    text: String,
}

/// Every known authority.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorities {
    /// The version of the file.
    version: String,
    eea: BTreeSet<String>,
    rows: Vec<Authority>,
    bases: Vec<Basis>,
}

/// The authority that supervises an organisation, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Competence<'a> {
    /// None where the data do not tell; the basis then says what is missing.
    pub authority: Option<&'a Authority>,
    /// One sentence that begins with the article.
    pub basis: String,
}

/// The place that decides on competence: the main establishment, or the seat.
#[derive(Debug, Clone, Copy)]
struct Establishment<'a> {
    country: &'a str,
    region: Option<&'a str>,
    is_main: bool,
}

impl Authority {
    /// Whether the row holds on `day`.
    pub fn holds(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day <= to)
    }
}

impl Authorities {
    /// Reads the file of authorities; answers all faults at once.
    pub fn parse(file: &Value) -> Result<Self, Faults> {
        parse::authorities(file)
    }

    /// The version of the file, as it names itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every authority, by id.
    pub fn all(&self) -> &[Authority] {
        &self.rows
    }

    /// The authority with this id.
    pub fn find(&self, id: &str) -> Option<&Authority> {
        self.rows.binary_search_by(|row| row.id.as_str().cmp(id)).ok().and_then(|index| self.rows.get(index))
    }

    /// The authority that supervises who sits at `seat`, on the day `on`.
    ///
    /// The main establishment decides where it is not the seat (Art. 56(1) GDPR; § 40(2) BDSG within Germany). One outside the
    /// EEA does not take a controller with a seat inside out of it (Art. 4(16) GDPR).
    pub fn competent(&self, seat: &Seat, on: Date) -> Competence<'_> {
        let place = self.establishment(seat);
        let code = place.region.unwrap_or(place.country);
        let what = if place.is_main { "main establishment" } else { "seat" };
        if let Some(authority) = self.row_for(place.country, place.region, seat.sector, on) {
            let basis = match self.basis(place.country, seat.sector) {
                Some(law) => format!("{law}: {what} in {code}, sector {}", seat.sector),
                None => format!("{what} in {code}, sector {}", seat.sector),
            };
            return Competence { authority: Some(authority), basis };
        }
        let regional =
            |row: &Authority| row.country == place.country && row.sectors.contains(&seat.sector) && row.holds(on);
        let basis = if place.region.is_none() && self.rows.iter().any(regional) {
            format!(
                "The {what} in {code} names no region, which decides on the authority there (sector {})",
                seat.sector
            )
        } else {
            format!("No supervisory authority is known for a {what} in {code}, sector {}", seat.sector)
        };
        Competence { authority: None, basis }
    }

    /// Whether the GDPR applies in the country as the law of a Member State.
    fn in_eea(&self, country: &str) -> bool {
        self.eea.contains(country)
    }

    fn establishment<'s>(&self, seat: &'s Seat) -> Establishment<'s> {
        let of = |code: &'s str| match code.split_once('-') {
            Some((country, _)) => Establishment { country, region: Some(code), is_main: true },
            None => Establishment { country: code, region: None, is_main: true },
        };
        let own = Establishment { country: &seat.country, region: seat.region.as_deref(), is_main: false };
        match seat.main_establishment.as_deref().map(of) {
            // The main establishment is told by its country only, and the seat lies there: the seat's region still tells more.
            Some(main) if main.country == own.country && main.region.is_none() => own,
            Some(main) if self.in_eea(main.country) || !self.in_eea(own.country) => main,
            _ => own,
        }
    }

    /// The row for a place; one that names the region goes before one for the whole country.
    fn row_for(&self, country: &str, region: Option<&str>, sector: Sector, on: Date) -> Option<&Authority> {
        let fits = |row: &&Authority| row.country == country && row.sectors.contains(&sector) && row.holds(on);
        let named = |row: &&Authority| region.is_some_and(|region| row.regions.contains(region));
        let mut rows = self.rows.iter().filter(fits);
        rows.clone().find(named).or_else(|| rows.find(|row| row.regions.is_empty()))
    }

    /// The authority that stands for a whole country towards controllers elsewhere.
    fn contact(&self, country: &str, on: Date) -> Option<&Authority> {
        let mut rows = self.rows.iter().filter(|row| row.country == country && row.holds(on));
        rows.find(|row| row.contact_point).or_else(|| self.row_for(country, None, Sector::Private, on))
    }

    /// The most particular law that makes an authority competent.
    fn basis(&self, country: &str, sector: Sector) -> Option<&str> {
        let fits = |basis: &&Basis| {
            let here = basis.country.as_deref().map_or_else(|| self.in_eea(country), |own| own == country);
            here && (basis.sectors.is_empty() || basis.sectors.contains(&sector))
        };
        let particular = |basis: &&Basis| (basis.country.is_some(), !basis.sectors.is_empty());
        self.bases.iter().filter(fits).max_by_key(particular).map(|basis| basis.text.as_str())
    }
}

/// An authority chosen by hand instead of the one that follows from seat and sector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorityChoice {
    /// The id of the authority.
    pub authority: String,
    /// Why.
    pub reason: String,
    /// The person who chose.
    pub by: String,
    /// When it was recorded, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// The body of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChoice {
    /// The id of a known authority.
    pub authority: String,
    /// Why, at most 1,000 characters.
    pub reason: String,
    /// The person who chooses.
    pub by: String,
}

impl NewChoice {
    /// Reads the members of a choice from `object`, and leaves the others; the authority must be one of `known`.
    pub fn members(object: &mut Object<'_>, known: &Authorities, faults: &mut Faults) -> Option<Self> {
        let authority = object.required("authority", faults, |place, faults| {
            let id = place.text(64, faults)?;
            if known.find(&id).is_none() {
                faults.add(
                    &place.pointer,
                    "unknown_authority",
                    "There is no such authority; GET /v1/authorities lists all.",
                );
                return None;
            }
            Some(id)
        });
        let reason = object.required("reason", faults, |place: &Place<'_>, faults| place.text(1_000, faults));
        let by = object.required("by", faults, |place, faults| place.text(200, faults));
        Some(Self { authority: authority?, reason: reason?, by: by? })
    }
}

#[cfg(test)]
mod tests;
