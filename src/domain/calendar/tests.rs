//! The calendar: the file that is built in, faults of files, zones, and anchors that were worked out without the file's source.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use serde_json::{Value, json};
use time::macros::{date, datetime};
use time::{Date, Duration, Month};

use super::*;

const EEA: &str = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK";
const LAENDER: &str = "BB BE BW BY HB HE HH MV NI NW RP SH SL SN ST TH";

/// The calendar that is built in.
pub(crate) static BUILT_IN: LazyLock<Calendar> = LazyLock::new(|| Calendar::parse(&file()).unwrap());

fn file() -> Value {
    let table: toml::Table = include_str!("../../../law/regions.toml").parse().unwrap();
    serde_json::to_value(table).unwrap()
}

/// A region of the calendar that is built in.
pub(crate) fn region(code: &str) -> &'static Region {
    BUILT_IN.region(code).unwrap()
}

#[test]
fn every_region_of_the_interface_is_there() {
    let mut expected: Vec<_> = EEA.split(' ').chain(["GB", "CH"]).map(str::to_owned).collect();
    expected.extend(LAENDER.split(' ').map(|land| format!("DE-{land}")));
    expected.sort();
    let found: Vec<_> = BUILT_IN.regions().map(|region| region.code.clone()).collect();
    assert_eq!((found.len(), found), (48, expected));
    for region in BUILT_IN.regions() {
        for year in 2018..=2045 {
            let first = Date::from_calendar_date(year, Month::January, 1).unwrap();
            assert_eq!(region.is_working_day(first), Ok(false), "{} {year}", region.code);
        }
        for (day, year) in [(date!(2017 - 12 - 31), 2017), (date!(2046 - 01 - 01), 2046)] {
            let known = 2018..=2045;
            assert_eq!(region.is_working_day(day), Err(OutOfRange { region: region.code.clone(), year, known }));
        }
    }
}

#[test]
fn an_unknown_part_is_answered_with_its_country() {
    let code = |asked| BUILT_IN.region(asked).map(|region| region.code.as_str());
    assert_eq!(code("DE-BW"), Some("DE-BW"));
    assert_eq!((code("DE-XX"), code("AT-9"), code("FR-IDF")), (Some("DE"), Some("AT"), Some("FR")));
    for unknown in ["", "-", "DE-", "US", "US-CA", "XX", "de", "DE-BW-X", "DE-ÄÖ", "EU"] {
        assert_eq!(code(unknown), None, "{unknown}");
    }
    let exists = |asked| BUILT_IN.existing_region(asked).map(|region| region.code.as_str());
    assert_eq!(
        (exists("DE-BW"), exists("AT-9"), exists("DE-XX"), exists("DE-bw")),
        (Some("DE-BW"), Some("AT"), None, None)
    );
}

/// Easter Sunday of the Gregorian calendar, by the rule of Gauss as Lichtenberg corrected it.
fn easter(year: i32) -> Date {
    let century = year / 100;
    let moon = 15 + (3 * century + 3) / 4 - (8 * century + 13) / 25;
    let sun = 2 - (3 * century + 3) / 4;
    let golden = year % 19;
    let germ = (19 * golden + moon) % 30;
    let limit = 21 + germ - (germ + golden / 11) / 29;
    let sunday = 7 - (year + year / 4 + sun) % 7;
    let march = limit + 7 - (limit - sunday) % 7;
    Date::from_calendar_date(year, Month::March, 1).unwrap() + Duration::days(i64::from(march - 1))
}

/// Easter Sunday of the Julian calendar, as a day of the Gregorian one (13 days apart until 2099), by Meeus.
fn orthodox_easter(year: i32) -> Date {
    let moon = (19 * (year % 19) + 15) % 30;
    let sunday = (2 * (year % 4) + 4 * (year % 7) - moon + 34) % 7;
    let day = moon + sunday + 114;
    let month = Month::try_from(u8::try_from(day / 31).unwrap()).unwrap();
    Date::from_calendar_date(year, month, u8::try_from(day % 31 + 1).unwrap()).unwrap() + Duration::days(13)
}

