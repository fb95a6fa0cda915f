//! The sentence and the legal basis of every kind of step.

use time::Duration;

use super::ExplainedStep;
use super::wording::Wording;
use crate::domain::counting::{CountingRule, Question, Reading, Step};

impl Wording<'_> {
    /// A step in words.
    pub(super) fn step(&self, question: &Question<'_>, step: Step) -> ExplainedStep {
        let basis = self.words("basis", basis(question.rule, step)).to_owned();
        ExplainedStep { text: self.text(question, step), basis }
    }

    fn text(&self, question: &Question<'_>, step: Step) -> String {
        let sentence = |code| self.words("step", code).replace("{zone}", &self.region.zone);
        let span = || self.span(&question.span, question.rule);
        let at = |code, instant| sentence(code).replace("{at}", &self.moment(instant));
        let day = |code, day| sentence(code).replace("{day}", &self.named_day(day)).replace("{span}", &span());
        match step {
            Step::FromMoment { at: moment } => at("from_moment", moment),
            Step::HourExcluded { counted_from, exact: false } => at("hour_excluded", counted_from),
            Step::HourExcluded { counted_from, exact: true } => at("hour_excluded_exact", counted_from),
            Step::FullHourCounted { at: moment } => at("full_hour_counted", moment),
            Step::Elapsed { from, to } => {
                let shift = self.region.to_local(to).offset().whole_seconds()
                    - self.region.to_local(from).offset().whole_seconds();
                at("elapsed", to).replace("{span}", &span()) + &self.clocks(Duration::seconds(i64::from(shift)))
            }
            Step::WeekendsCount { last } if self.region.day_off(last).is_some() => day("weekends_count_off", last),
            Step::WeekendsCount { .. } => sentence("weekends_count"),
            Step::DayExcluded { day: event } => day("day_excluded", event),
            Step::LastDay { day: last } => day("last_day", last),
            Step::LastWorkingDay { first, day: last } => {
                let off = self.weekday_holidays(first, last);
                day("last_working_day", last) + &self.and("left_out", off)
            }
            Step::SameDate { day: last, cut: false } => day("same_date", last),
            Step::SameDate { day: last, cut: true } => day("same_date_cut", last),
            Step::StaysOnWorkingDay { day: last } => day("stays", last),
            Step::NextWorkingDay { from, to } => {
                day("next_working_day", to).replace("{off}", &self.days_off(from, to).unwrap_or_default())
            }
            Step::NoonOfNextWorkingDay { from, to } => {
                day("noon", to).replace("{off}", &self.days_off(from, to).unwrap_or_default())
            }
            Step::TwoWorkingDaysIncluded { reading: Reading::Touched } => {
                sentence("two_touched") + &self.minority(question)
            }
            Step::TwoWorkingDaysIncluded { reading: Reading::Full } => sentence("two_full") + &self.minority(question),
            Step::ExtendedToSecondWorkingDay { reading, first, second } => {
                let code = match reading {
                    _ if question.rule == CountingRule::EuDays => "extended_days",
                    Reading::Touched => "extended_touched",
                    Reading::Full => "extended_full",
                };
                day(code, second) + &self.and("no_working_day", self.days_off(first, second)) + &self.minority(question)
            }
            Step::ShorterThanTwoDays => sentence("short"),
            Step::EndsAt { due } => at("ends_at", due),
            Step::EndsWithDay { day: last, due } => at("ends_with_day", due).replace("{day}", &self.day(last)),
        }
    }

    /// One more sentence about days, where there are any.
    fn and(&self, code: &str, off: Option<String>) -> String {
        off.map(|off| format!(" {}", self.words("step", code).replace("{off}", &off))).unwrap_or_default()
    }

    /// One more sentence where the two working days are read into a period of hours.
    fn minority(&self, question: &Question<'_>) -> String {
        match question.rule {
            CountingRule::EuDays => String::new(),
            _ => format!(" {}", self.words("step", "minority")),
        }
    }

    /// One more sentence where the clocks change on the way.
    fn clocks(&self, shift: Duration) -> String {
        if shift.is_zero() {
            return String::new();
        }
        let code = if shift.is_negative() { "clocks_back" } else { "clocks_forward" };
        format!(" {}", self.words("step", code).replace("{shift}", &self.length(shift.abs())))
    }
}

/// The code of the article that a step rests on.
fn basis(rule: CountingRule, step: Step) -> &'static str {
    use CountingRule::{BgbDays, DoraWeekendNoon, NaturalHours};
    match (rule, step) {
        (BgbDays, Step::DayExcluded { .. }) => "bgb_187_1",
        (BgbDays, Step::SameDate { cut: false, .. }) => "bgb_188_2",
        (BgbDays, Step::SameDate { cut: true, .. }) => "bgb_188_3",
        (BgbDays, Step::StaysOnWorkingDay { .. } | Step::NextWorkingDay { .. }) => "bgb_193",
        (BgbDays, _) => "bgb_188_1",
        (NaturalHours, Step::WeekendsCount { .. }) => "natural_weekends",
        (NaturalHours, _) => "natural",
        (DoraWeekendNoon, Step::StaysOnWorkingDay { .. } | Step::NoonOfNextWorkingDay { .. }) => "dora_noon",
        (DoraWeekendNoon, Step::FromMoment { .. } | Step::Elapsed { .. } | Step::EndsAt { .. }) => "dora",
        (_, Step::HourExcluded { .. } | Step::FullHourCounted { .. } | Step::DayExcluded { .. }) => "eu_3_1",
        (_, Step::FromMoment { .. } | Step::Elapsed { .. } | Step::EndsAt { .. }) => "eu_3_2_a",
        (_, Step::LastDay { .. } | Step::EndsWithDay { .. }) => "eu_3_2_b",
        (_, Step::SameDate { .. }) => "eu_3_2_c",
        (_, Step::WeekendsCount { .. }) => "eu_3_3_and_4",
        (_, Step::LastWorkingDay { .. }) => "eu_working_days",
        (_, Step::StaysOnWorkingDay { .. } | Step::NextWorkingDay { .. } | Step::NoonOfNextWorkingDay { .. }) => {
            "eu_3_4"
        }
        (
            _,
            Step::TwoWorkingDaysIncluded { .. } | Step::ExtendedToSecondWorkingDay { .. } | Step::ShorterThanTwoDays,
        ) => "eu_3_5",
    }
}
