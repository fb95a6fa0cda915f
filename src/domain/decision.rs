//! What a controller decides about an incident: whether it tells its authority, and whether it tells the persons, Art. 33 and 34 GDPR.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::fault::Faults;
use super::id::{DecisionId, IncidentId, OrganisationId};
use super::parse::{Object, Place};
use super::statement::{founded, past, person, reason};
use super::vocabulary::code_list;

code_list! {
    /// What becomes of the communication to the data subjects, Art. 34 GDPR.
    ///
    /// `ordered` is an order of the authority under Art. 34(4); `exempt_a` to `exempt_c` are the grounds of Art. 34(3)(a) to
    /// (c), `exempt_bdsg_29` is the duty of secrecy under the third sentence of § 29(1) BDSG.
    PersonsDecision {
        Undecided "undecided",
        Planned "planned",
        Done "done",
        Ordered "ordered",
        NotRequired "not_required",
        ExemptA "exempt_a",
        ExemptB "exempt_b",
        ExemptC "exempt_c",
        ExemptBdsg29 "exempt_bdsg_29",
    }
}

impl PersonsDecision {
    /// Whether the persons are to be told, or were: the duty of Art. 34(1) GDPR runs from this decision on.
    pub fn is_telling(self) -> bool {
        matches!(self, Self::Planned | Self::Done | Self::Ordered)
    }

    /// Whether a legal ground releases from telling the persons, Art. 34(3) GDPR and § 29(1) BDSG.
    pub fn is_exempt(self) -> bool {
        self.is_not_required() && self != Self::NotRequired
    }

    /// Whether the communication is found not to be required, for want of a high risk or on a ground of Art. 34(3) GDPR or § 29 BDSG.
    pub fn is_not_required(self) -> bool {
        matches!(self, Self::NotRequired | Self::ExemptA | Self::ExemptB | Self::ExemptC | Self::ExemptBdsg29)
    }

    /// What the decision has to be documented under; an exemption is told apart by its ground.
    fn basis(self) -> &'static str {
        match self {
            Self::ExemptA | Self::ExemptB | Self::ExemptC => "Art. 33(5) GDPR; Art. 34(3) GDPR",
            Self::ExemptBdsg29 => "Art. 33(5) GDPR; § 29(1) BDSG",
            Self::Undecided | Self::Planned | Self::Done | Self::Ordered | Self::NotRequired => BASIS,
        }
    }
}

/// A decision as it is entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewDecision {
    /// Whether the supervisory authority is notified, Art. 33(1) GDPR.
    pub notify_authority: bool,
    /// What becomes of the communication to the persons, Art. 34 GDPR.
    pub notify_persons: PersonsDecision,
    /// Why.
    pub reason: String,
    /// The person who decided.
    pub by: String,
    /// When it was decided, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub decided_at: OffsetDateTime,
}

/// A decision as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The id.
    pub id: DecisionId,
    /// The incident.
    pub incident: IncidentId,
    /// Who decided.
    pub controller: OrganisationId,
    /// What was decided.
    #[serde(flatten)]
    pub content: NewDecision,
    /// Whether it is the newest one of this controller, the one that counts.
    pub current: bool,
    /// When it was recorded, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
}

impl NewDecision {
    /// Reads the body of `POST /v1/incidents/{id}/decisions`; answers all faults at once. `now` is the server's time, UTC.
    pub fn parse(body: &Value, now: OffsetDateTime) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|object| Self::members(object, now, &mut faults));
        faults.finish(read)
    }

    fn members(mut object: Object<'_>, now: OffsetDateTime, faults: &mut Faults) -> Option<Self> {
        let authority = object.required("notify_authority", faults, Place::boolean);
        let persons =
            object.required("notify_persons", faults, |place, faults| place.code(PersonsDecision::CODES, faults));
        // The documentation of Art. 33(5) must enable the authority to verify.
        let basis = persons.map_or(BASIS, PersonsDecision::basis);
        let reason = founded(&mut object, "reason", basis, faults, reason);
        let by = founded(&mut object, "by", basis, faults, person);
        let decided_at = object.optional("decided_at", faults, |place, faults| past(place, now, faults));
        object.close(faults);
        Some(Self {
            notify_authority: authority?,
            notify_persons: persons?,
            reason: reason?,
            by: by?,
            decided_at: decided_at?.unwrap_or(now),
        })
    }
}

/// What is asked of whoever decides, or finds a duty not to be required.
const BASIS: &str = "Art. 33(5) GDPR";

/// Who finds a duty not to be required or takes that back, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The person.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Waiver {
    /// Reads the body of `POST /v1/duties/{id}/waiver` or `/reopening`; answers all faults at once.
    pub fn parse(body: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|mut object| {
            let by = founded(&mut object, "by", BASIS, &mut faults, person);
            let reason = founded(&mut object, "reason", BASIS, &mut faults, reason);
            object.close(&mut faults);
            Some(Self { by: by?, reason: reason? })
        });
        faults.finish(read)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 00:40 UTC);

    fn body() -> Value {
        json!({"notify_authority": true, "notify_persons": "undecided", "reason": "Strangers read it.", "by": "A. Muster"})
    }

    #[test]
    fn person_and_reason_are_required_and_the_article_is_named() {
        for (persons, basis) in [
            ("not_required", "Art. 33(5) GDPR"),
            ("exempt_b", "Art. 33(5) GDPR; Art. 34(3) GDPR"),
            ("exempt_bdsg_29", "Art. 33(5) GDPR; § 29(1) BDSG"),
        ] {
            let body = json!({"notify_authority": false, "notify_persons": persons, "by": " "});
            let faults = NewDecision::parse(&body, NOW).unwrap_err();
            let found: Vec<_> = faults
                .as_slice()
                .iter()
                .map(|fault| (fault.pointer.as_str(), fault.code, fault.legal_basis.as_deref()))
                .collect();
            assert_eq!(found, [("/reason", "required", Some(basis)), ("/by", "empty", Some(basis))]);
        }
    }

    #[test]
    fn it_was_decided_now_unless_another_time_is_given() {
        assert_eq!(NewDecision::parse(&body(), NOW).unwrap().decided_at, NOW);
        let at = |text: &str| {
            let mut body = body();
            body["decided_at"] = json!(text);
            NewDecision::parse(&body, NOW).map(|decision| decision.decided_at)
        };
        assert_eq!(at("2026-11-21T12:00:00+01:00").unwrap(), datetime!(2026-11-21 11:00 UTC));
        assert_eq!(at("2026-11-22T00:45:00Z").unwrap(), NOW, "a clock five minutes ahead is tolerated");
        let faults = at("2026-11-22T00:45:00.000001Z").unwrap_err();
        assert_eq!(faults.as_slice()[0].code, "time_in_future");
    }

    #[test]
    fn every_outcome_for_the_persons_is_open_a_telling_or_none() {
        let which = |choose: fn(PersonsDecision) -> bool| {
            let chosen = PersonsDecision::CODES.iter().filter(|(_, decision)| choose(*decision));
            chosen.map(|(code, _)| *code).collect::<Vec<_>>()
        };
        assert_eq!(which(PersonsDecision::is_telling), ["planned", "done", "ordered"]);
        assert_eq!(
            which(PersonsDecision::is_not_required),
            ["not_required", "exempt_a", "exempt_b", "exempt_c", "exempt_bdsg_29"]
        );
    }
}
