//! Instants as a reader sees them: local date and time of a named zone, with the zone said.
//!
//! Nothing is counted here; an instant goes in and a text comes out.

use time::{OffsetDateTime, UtcOffset};
use tzdb::tz_by_name;

use super::{Language, ReportError};

/// A zone and a language for showing instants.
pub struct Display<'a> {
    zone: &'a str,
    language: Language,
}

impl<'a> Display<'a> {
    /// Looks the zone up by its IANA name; an unknown name is an error.
    pub fn new(zone: &'a str, language: Language) -> Result<Self, ReportError> {
        match tz_by_name(zone) {
            Some(_) => Ok(Self { zone, language }),
            None => Err(ReportError::UnknownZone(zone.to_owned())),
        }
    }

    /// Shows an instant as `22.11.2026, 01:10 Uhr (MEZ)` or `22 November 2026, 01:10 CET`.
    ///
    /// Seconds appear only where they are not zero, so that no time limit is rounded.
    pub fn moment(&self, instant: OffsetDateTime) -> String {
        let (offset, designation) = self.local(instant);
        let local = instant.to_offset(offset);
        let labels = self.language.labels();
        let zone = labels.get("zone", &designation);
        let (year, month, day) = local.to_calendar_date();
        let (hour, minute, second) = local.to_hms();
        let clock = match second {
            0 => format!("{hour:02}:{minute:02}"),
            _ => format!("{hour:02}:{minute:02}:{second:02}"),
        };
        let month = u8::from(month);
        match self.language {
            Language::German => format!("{day:02}.{month:02}.{year}, {clock} Uhr ({zone})"),
            Language::English => {
                let number = month.to_string();
                format!("{day} {} {year}, {clock} {zone}", labels.get("month", &number))
            }
        }
    }

    /// The offset and the abbreviation in force at an instant; UTC where the zone's data does not reach.
    fn local(&self, instant: OffsetDateTime) -> (UtcOffset, String) {
        let zone = tz_by_name(self.zone);
        let found = zone.as_ref().and_then(|zone| zone.find_local_time_type(instant.unix_timestamp()).ok());
        let offset = found.and_then(|kind| UtcOffset::from_whole_seconds(kind.ut_offset()).ok());
        match (found, offset) {
            (Some(kind), Some(offset)) => (offset, kind.time_zone_designation().to_owned()),
            _ => (UtcOffset::UTC, "UTC".to_owned()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn shown(zone: &str, language: Language, instant: OffsetDateTime) -> String {
        Display::new(zone, language).unwrap().moment(instant)
    }

    #[test]
    fn berlin_winter_and_summer_time() {
        let winter = datetime!(2026-11-22 00:10 UTC);
        assert_eq!(shown("Europe/Berlin", Language::German, winter), "22.11.2026, 01:10 Uhr (MEZ)");
        assert_eq!(shown("Europe/Berlin", Language::English, winter), "22 November 2026, 01:10 CET");
        let summer = datetime!(2026-06-30 22:05:09 UTC);
        assert_eq!(shown("Europe/Berlin", Language::German, summer), "01.07.2026, 00:05:09 Uhr (MESZ)");
    }

    #[test]
    fn the_repeated_autumn_hour_is_told_apart_by_the_zone() {
        assert_eq!(
            shown("Europe/Berlin", Language::German, datetime!(2026-10-25 00:30 UTC)),
            "25.10.2026, 02:30 Uhr (MESZ)"
        );
        assert_eq!(
            shown("Europe/Berlin", Language::German, datetime!(2026-10-25 01:30 UTC)),
            "25.10.2026, 02:30 Uhr (MEZ)"
        );
    }

    #[test]
    fn other_zones_keep_their_own_abbreviation_and_unknown_ones_are_refused() {
        assert_eq!(
            shown("Asia/Kolkata", Language::English, datetime!(2026-11-20 15:30 UTC)),
            "20 November 2026, 21:00 IST"
        );
        assert!(matches!(Display::new("Europe/Atlantis", Language::English), Err(ReportError::UnknownZone(_))));
    }
}
