//! How a period was counted, step by step, in words: each step a sentence with its legal basis. Times are those of the legal zone.

mod steps;
mod wording;

use serde::Serialize;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, Time, UtcOffset};

use super::Language;
use crate::domain::calendar::Calendar;
use crate::domain::counting::{Asked, CountingRule, Question};
use crate::domain::fault::Faults;
use crate::domain::span::Span;
use wording::Wording;

/// The answer to the question when something is due, and how that comes about. Serialises to the shape of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The counting rule.
    pub rule: CountingRule,
    /// The span that it counts.
    pub span: Span,
    /// The event, with the offset that was sent.
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    /// The region whose zone and holidays count.
    pub region: String,
    /// From when hours are counted, UTC; none for days and months.
    #[serde(with = "time::serde::rfc3339::option")]
    pub counted_from: Option<OffsetDateTime>,
    /// The end, UTC. An act at that very instant is late.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// The same instant with the offset of the legal zone.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at_local: OffsetDateTime,
    /// What was done, in order.
    pub steps: Vec<ExplainedStep>,
    /// What stands above the steps when people read it: names and values.
    #[serde(skip)]
    pub summary: Vec<(String, Vec<String>)>,
}

/// One step in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedStep {
    /// One sentence or a few.
    pub text: String,
    /// The article that it rests on.
    pub basis: String,
}

/// Reads a question, counts, and explains; every fault of the question names its parameter by a pointer such as `/span`.
pub fn explain(asked: &Asked, calendar: &Calendar, language: Language) -> Result<Explanation, Faults> {
    let question = Question::answer(asked, calendar)?;
    let wording = Wording { language, region: question.region };
    let counted = &question.counted;
    let steps = counted.steps.iter().map(|step| wording.step(&question, *step)).collect();
    Ok(Explanation {
        rule: question.rule,
        from: question.from,
        region: question.region.code.clone(),
        counted_from: counted.counted_from,
        due_at: counted.due_at,
        due_at_local: question.region.to_local(counted.due_at),
        steps,
        summary: summary(&question, &wording),
        span: question.span,
    })
}

fn summary(question: &Question<'_>, wording: &Wording<'_>) -> Vec<(String, Vec<String>)> {
    let name = |code| wording.form(code).to_owned();
    let due_at = question.counted.due_at;
    let utc = due_at.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default();
    let local = question.region.to_local(due_at);
    // At midnight the day on the clock is not the day that people mean.
    let late = match local.date().previous_day() {
        Some(day) if local.time() == Time::MIDNIGHT => name("late_midnight").replace("{day}", &wording.day(day)),
        _ => name("late"),
    };
    let rule = format!("{}: {} ({})", question.span, wording.rule(question.rule), question.rule);
    let place = wording.form("place_is").replace("{region}", &question.region.code);
    vec![
        (name("due"), vec![wording.stamp(due_at), utc, late]),
        (name("event"), vec![wording.stamp(question.from)]),
        (name("counted"), vec![rule]),
        (name("place"), vec![place.replace("{zone}", &question.region.zone)]),
    ]
}
