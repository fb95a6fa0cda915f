//! What is told to webhooks: the event types and the patterns that choose among them. Sends nothing.

use std::fmt;

use serde::Serialize;

use super::fault::Faults;
use super::parse::Place;

/// A type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// The first notice of an incident.
    NoticeInitial,
    /// A later notice that adds to the one before.
    NoticeSupplement,
    /// A later notice that corrects the one before.
    NoticeCorrection,
    /// A later notice after which nothing is open.
    NoticeCompletion,
    /// A later notice that there was no breach after all.
    NoticeWithdrawal,
    /// A notice that nobody has acknowledged yet, told again.
    NoticeReminder,
    /// For the processor: a notice has not arrived or was not acknowledged, and somebody has to see to it.
    NoticeEscalated,
    /// For the processor: the controller disputes a notice, and somebody has to look at it.
    NoticeDisputed,
    /// A part of a duty's window has passed.
    DutyDueSoon,
    /// A duty's alarm time has passed.
    DutyOverdue,
    /// A duty was fulfilled.
    DutyMet,
    /// Somebody wants to see whether the endpoint works.
    EndpointTest,
    /// Asks the endpoint to prove that it is what it claims to be.
    EndpointVerify,
}

impl EventType {
    /// Every type with its code.
    pub const CODES: &'static [(&'static str, Self)] = &[
        ("notice.initial", Self::NoticeInitial),
        ("notice.supplement", Self::NoticeSupplement),
        ("notice.correction", Self::NoticeCorrection),
        ("notice.completion", Self::NoticeCompletion),
        ("notice.withdrawal", Self::NoticeWithdrawal),
        ("notice.reminder", Self::NoticeReminder),
        ("notice.escalated", Self::NoticeEscalated),
        ("notice.disputed", Self::NoticeDisputed),
        ("duty.due_soon", Self::DutyDueSoon),
        ("duty.overdue", Self::DutyOverdue),
        ("duty.met", Self::DutyMet),
        ("endpoint.test", Self::EndpointTest),
        ("endpoint.verify", Self::EndpointVerify),
    ];

    /// The types that tell a controller of a version of an incident.
    pub const NOTICES: &'static [Self] = &[
        Self::NoticeInitial,
        Self::NoticeSupplement,
        Self::NoticeCorrection,
        Self::NoticeCompletion,
        Self::NoticeWithdrawal,
    ];

    /// The types that tell the processor's own endpoints of a notice; none of them tells the notice.
    pub const OF_NOTICES: &'static [Self] = &[Self::NoticeEscalated, Self::NoticeDisputed];

    /// The stable code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoticeInitial => "notice.initial",
            Self::NoticeSupplement => "notice.supplement",
            Self::NoticeCorrection => "notice.correction",
            Self::NoticeCompletion => "notice.completion",
            Self::NoticeWithdrawal => "notice.withdrawal",
            Self::NoticeReminder => "notice.reminder",
            Self::NoticeEscalated => "notice.escalated",
            Self::NoticeDisputed => "notice.disputed",
            Self::DutyDueSoon => "duty.due_soon",
            Self::DutyOverdue => "duty.overdue",
            Self::DutyMet => "duty.met",
            Self::EndpointTest => "endpoint.test",
            Self::EndpointVerify => "endpoint.verify",
        }
    }

    /// The type of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::CODES.iter().find(|(known, _)| *known == code).map(|(_, event)| *event)
    }
}

/// Which events an endpoint wants: `*`, a family such as `notice.*`, or one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Patterns(Vec<String>);

/// The families that a pattern may name.
const FAMILIES: &[&str] = &["notice", "duty", "endpoint"];

impl Patterns {
    /// Reads a list of patterns; at least one, none twice.
    pub fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut seen = Vec::new();
        let read = place.list(faults, |item, faults| {
            let text = item.text(64, faults)?;
            if !is_pattern(&text) {
                faults.add(&item.pointer, "unknown_event", "Expected an event type, a family such as notice.*, or *.");
                return None;
            }
            if seen.contains(&text) {
                faults.add(&item.pointer, "duplicate", "This pattern is listed twice.");
            }
            seen.push(text.clone());
            Some(text)
        })?;
        if read.is_empty() {
            faults.add(&place.pointer, "empty", "Name at least one event.");
            return None;
        }
        Some(Self(read))
    }

    /// The patterns as they are stored.
    pub fn from_stored(patterns: Vec<String>) -> Option<Self> {
        patterns.iter().all(|pattern| is_pattern(pattern)).then_some(Self(patterns))
    }

    /// Whether an event of type `event` is wanted.
    pub fn want(&self, event: EventType) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix(".*") {
            Some(family) => event.as_str().split('.').next() == Some(family),
            None => pattern == "*" || pattern == event.as_str(),
        })
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

fn is_pattern(text: &str) -> bool {
    text == "*"
        || text.strip_suffix(".*").is_some_and(|family| FAMILIES.contains(&family))
        || EventType::from_code(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_types_and_families() {
        let patterns = Patterns(vec!["notice.*".into(), "duty.met".into()]);
        let wanted: Vec<_> =
            EventType::CODES.iter().filter(|(_, event)| patterns.want(*event)).map(|(code, _)| *code).collect();
        let kinds =
            ["initial", "supplement", "correction", "completion", "withdrawal", "reminder", "escalated", "disputed"];
        let notices = kinds.map(|kind| format!("notice.{kind}"));
        assert_eq!(wanted, [notices.each_ref().map(String::as_str).as_slice(), &["duty.met"]].concat());
        assert!(EventType::CODES.iter().all(|(_, event)| Patterns(vec!["*".into()]).want(*event)));
    }

    #[test]
    fn nonsense_is_no_pattern() {
        for text in ["", "notice", "notice.", "*.initial", "notice.unheard", "other.*"] {
            assert!(!is_pattern(text), "{text}");
        }
    }
}
