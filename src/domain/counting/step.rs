//! One step of a computation: facts only, in no language. Words are made of it elsewhere.

use time::{Date, OffsetDateTime};

/// Which working days a period includes in the sense of Art. 3(5) Reg. 1182/71.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Those that it touches, if only for a minute.
    Touched,
    /// Those that lie in it from beginning to end.
    Full,
}

/// One step of a computation. Instants are UTC, days those of the legal zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Hours run from the very moment of the event.
    FromMoment {
        /// That moment.
        at: OffsetDateTime,
    },
    /// The hour in which the event falls is not counted.
    HourExcluded {
        /// Where the next one begins.
        counted_from: OffsetDateTime,
        /// Whether the event stands exactly where an hour begins, so that the other reading would count that hour.
        exact: bool,
    },
    /// The event falls where an hour begins, and that hour counts.
    FullHourCounted {
        /// The event.
        at: OffsetDateTime,
    },
    /// The span, added as elapsed time.
    Elapsed {
        /// From when.
        from: OffsetDateTime,
        /// To when.
        to: OffsetDateTime,
    },
    /// Weekends and holidays are counted, and the end stays where it is.
    WeekendsCount {
        /// The day in which the period ends.
        last: Date,
    },
    /// The day of the event is not counted.
    DayExcluded {
        /// That day.
        day: Date,
    },
    /// The last day after so many days.
    LastDay {
        /// That day.
        day: Date,
    },
    /// The last day after so many working days.
    LastWorkingDay {
        /// The first day that may be counted.
        first: Date,
        /// The last day.
        day: Date,
    },
    /// The same date so many months later.
    SameDate {
        /// That day.
        day: Date,
        /// Whether the month is too short, so that its last day takes the place of the date.
        cut: bool,
    },
    /// The last day is a working day and stays.
    StaysOnWorkingDay {
        /// That day.
        day: Date,
    },
    /// The last day is no working day: the next one takes its place.
    NextWorkingDay {
        /// The day that is none.
        from: Date,
        /// The next one that is.
        to: Date,
    },
    /// The end falls on no working day: noon of the next one takes its place.
    NoonOfNextWorkingDay {
        /// The day that is none.
        from: Date,
        /// The next one that is.
        to: Date,
    },
    /// The period includes two working days as it is.
    TwoWorkingDaysIncluded {
        /// How they are counted.
        reading: Reading,
    },
    /// The period is extended to the end of its second working day.
    ExtendedToSecondWorkingDay {
        /// How they are counted.
        reading: Reading,
        /// The first day of the period.
        first: Date,
        /// The second working day.
        second: Date,
    },
    /// The period is shorter than two days, so it needs not include two working days.
    ShorterThanTwoDays,
    /// The period ends at an instant within a day.
    EndsAt {
        /// That instant.
        due: OffsetDateTime,
    },
    /// The period ends with the last hour of a day.
    EndsWithDay {
        /// That day.
        day: Date,
        /// Its end.
        due: OffsetDateTime,
    },
}
