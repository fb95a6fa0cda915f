//! The question "when is this due?", read from the texts that somebody typed, with all faults at once.

use std::str::FromStr;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Counted, CountingError, CountingRule};
use crate::domain::calendar::{Calendar, DEFAULT_REGION, Region};
use crate::domain::fault::Faults;
use crate::domain::parse::parse_instant;
use crate::domain::span::Span;

/// What somebody typed; absent and empty are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// A counting rule by name.
    pub rule: Option<String>,
    /// An ISO 8601 duration.
    pub span: Option<String>,
    /// RFC 3339 with offset.
    pub from: Option<String>,
    /// ISO 3166; `DE` where absent.
    pub region: Option<String>,
}

/// A question that makes sense, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'c> {
    /// The counting rule.
    pub rule: CountingRule,
    /// The span that it counts.
    pub span: Span,
    /// The event, with the offset that it was typed with.
    pub from: OffsetDateTime,
    /// Whose zone and holidays count.
    pub region: &'c Region,
    /// The answer.
    pub counted: Counted,
}

impl<'c> Question<'c> {
    /// Reads a question and answers it; every fault names its parameter by a pointer such as `/span`.
    pub fn answer(asked: &Asked, calendar: &'c Calendar) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let rule = read("rule", asked.rule.as_deref(), &mut faults, |text| {
            let names: Vec<_> = CountingRule::CODES.iter().map(|(name, _)| *name).collect();
            CountingRule::from_code(text).ok_or_else(|| format!("Expected one of: {}.", names.join(", ")))
        });
        let span = read("span", asked.span.as_deref(), &mut faults, |text| {
            if Span::from_str(text) == Ok(Span::WithoutUndueDelay) {
                return Err("\"Without undue delay\" is no number of hours, so there is nothing to count.".to_owned());
            }
            Span::from_str(text).map_err(|error| format!("{error}.").replacen('e', "E", 1))
        });
        let from = read("from", asked.from.as_deref(), &mut faults, |text| {
            instant(text).ok_or_else(|| "Expected a time with offset, such as 2026-10-24T14:20:00+02:00.".to_owned())
        });
        let region = read("region", Some(region_code(asked)), &mut faults, |code| {
            let fault =
                || format!("`{code}` is no region known here; expected an ISO 3166 code such as DE, DE-BW or FR.");
            calendar.existing_region(code).ok_or_else(fault)
        });
        let (Some(rule), Some(span)) = (rule, span) else { return Err(faults) };
        if !rule.counts(&span) {
            note("span", &CountingError::Unit { rule, span }, &mut faults);
            return Err(faults);
        }
        let (Some(from), Some(region)) = (from, region) else { return Err(faults) };
        match rule.count(from, &span, region) {
            Ok(counted) => Ok(Self { rule, span, from, region, counted }),
            Err(error) => {
                note("from", &error, &mut faults);
                Err(faults)
            }
        }
    }
}

fn region_code(asked: &Asked) -> &str {
    asked.region.as_deref().filter(|code| !code.is_empty()).unwrap_or(DEFAULT_REGION)
}

fn read<T>(
    name: &str,
    text: Option<&str>,
    faults: &mut Faults,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        faults.add(format!("/{name}"), "required", format!("`{name}` is required."));
        return None;
    };
    parse(text).map_err(|detail| faults.add(format!("/{name}"), "invalid", detail)).ok()
}

fn note(name: &str, error: &CountingError, faults: &mut Faults) {
    let code = match error {
        CountingError::Unit { .. } => "unit",
        CountingError::Holidays(_) => "holidays_unknown",
        CountingError::TooFar => "too_far",
    };
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter();
    faults.add(format!("/{name}"), code, first.chain(letters).chain(['.']).collect::<String>());
}

/// Cut to microseconds like every instant here, but with the offset that was typed.
fn instant(text: &str) -> Option<OffsetDateTime> {
    let offset = OffsetDateTime::parse(text, &Rfc3339).ok()?.offset();
    parse_instant(text)?.checked_to_offset(offset)
}