#[test]
fn what_hangs_on_easter_is_where_easter_puts_it() {
    assert_eq!((easter(2026), orthodox_easter(2026)), (date!(2026 - 04 - 05), date!(2026 - 04 - 12)));
    for year in 2018..=2045 {
        let (west, east) = (easter(year), orthodox_easter(year));
        let is_off = |code: &str, day: Date| region(code).holiday(day).is_some();
        for (code, shift) in [
            ("DE", -2),
            ("DE", 1),
            ("DE", 39),
            ("DE", 50),
            ("DE-NW", 60),
            ("DE-BY", 60),
            ("AT", 60),
            ("FR", 39),
            ("SE", -2),
            ("PL", 60),
            ("IT", 1),
            ("IE", 1),
            ("NO", -3),
            ("DK", 50),
            ("ES", -2),
            ("PT", 60),
            ("CH", 39),
            ("GB", -2),
        ] {
            assert!(is_off(code, west + Duration::days(shift)), "{code} {year} {shift}");
        }
        for (code, shift) in [("GR", -48), ("GR", -2), ("GR", 1), ("CY", 50), ("RO", -2), ("BG", 1), ("GR", 50)] {
            assert!(is_off(code, east + Duration::days(shift)), "{code} {year} {shift}");
        }
        // Wednesday between 16 and 22 November: eleven days before the first Sunday of Advent.
        let repentance = (16..=22).map(|day| Date::from_calendar_date(year, Month::November, day).unwrap());
        let repentance = repentance.into_iter().find(|day| day.weekday() == Weekday::Wednesday).unwrap();
        for land in LAENDER.split(' ') {
            assert_eq!(is_off(&format!("DE-{land}"), repentance), land == "SN", "{land} {repentance}");
        }
    }
}

