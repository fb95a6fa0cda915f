//! Worked examples: published ones, and ones of our own for clock changes, leap days, year ends, zones and the Länder.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::calendar::tests::region;
use crate::domain::counting::CountingRule;

/// Name, rule, span, region, event, due time in the legal zone, due time in UTC.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

#[track_caller]
fn check(rows: &[Row]) {
    let instant = |text| OffsetDateTime::parse(text, &Rfc3339).unwrap();
    for (name, rule, span, code, event, local, utc) in rows {
        let region = region(code);
        let counted = CountingRule::from_code(rule).unwrap().count(instant(event), &span.parse().unwrap(), region);
        let counted = counted.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(counted.due_at, instant(utc), "{name}: {counted:?}");
        assert_eq!(region.to_local(counted.due_at).format(&Rfc3339).unwrap(), *local, "{name}");
    }
}

#[test]
#[rustfmt::skip]
fn published_examples_come_out() {
    check(&[
        ("H72-01", "eu_hours", "PT72H", "DE", "2020-12-22T12:17:00+01:00", "2020-12-25T13:00:00+01:00", "2020-12-25T12:00:00Z"),
        ("H72-04", "eu_hours", "PT72H", "DE", "2020-12-22T13:00:00+01:00", "2020-12-25T14:00:00+01:00", "2020-12-25T13:00:00Z"),
        ("H72-05", "eu_hours_ceil", "PT72H", "DE", "2020-12-22T13:00:00+01:00", "2020-12-25T13:00:00+01:00", "2020-12-25T12:00:00Z"),
        ("H72-08", "eu_hours", "PT72H", "DE", "2026-11-20T16:30:00+01:00", "2026-11-23T17:00:00+01:00", "2026-11-23T16:00:00Z"),
        ("H72-09", "eu_hours", "PT72H", "DE", "2026-11-21T23:40:00+01:00", "2026-11-25T00:00:00+01:00", "2026-11-24T23:00:00Z"),
        ("H72-10", "eu_hours", "PT72H", "DE", "2026-05-22T16:30:00+02:00", "2026-05-25T17:00:00+02:00", "2026-05-25T15:00:00Z"),
        ("H72-11", "eu_hours", "PT72H", "DE", "2026-10-24T14:20:00+02:00", "2026-10-27T14:00:00+01:00", "2026-10-27T13:00:00Z"),
        ("H72-13", "eu_hours", "PT72H", "DE", "2026-10-25T02:30:00+02:00", "2026-10-28T02:00:00+01:00", "2026-10-28T01:00:00Z"),
        ("H72-18", "eu_hours", "PT72H", "DE", "2026-11-20T21:00:00+05:30", "2026-11-23T17:00:00+01:00", "2026-11-23T16:00:00Z"),
        ("H72-23", "eu_hours", "PT72H", "DE", "2026-11-21T10:05:00+01:00", "2026-11-24T11:00:00+01:00", "2026-11-24T10:00:00Z"),
        ("N24-01", "natural_hours", "PT24H", "DE", "2026-11-20T16:42:10+01:00", "2026-11-21T16:42:10+01:00", "2026-11-21T15:42:10Z"),
        ("N24-02", "natural_hours", "PT24H", "DE", "2026-10-24T18:00:00+02:00", "2026-10-25T17:00:00+01:00", "2026-10-25T16:00:00Z"),
        ("DORA-03", "dora_weekend_noon", "PT72H", "DE", "2026-11-19T15:20:00+01:00", "2026-11-23T12:00:00+01:00", "2026-11-23T11:00:00Z"),
        ("OMN-01", "eu_hours", "PT96H", "DE", "2026-11-20T16:30:00+01:00", "2026-11-24T17:00:00+01:00", "2026-11-24T16:00:00Z"),
        ("MIN-01", "eu_hours_min2wd_touch", "PT72H", "DE", "2026-05-22T16:30:00+02:00", "2026-05-27T00:00:00+02:00", "2026-05-26T22:00:00Z"),
        ("D-01", "eu_days", "P3D", "DE", "2026-11-19T15:00:00+01:00", "2026-11-24T00:00:00+01:00", "2026-11-23T23:00:00Z"),
        ("M-02", "eu_months", "P1M", "DE", "2026-11-25T09:00:00+01:00", "2026-12-29T00:00:00+01:00", "2026-12-28T23:00:00Z"),
        ("B-01", "bgb_days", "P14D", "DE", "2026-11-20T14:00:00+01:00", "2026-12-05T00:00:00+01:00", "2026-12-04T23:00:00Z"),
        ("B-04", "bgb_days", "P14D", "DE-NW", "2027-10-18T08:00:00+02:00", "2027-11-03T00:00:00+01:00", "2027-11-02T23:00:00Z"),
    ]);
}

