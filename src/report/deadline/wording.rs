//! Days, moments and amounts in words of one language.

use std::sync::LazyLock;

use time::{Date, Duration, OffsetDateTime};

use super::Language;
use crate::domain::calendar::{DayOff, Region};
use crate::domain::counting::CountingRule;
use crate::domain::span::Span;
use crate::report::labels::Labels;

static GERMAN: LazyLock<Labels> = LazyLock::new(|| Labels::read(include_str!("words.de.json")));
static ENGLISH: LazyLock<Labels> = LazyLock::new(|| Labels::read(include_str!("words.en.json")));

/// A language, and the region whose zone and holidays are told.
pub(super) struct Wording<'r> {
    pub(super) language: Language,
    pub(super) region: &'r Region,
}

impl Wording<'_> {
    /// The words of a group and code.
    pub(super) fn words<'a>(&self, group: &str, code: &'a str) -> &'a str {
        match self.language {
            Language::German => GERMAN.get(group, code),
            Language::English => ENGLISH.get(group, code),
        }
    }

    /// A fixed word of the summary.
    pub(super) fn form<'a>(&self, code: &'a str) -> &'a str {
        self.words("form", code)
    }

    /// What a rule does, in a few words.
    pub(super) fn rule(&self, rule: CountingRule) -> &'static str {
        self.language.labels().get("counting_rule", rule.as_str())
    }

    /// A day, such as `Tuesday 27 October 2026`.
    pub(super) fn day(&self, day: Date) -> String {
        let (year, month, number) = day.to_calendar_date();
        let month = u8::from(month).to_string();
        let weekday = day.weekday().number_from_monday().to_string();
        self.form("day")
            .replace("{weekday}", self.words("weekday", &weekday))
            .replace("{day}", &number.to_string())
            .replace("{month}", self.language.labels().get("month", &month))
            .replace("{year}", &year.to_string())
    }

    /// A day, with its name if it is a public holiday.
    pub(super) fn named_day(&self, day: Date) -> String {
        match self.region.holiday(day) {
            Some(name) => self.form("named").replace("{day}", &self.day(day)).replace("{name}", name),
            None => self.day(day),
        }
    }

    /// The days from `first` up to `last`, `last` left out, that are no working days; public holidays by name.
    pub(super) fn days_off(&self, first: Date, last: Date) -> Option<String> {
        let days = days(first, last).filter(|day| self.region.day_off(*day).is_some());
        self.listed(days)
    }

    /// The public holidays from `first` up to `last` that are neither Saturday nor Sunday.
    pub(super) fn weekday_holidays(&self, first: Date, last: Date) -> Option<String> {
        let is_weekday = |day: &Date| day.weekday().number_from_monday() < 6;
        let is_holiday = |day: &Date| matches!(self.region.day_off(*day), Some(DayOff::Holiday(_)));
        self.listed(days(first, last).filter(is_weekday).filter(is_holiday))
    }

    fn listed(&self, days: impl Iterator<Item = Date>) -> Option<String> {
        let named: Vec<_> = days.map(|day| self.named_day(day)).collect();
        (!named.is_empty()).then(|| named.join("; "))
    }

    /// An instant in the legal zone within a sentence, such as `14:00 CET on Tuesday 27 October 2026`.
    pub(super) fn moment(&self, instant: OffsetDateTime) -> String {
        self.shown("moment", instant)
    }

    /// An instant in the legal zone that stands alone, such as `Tuesday 27 October 2026, 14:00 CET`.
    pub(super) fn stamp(&self, instant: OffsetDateTime) -> String {
        self.shown("stamp", instant)
    }

    /// No part of a second is lost.
    fn shown(&self, form: &str, instant: OffsetDateTime) -> String {
        let local = self.region.to_local(instant);
        let (hour, minute, second, micro) = local.to_hms_micro();
        let clock = match (second, micro) {
            (0, 0) => format!("{hour:02}:{minute:02}"),
            (_, 0) => format!("{hour:02}:{minute:02}:{second:02}"),
            _ => format!("{hour:02}:{minute:02}:{second:02}.{micro:06}"),
        };
        let zone = self.region.time_name(instant);
        self.form(form)
            .replace("{day}", &self.day(local.date()))
            .replace("{clock}", &clock)
            .replace("{zone}", self.language.labels().get("zone", zone))
    }

    /// A span as an amount, such as `72 hours`; days are working days where `rule` counts those.
    pub(super) fn span(&self, span: &Span, rule: CountingRule) -> String {
        match span {
            Span::Months(months) => self.amount("month", i64::from(months.count())),
            Span::Within(within) => {
                let unit = if rule == CountingRule::EuWorkingDays { "working_day" } else { "day" };
                let days = (within.days() > 0).then(|| self.amount(unit, i64::from(within.days())));
                let clock = (!within.clock().is_zero()).then(|| self.length(within.clock()));
                let parts: Vec<_> = days.into_iter().chain(clock).collect();
                parts.join(self.words("amount", "and"))
            }
            Span::WithoutUndueDelay => self.language.labels().get("counting_rule", span.as_str()).to_owned(),
        }
    }

    /// Hours and minutes.
    pub(super) fn length(&self, length: Duration) -> String {
        let (hours, minutes) = (length.whole_hours(), length.whole_minutes() % 60);
        let parts = [("hour", hours), ("minute", minutes)].into_iter().filter(|(_, number)| *number > 0);
        let parts: Vec<_> = parts.map(|(unit, number)| self.amount(unit, number)).collect();
        parts.join(self.words("amount", "and"))
    }

    fn amount(&self, unit: &str, number: i64) -> String {
        match number {
            1 => self.words("amount", unit).to_owned(),
            _ => self.words("amount", &format!("{unit}s")).replace("{n}", &number.to_string()),
        }
    }
}

fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |day| day.next_day()).take_while(move |day| *day < last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words in braces of a sentence, in order.
    fn gaps(text: &str) -> Vec<&str> {
        let mut gaps: Vec<_> = text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        gaps.sort_unstable();
        gaps.dedup();
        gaps
    }

    #[test]
    fn both_languages_say_the_same_things() {
        let english = ENGLISH.each().collect::<Vec<_>>();
        assert!(english.len() > 50);
        let german = GERMAN.each().collect::<Vec<_>>();
        let keys = |words: &[(&str, &str, &str)]| {
            words.iter().map(|(group, code, text)| format!("{group}/{code} {:?}", gaps(text))).collect::<Vec<_>>()
        };
        assert_eq!(keys(&english), keys(&german));
    }
}