#[test]
fn the_laender_differ_as_their_laws_do() {
    let with = |day: Date| -> String {
        let has = |land: &&str| region(&format!("DE-{land}")).holiday(day).is_some();
        LAENDER.split(' ').filter(has).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(with(date!(2026 - 01 - 06)), "BW BY ST");
    assert_eq!(with(date!(2026 - 03 - 08)), "BE MV");
    assert_eq!(with(date!(2026 - 06 - 04)), "BW BY HE NW RP SL", "Fronleichnam");
    assert_eq!(with(date!(2026 - 08 - 15)), "SL", "Assumption: only parts of Bavaria");
    assert_eq!(with(date!(2026 - 08 - 08)), "", "Augsburg alone");
    assert_eq!(with(date!(2026 - 09 - 20)), "TH");
    assert_eq!(with(date!(2026 - 10 - 31)), "BB HB HH MV NI SH SN ST TH");
    assert_eq!(with(date!(2026 - 11 - 01)), "BW BY NW RP SL");
    assert_eq!(with(date!(2025 - 05 - 08)), "BE");
    assert_eq!(with(date!(2026 - 10 - 03)), LAENDER);
    assert_eq!(region("DE").holiday(date!(2026 - 06 - 04)), None);
    assert_eq!(region("DE-NW").holiday(date!(2026 - 11 - 01)), Some("Allerheiligen"));
    assert_eq!(region("DE-NW").holiday(date!(2026 - 12 - 25)), Some("Erster Weihnachtstag"));
}

#[test]
fn weekends_are_no_working_days() {
    let germany = region("DE");
    assert_eq!(germany.day_off(date!(2026 - 11 - 21)), Some(DayOff::Saturday));
    assert_eq!(germany.day_off(date!(2026 - 11 - 22)), Some(DayOff::Sunday));
    assert_eq!(germany.day_off(date!(2026 - 11 - 23)), None);
    assert_eq!(germany.day_off(date!(2026 - 05 - 25)), Some(DayOff::Holiday("Pfingstmontag")));
    assert_eq!(germany.is_working_day(date!(2026 - 11 - 23)), Ok(true));
}

#[test]
fn local_days_begin_in_the_legal_zone() {
    for (code, day, utc) in [
        ("DE", date!(2026 - 11 - 23), datetime!(2026-11-22 23:00 UTC)),
        ("DE", date!(2026 - 10 - 25), datetime!(2026-10-24 22:00 UTC)),
        ("DE", date!(2026 - 10 - 26), datetime!(2026-10-25 23:00 UTC)),
        ("DE", date!(2026 - 03 - 30), datetime!(2026-03-29 22:00 UTC)),
        ("PT", date!(2026 - 07 - 01), datetime!(2026-06-30 23:00 UTC)),
        ("IE", date!(2026 - 01 - 01), datetime!(2026-01-01 00:00 UTC)),
        ("FI", date!(2026 - 01 - 01), datetime!(2025-12-31 22:00 UTC)),
        ("CY", date!(2026 - 07 - 01), datetime!(2026-06-30 21:00 UTC)),
        ("IS", date!(2026 - 07 - 01), datetime!(2026-07-01 00:00 UTC)),
    ] {
        assert_eq!(region(code).midnight(day), utc, "{code} {day}");
    }
    assert_eq!(region("DE").to_local(datetime!(2026-10-25 00:30 UTC)).to_string(), "2026-10-25 2:30:00.0 +02:00:00");
    assert_eq!(region("DE").time_name(datetime!(2026-10-25 00:30 UTC)), "CEST");
    assert_eq!(region("DE").time_name(datetime!(2026-10-25 01:30 UTC)), "CET");
}

#[test]
fn a_day_begins_once_even_where_the_clocks_change_at_midnight() {
    // Lebanon went from 00:00 to 01:00 on 27 March 2022, and from 24:00 back to 23:00 on the evening of 29 October.
    let lebanon = Region { zone: "Asia/Beirut".to_owned(), ..region("CY").clone() };
    assert_eq!(lebanon.midnight(date!(2022 - 03 - 27)), datetime!(2022-03-26 22:00 UTC));
    assert_eq!(lebanon.midnight(date!(2022 - 10 - 30)), datetime!(2022-10-29 22:00 UTC));
    // Cuba repeats the hour after midnight: the day begins with the first of the two.
    let cuba = Region { zone: "America/Havana".to_owned(), ..region("ES").clone() };
    assert_eq!(cuba.midnight(date!(2022 - 11 - 06)), datetime!(2022-11-06 04:00 UTC));
    // Samoa skipped 30 December 2011 whole.
    let samoa = Region { zone: "Pacific/Apia".to_owned(), ..region("GB").clone() };
    assert_eq!(samoa.midnight(date!(2011 - 12 - 30)), samoa.midnight(date!(2011 - 12 - 31)));
}

fn faults(file: &Value) -> Vec<String> {
    let faults = Calendar::parse(file).unwrap_err();
    faults.as_slice().iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
}

#[test]
fn every_fault_of_a_file_is_named_at_once() {
    let germany = json!({"zone": "Europe/Berlin", "2026": ["01-01 Neujahr"], "2027": []});
    let file = json!({
        "version": "test",
        "DE": germany,
        "DE-BW": {"zone": "Europe/Berlin", "2026": ["01-01 Neujahr"], "2027": []},
        "DE-BY": {"zone": "Europe/Berlin", "2026": []},
        "DE-XX": germany,
        "XX": {"zone": "Europe/Berlin", "2026": []},
        "AT-9": {"zone": "Europe/Vienna", "2026": []},
        "FR": {"zone": "Europe/Atlantis", "2026": ["07-14 Fête nationale", "05-01 Travail", "05-01 Travail"]},
        "IT": {"2026": ["02-30 Nulla", "2027-01-01 Capodanno", "Capodanno", "1-1 Capodanno", 7], "2028": []},
        "ES": {"zone": "Europe/Madrid", "year": [], "0026": []},
        "PT": "Europe/Lisbon",
    });
    let mut expected = vec![
        "/AT-9 country",
        "/DE-BW/2026 duplicate",
        "/DE-BY years",
        "/DE-XX region",
        "/DE-XX/2026 duplicate",
        "/ES required",
        "/ES/0026 unknown_member",
        "/ES/year unknown_member",
        "/FR/2026/1 order",
        "/FR/2026/2 duplicate",
        "/FR/zone zone",
        "/IT/2026/0 date",
        "/IT/2026/1 year",
        "/IT/2026/2 form",
        "/IT/2026/3 date",
        "/IT/2026/4 type",
        "/IT/2027 gap",
        "/IT/zone required",
        "/PT type",
        "/XX region",
    ];
    expected.sort_unstable();
    let mut found = faults(&file);
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(faults(&json!({})), ["/version required", "/DE required"]);
    assert_eq!(faults(&json!([])), [" type"]);
}

#[test]
fn a_whole_date_may_stand_for_month_and_day() {
    let file = json!({"version": "1", "DE": {"zone": "Europe/Berlin", "2026": ["2026-01-01 Neujahr"]}});
    let calendar = Calendar::parse(&file).unwrap();
    assert_eq!(calendar.region("DE").unwrap().holiday(date!(2026 - 01 - 01)), Some("Neujahr"));
    assert_eq!(calendar.version(), "1");
}