#[test]
#[rustfmt::skip]
fn hours_cross_clock_changes_leap_days_and_year_ends() {
    check(&[
        ("spring forward", "eu_hours", "PT72H", "DE", "2026-03-27T10:10:00+01:00", "2026-03-30T12:00:00+02:00", "2026-03-30T10:00:00Z"),
        ("the hour before the gap", "eu_hours", "PT72H", "DE", "2026-03-29T01:59:59+01:00", "2026-04-01T03:00:00+02:00", "2026-04-01T01:00:00Z"),
        ("repeated hour, second pass", "eu_hours", "PT72H", "DE", "2026-10-25T02:30:00+01:00", "2026-10-28T03:00:00+01:00", "2026-10-28T02:00:00Z"),
        ("24 h over the 23-h day", "natural_hours", "PT24H", "DE", "2026-03-28T18:00:00+01:00", "2026-03-29T19:00:00+02:00", "2026-03-29T17:00:00Z"),
        ("leap day", "eu_hours", "PT72H", "DE", "2028-02-27T09:15:00+01:00", "2028-03-01T10:00:00+01:00", "2028-03-01T09:00:00Z"),
        ("no leap day", "eu_hours", "PT72H", "DE", "2027-02-27T09:15:00+01:00", "2027-03-02T10:00:00+01:00", "2027-03-02T09:00:00Z"),
        ("year end", "eu_hours", "PT72H", "DE", "2026-12-30T23:30:00+01:00", "2027-01-03T00:00:00+01:00", "2027-01-02T23:00:00Z"),
        ("half past in Nepal's offset", "eu_hours", "PT72H", "DE", "2026-11-20T20:15:00+05:45", "2026-11-23T16:00:00+01:00", "2026-11-23T15:00:00Z"),
        ("full hour in no sender's offset", "eu_hours_ceil", "PT72H", "DE", "2026-11-20T20:30:00+05:30", "2026-11-23T16:00:00+01:00", "2026-11-23T15:00:00Z"),
        ("a microsecond after the full hour", "eu_hours_ceil", "PT72H", "DE", "2026-11-20T16:00:00.000001+01:00", "2026-11-23T17:00:00+01:00", "2026-11-23T16:00:00Z"),
        ("minutes of a contract", "natural_hours", "PT90M", "DE", "2026-12-31T23:00:00+01:00", "2027-01-01T00:30:00+01:00", "2026-12-31T23:30:00Z"),
        ("days of a contract are 24 hours", "natural_hours", "P1DT12H", "DE", "2026-10-24T18:00:00+02:00", "2026-10-26T05:00:00+01:00", "2026-10-26T04:00:00Z"),
        ("Lisbon", "eu_hours", "PT72H", "PT", "2026-10-24T14:20:00+01:00", "2026-10-27T14:00:00+00:00", "2026-10-27T14:00:00Z"),
        ("Helsinki", "eu_hours", "PT72H", "FI", "2026-10-24T14:20:00+03:00", "2026-10-27T14:00:00+02:00", "2026-10-27T12:00:00Z"),
        ("years without holidays", "eu_hours", "PT72H", "DE", "2099-01-01T00:30:00+01:00", "2099-01-04T01:00:00+01:00", "2099-01-04T00:00:00Z"),
    ].map(|mut row| { if row.5.ends_with("+00:00") { row.5 = row.6; } row }));
}

