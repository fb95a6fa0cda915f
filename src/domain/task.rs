//! Tasks for persons: where no machine gets through, somebody calls, rides or writes, and says what came of it. Tells nobody itself.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::fault::Faults;
use super::id::{IncidentId, NoticeId, OrganisationId, TaskId};
use super::parse::Place;
use super::statement::{SKEW, past, person, reason};
use super::terms::Ladder;
use super::vocabulary::code_list;

code_list! {
    /// How a person reaches the controller; `clarify`: somebody talks with it about its dispute.
    Means {
        Phone "phone",
        Courier "courier",
        RegisteredLetter "registered_letter",
        Clarify "clarify",
    }
}

code_list! {
    /// Where a task stands: to be done, done, or not needed any more.
    TaskState {
        Open "open",
        Done "done",
        Closed "closed",
    }
}

code_list! {
    /// What came of a try.
    TaskOutcome {
        Informed "informed",
        NotReached "not_reached",
        WrongContact "wrong_contact",
    }
}

/// Something that a person of the processor has to do for a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The notice that has to get through.
    pub notice: NoticeId,
    /// Its incident.
    pub incident: IncidentId,
    /// Who has to be told.
    pub controller: OrganisationId,
    /// Which ladder asked for it.
    pub ladder: Ladder,
    /// Which step of it, from 1; none where a dispute asks for it.
    pub step: Option<i32>,
    /// How.
    pub means: Means,
    /// What the person to be reached is, such as `breach_desk`.
    pub role: Option<String>,
    /// What is known of how to reach it; none where that has to be found out.
    pub address: Option<String>,
    /// Where it stands.
    pub state: TaskState,
    /// When it should be done, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// When it was made, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was done, or not needed any more, UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
}

/// What a person says that came of a try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskResult {
    /// What came of it.
    pub outcome: TaskOutcome,
    /// When it was tried, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who tried.
    pub by: String,
    /// Who was told.
    pub spoke_to: Option<String>,
    /// Anything else worth keeping.
    pub note: Option<String>,
}

impl TaskResult {
    /// Reads the body of a result about a notice that was made at `made_at`; answers all faults at once.
    pub fn parse(body: &Value, made_at: OffsetDateTime, now: OffsetDateTime) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|mut object| {
            let outcome =
                object.required("outcome", &mut faults, |place, faults| place.code(TaskOutcome::CODES, faults));
            let at = object.required("at", &mut faults, |place, faults| {
                let at = past(place, now, faults)?;
                if at + SKEW < made_at {
                    faults.add(&place.pointer, "time_order", "Nobody can have told of the notice before it was made.");
                    return None;
                }
                Some(at.max(made_at))
            });
            let by = object.required("by", &mut faults, person);
            let spoke_to = object.optional("spoke_to", &mut faults, person);
            let note = object.optional("note", &mut faults, reason);
            if outcome == Some(TaskOutcome::Informed) && spoke_to == Some(None) {
                let detail = "Who was informed has to be named.";
                faults.add(format!("{}/spoke_to", object.pointer()), "required", detail);
            }
            object.close(&mut faults);
            Some(Self { outcome: outcome?, at: at?, by: by?, spoke_to: spoke_to?, note: note? })
        });
        faults.finish(read)
    }

    /// Where the task stands after it.
    pub fn leads_to(&self) -> TaskState {
        match self.outcome {
            TaskOutcome::Informed => TaskState::Done,
            TaskOutcome::NotReached => TaskState::Open,
            TaskOutcome::WrongContact => TaskState::Closed,
        }
    }
}

impl Means {
    /// Whether somebody is called.
    pub fn is_by_telephone(self) -> bool {
        matches!(self, Self::Phone | Self::Clarify)
    }
}

/// The fewest digits of a telephone number; a postal code with the number of a house has fewer.
const DIGITS: usize = 7;

/// Whether somebody can be called at `address`: it holds a number that is written like one of a telephone.
pub fn is_callable(address: &str) -> bool {
    let belongs = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '/' | '(' | ')' | '.');
    let mut runs = address.split(|c| !belongs(c));
    runs.any(|run| run.chars().filter(char::is_ascii_digit).count() >= DIGITS)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 08:00 UTC);

    fn parse(body: &Value) -> Result<TaskResult, Faults> {
        TaskResult::parse(body, NOW - Duration::hours(6), NOW)
    }

    #[test]
    fn a_result_is_written_as_it_was_read() {
        let body = json!({"outcome": "informed", "at": "2026-11-22T07:30:00Z", "by": "Max Muster",
                          "spoke_to": "Erika Beispiel", "note": "Called back through the switchboard."});
        let read = parse(&body).unwrap();
        assert_eq!((serde_json::to_value(&read).unwrap(), read.leads_to()), (body, TaskState::Done));
        let least = json!({"outcome": "not_reached", "at": "2026-11-22T07:30:00Z", "by": "Max Muster"});
        assert_eq!(parse(&least).unwrap().leads_to(), TaskState::Open);
    }

    #[test]
    fn all_faults_come_at_once() {
        let found = |body: &Value| -> Vec<(String, &'static str)> {
            let faults = parse(body).unwrap_err();
            faults.as_slice().iter().map(|fault| (fault.pointer.clone(), fault.code)).collect()
        };
        let expected = |pairs: &[(&str, &'static str)]| -> Vec<(String, &'static str)> {
            pairs.iter().map(|(pointer, code)| ((*pointer).to_owned(), *code)).collect()
        };
        let bad = json!({"outcome": "informed", "at": "2026-11-23T00:00:00Z", "by": " ", "more": 1});
        let all = [("/at", "time_in_future"), ("/by", "empty"), ("/spoke_to", "required"), ("/more", "unknown_member")];
        assert_eq!(found(&bad), expected(&all));
        let early = json!({"outcome": "not_reached", "at": "2026-11-21T00:00:00Z", "by": "Max Muster"});
        assert_eq!(found(&early), expected(&[("/at", "time_order")]));
        assert_eq!(found(&json!({})), expected(&[("/outcome", "required"), ("/at", "required"), ("/by", "required")]));
    }

    #[test]
    fn numbers_are_called_and_streets_are_written_to() {
        for address in ["+49 711 123456", "Pforte: 0711/1234-0", "Frau Muster (0711) 123 45 67"] {
            assert!(is_callable(address), "{address}");
        }
        for address in ["Hauptstr. 1, 70173 Stuttgart", "Musterweg 12\n70173 Stuttgart", "1 70173", "the front desk"] {
            assert!(!is_callable(address), "{address}");
        }
    }
}