#[test]
#[rustfmt::skip]
fn noon_is_that_of_the_next_working_day() {
    check(&[
        ("ends on a working day", "dora_weekend_noon", "PT4H", "DE", "2026-11-20T10:20:00+01:00", "2026-11-20T14:20:00+01:00", "2026-11-20T13:20:00Z"),
        ("ends on Good Friday", "dora_weekend_noon", "PT24H", "DE", "2026-04-02T09:00:00+02:00", "2026-04-07T12:00:00+02:00", "2026-04-07T10:00:00Z"),
        ("ends with Friday's last hour", "dora_weekend_noon", "PT72H", "DE", "2026-11-18T00:00:00+01:00", "2026-11-21T00:00:00+01:00", "2026-11-20T23:00:00Z"),
        ("ends with Sunday's last hour", "dora_weekend_noon", "PT72H", "DE", "2026-11-20T00:00:00+01:00", "2026-11-23T12:00:00+01:00", "2026-11-23T11:00:00Z"),
        ("clocks change before noon", "dora_weekend_noon", "PT24H", "DE", "2026-10-24T00:30:00+02:00", "2026-10-26T12:00:00+01:00", "2026-10-26T11:00:00Z"),
        ("Reformation Day is none in Hesse", "dora_weekend_noon", "PT24H", "DE-HE", "2028-10-30T15:00:00+01:00", "2028-10-31T15:00:00+01:00", "2028-10-31T14:00:00Z"),
        ("Reformation Day in Saxony", "dora_weekend_noon", "PT24H", "DE-SN", "2028-10-30T15:00:00+01:00", "2028-11-01T12:00:00+01:00", "2028-11-01T11:00:00Z"),
        ("a month to a Sunday", "dora_weekend_noon", "P1M", "DE", "2026-10-22T10:00:00+02:00", "2026-11-23T12:00:00+01:00", "2026-11-23T11:00:00Z"),
        ("a month to a Friday", "dora_weekend_noon", "P1M", "DE", "2026-10-20T10:00:00+02:00", "2026-11-21T00:00:00+01:00", "2026-11-20T23:00:00Z"),
    ]);
}

#[test]
#[rustfmt::skip]
fn two_working_days_by_either_reading() {
    check(&[
        ("Friday to Monday touches both", "eu_hours_min2wd_touch", "PT72H", "DE", "2026-11-20T16:30:00+01:00", "2026-11-23T17:00:00+01:00", "2026-11-23T16:00:00Z"),
        ("Friday to Monday holds none in full", "eu_hours_min2wd_full", "PT72H", "DE", "2026-11-20T16:30:00+01:00", "2026-11-25T00:00:00+01:00", "2026-11-24T23:00:00Z"),
        ("Whit Monday, in full", "eu_hours_min2wd_full", "PT72H", "DE", "2026-05-22T16:30:00+02:00", "2026-05-28T00:00:00+02:00", "2026-05-27T22:00:00Z"),
        ("Monday holds two in full", "eu_hours_min2wd_full", "PT72H", "DE", "2026-11-16T16:30:00+01:00", "2026-11-19T17:00:00+01:00", "2026-11-19T16:00:00Z"),
        ("from midnight the first day is full", "eu_hours_min2wd_full", "PT48H", "DE", "2026-11-15T23:30:00+01:00", "2026-11-18T00:00:00+01:00", "2026-11-17T23:00:00Z"),
        ("shorter than two days", "eu_hours_min2wd_full", "PT47H", "DE", "2026-11-20T16:30:00+01:00", "2026-11-22T16:00:00+01:00", "2026-11-22T15:00:00Z"),
        ("Corpus Christi in Cologne, Thursday and the weekend", "eu_hours_min2wd_touch", "PT72H", "DE-NW", "2026-06-03T23:10:00+02:00", "2026-06-09T00:00:00+02:00", "2026-06-08T22:00:00Z"),
        ("no Corpus Christi in Hamburg", "eu_hours_min2wd_touch", "PT72H", "DE-HH", "2026-06-03T23:10:00+02:00", "2026-06-07T00:00:00+02:00", "2026-06-06T22:00:00Z"),
    ]);
}

#[test]
#[rustfmt::skip]
fn days_and_months_end_with_a_working_day() {
    check(&[
        ("one day", "eu_days", "P1D", "DE", "2026-11-18T15:00:00+01:00", "2026-11-20T00:00:00+01:00", "2026-11-19T23:00:00Z"),
        ("one day to Saturday", "eu_days", "P1D", "DE", "2026-11-20T15:00:00+01:00", "2026-11-24T00:00:00+01:00", "2026-11-23T23:00:00Z"),
        ("three days from Friday hold Monday only: 3(5)", "eu_days", "P3D", "DE", "2026-11-20T15:00:00+01:00", "2026-11-25T00:00:00+01:00", "2026-11-24T23:00:00Z"),
        ("two days from Thursday", "eu_days", "P2D", "DE", "2026-11-19T15:00:00+01:00", "2026-11-24T00:00:00+01:00", "2026-11-23T23:00:00Z"),
        ("fifteen days over the clock change", "eu_days", "P15D", "DE", "2026-10-14T15:00:00+02:00", "2026-10-30T00:00:00+01:00", "2026-10-29T23:00:00Z"),
        ("the day is that of the legal zone", "eu_days", "P1D", "DE", "2026-11-17T23:30:00Z", "2026-11-20T00:00:00+01:00", "2026-11-19T23:00:00Z"),
        ("the same instant in Dublin", "eu_days", "P1D", "IE", "2026-11-17T23:30:00Z", "2026-11-19T00:00:00Z", "2026-11-19T00:00:00Z"),
        ("the same instant in Nicosia", "eu_days", "P1D", "CY", "2026-11-17T23:30:00Z", "2026-11-20T00:00:00+02:00", "2026-11-19T22:00:00Z"),
        ("Good Friday of the East", "eu_days", "P1D", "CY", "2026-04-09T10:00:00+03:00", "2026-04-15T00:00:00+03:00", "2026-04-14T21:00:00Z"),
        ("Good Friday of the West is none there", "eu_days", "P1D", "CY", "2026-04-02T10:00:00+03:00", "2026-04-04T00:00:00+03:00", "2026-04-03T21:00:00Z"),
        ("31 January and a month", "eu_months", "P1M", "DE", "2028-01-31T09:00:00+01:00", "2028-03-01T00:00:00+01:00", "2028-02-29T23:00:00Z"),
        ("31 January, no leap day, a Sunday", "eu_months", "P1M", "DE", "2027-01-31T09:00:00+01:00", "2027-03-02T00:00:00+01:00", "2027-03-01T23:00:00Z"),
        ("a year from the leap day", "eu_months", "P1Y", "DE", "2028-02-29T09:00:00+01:00", "2029-03-01T00:00:00+01:00", "2029-02-28T23:00:00Z"),
        ("a month over the year end", "eu_months", "P1M", "DE", "2026-12-15T09:00:00+01:00", "2027-01-16T00:00:00+01:00", "2027-01-15T23:00:00Z"),
        ("to New Year's Day", "eu_months", "P1M", "DE", "2026-12-01T09:00:00+01:00", "2027-01-05T00:00:00+01:00", "2027-01-04T23:00:00Z"),
        ("five working days over a weekend", "eu_working_days", "P5D", "DE", "2026-11-19T15:00:00+01:00", "2026-11-27T00:00:00+01:00", "2026-11-26T23:00:00Z"),
        ("working days from a Saturday", "eu_working_days", "P1D", "DE", "2026-11-21T15:00:00+01:00", "2026-11-24T00:00:00+01:00", "2026-11-23T23:00:00Z"),
        ("three working days over Christmas", "eu_working_days", "P3D", "DE", "2026-12-23T15:00:00+01:00", "2026-12-30T00:00:00+01:00", "2026-12-29T23:00:00Z"),
        ("Midsummer in Helsinki", "eu_working_days", "P2D", "FI", "2026-06-17T15:00:00+03:00", "2026-06-23T00:00:00+03:00", "2026-06-22T21:00:00Z"),
        ("Carnation Day is a Saturday, Corpus Christi is not", "eu_working_days", "P1D", "PT", "2026-06-03T10:00:00+01:00", "2026-06-06T00:00:00+01:00", "2026-06-05T23:00:00Z"),
        ("All Saints is a working day in Berlin", "bgb_days", "P14D", "DE-BE", "2027-10-18T08:00:00+02:00", "2027-11-02T00:00:00+01:00", "2027-11-01T23:00:00Z"),
        ("the end is a Saturday", "bgb_days", "P1D", "DE", "2026-11-20T08:00:00+01:00", "2026-11-24T00:00:00+01:00", "2026-11-23T23:00:00Z"),
        ("civil law knows no two working days", "bgb_days", "P3D", "DE", "2026-11-20T15:00:00+01:00", "2026-11-24T00:00:00+01:00", "2026-11-23T23:00:00Z"),
        ("a month of civil law", "bgb_days", "P1M", "DE", "2026-11-25T09:00:00+01:00", "2026-12-29T00:00:00+01:00", "2026-12-28T23:00:00Z"),
    ]);
}
