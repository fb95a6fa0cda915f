//! What was in fact filed with an authority or told to the persons, when, by whom and under which file number, and the one answer to it.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::duty::Due;
use super::fault::{Fault, Faults};
use super::id::{DutyId, FilingId, IncidentId, InstructionId, OrganisationId};
use super::parse::{Object, Place};
use super::statement::{SKEW, past, person, reason};
use super::vocabulary::Stage;

/// The obligation that a filing fulfils where it names none: the report of Art. 33(1) GDPR.
const USUAL: &str = "gdpr_33_1";

/// A filing as it is entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewAuthorityFiling {
    /// The code of the obligation that it fulfils.
    pub obligation: String,
    /// `initial` if more is to follow, Art. 33(4) GDPR.
    pub stage: Stage,
    /// When it was filed, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub filed_at: OffsetDateTime,
    /// The person who filed it.
    pub by: String,
    /// The authority's file number.
    pub reference: Option<String>,
    /// The id of the authority; by default the competent or chosen one.
    pub authority: Option<String>,
    /// Why it was late, Art. 33(1) sentence 2 GDPR.
    pub delay_reason: Option<String>,
    /// For whom it was filed; needed where that is not plain.
    pub controller: Option<OrganisationId>,
    /// The instruction that covers it, where the processor filed on the controller's behalf.
    pub instruction: Option<InstructionId>,
}

/// A filing as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorityFiling {
    /// The id.
    pub id: FilingId,
    /// The incident.
    pub incident: IncidentId,
    /// Whose filing it is: the controller, or the processor where it owes one itself.
    pub party: OrganisationId,
    /// The duty that it fulfils.
    pub duty: DutyId,
    /// The code of the obligation.
    pub obligation: String,
    /// `initial` or `complete`.
    pub stage: Stage,
    /// The id of the authority; none where it was not for an authority, or where nobody said which.
    pub authority: Option<String>,
    /// When it was filed, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub filed_at: OffsetDateTime,
    /// The person who filed it.
    pub by: String,
    /// The authority's file number.
    pub reference: Option<String>,
    /// Whether the first filing was late; none for supplements and where the law gives no hours.
    pub late: Option<bool>,
    /// Why it was late.
    pub delay_reason: Option<String>,
    /// The first filing of the same duty, which this one supplements.
    pub supplements: Option<FilingId>,
    /// The instruction under which the processor filed it on the controller's behalf.
    pub instruction: Option<InstructionId>,
    /// What the authority answered.
    pub answer: Option<AuthorityAnswer>,
    /// The organisation that recorded it.
    pub recorded_by: OrganisationId,
    /// When it was recorded, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
}

/// What the authority answered; recorded once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorityAnswer {
    /// When it answered, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub answered_at: OffsetDateTime,
    /// The authority's file number, if the answer names one.
    pub reference: Option<String>,
    /// What it says.
    pub text: String,
    /// The person who recorded it.
    pub by: String,
}

impl NewAuthorityFiling {
    /// Reads the body of `POST /v1/incidents/{id}/filings`; answers all faults at once. `now` is the server's time, UTC.
    pub fn parse(body: &Value, now: OffsetDateTime) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|object| Self::members(object, now, &mut faults));
        faults.finish(read)
    }

    fn members(mut object: Object<'_>, now: OffsetDateTime, faults: &mut Faults) -> Option<Self> {
        let obligation = object.optional("obligation", faults, Place::word);
        let stage = object.optional("stage", faults, |place, faults| place.code(Stage::CODES, faults));
        let filed_at = object.required("filed_at", faults, |place, faults| past(place, now, faults));
        let by = object.required("by", faults, person);
        let reference = object.optional("reference", faults, reference);
        let authority = object.optional("authority", faults, |place, faults| place.text(64, faults));
        let delay_reason = object.optional("delay_reason", faults, reason);
        let controller = object.optional("controller", faults, Place::parsed);
        let instruction = object.optional("instruction", faults, Place::parsed);
        object.close(faults);
        Some(Self {
            obligation: obligation?.unwrap_or_else(|| USUAL.to_owned()),
            stage: stage?.unwrap_or(Stage::Initial),
            filed_at: filed_at?,
            by: by?,
            reference: reference?,
            authority: authority?,
            delay_reason: delay_reason?,
            controller: controller?,
            instruction: instruction?,
        })
    }

    /// Whether the first filing of a duty with the times `due` is late; `None` where the law gives no hours.
    ///
    /// Notes a filing before the clock began, and a late one without the reason that `asks_for_reason` names as legal basis.
    pub fn check(&self, due: &Due, asks_for_reason: Option<&str>, faults: &mut Faults) -> Option<bool> {
        if self.filed_at + SKEW < due.start_at {
            faults.add("/filed_at", "before_start", "It cannot have been filed before the clock of this duty began.");
        }
        let late = due.is_late(self.filed_at);
        if let Some(basis) = asks_for_reason
            && late == Some(true)
            && self.delay_reason.is_none()
        {
            faults.push(Fault {
                pointer: "/delay_reason".to_owned(),
                code: "required",
                detail: "A late filing must say why it is late.".to_owned(),
                legal_basis: Some(delay_basis(basis)),
                agreement: None,
            });
        }
        late
    }
}

impl AuthorityAnswer {
    /// Reads the body of `POST /v1/filings/{id}/answer`; answers all faults at once. `now` is the server's time, UTC.
    pub fn parse(body: &Value, now: OffsetDateTime) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|mut object| {
            let answered_at = object.required("answered_at", &mut faults, |place, faults| past(place, now, faults));
            let reference = object.optional("reference", &mut faults, reference);
            let text = object.required("text", &mut faults, |place, faults| place.text(20_000, faults));
            let by = object.required("by", &mut faults, person);
            object.close(&mut faults);
            Some(Self { answered_at: answered_at?, reference: reference?, text: text?, by: by? })
        });
        faults.finish(read)
    }
}

/// Reads an authority's file number.
fn reference(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    place.text(200, faults)
}

/// What asks for the reason of a delay: of Art. 33(1) GDPR it is the second sentence, elsewhere what the duty rests on.
fn delay_basis(basis: &str) -> String {
    basis.replace("Art. 33(1) GDPR", "Art. 33(1) sentence 2 GDPR")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-25 02:00 UTC);
    const START: OffsetDateTime = datetime!(2026-11-22 00:57 UTC);
    const DUE: OffsetDateTime = datetime!(2026-11-25 01:00 UTC);

    fn due() -> Due {
        Due {
            start_at: START,
            alarm_at: START + Duration::hours(72),
            legal_due_at: Some(DUE),
            internal_target_at: None,
        }
    }

    fn filing(filed_at: OffsetDateTime, delay_reason: Option<&str>) -> NewAuthorityFiling {
        let body = json!({"filed_at": "2026-11-22T01:00:00Z", "by": "A. Muster", "delay_reason": delay_reason});
        NewAuthorityFiling { filed_at, ..NewAuthorityFiling::parse(&body, NOW).unwrap() }
    }

    fn judged(filing: &NewAuthorityFiling, basis: Option<&str>) -> (Option<bool>, Vec<Fault>) {
        let mut faults = Faults::default();
        let late = filing.check(&due(), basis, &mut faults);
        (late, faults.as_slice().to_vec())
    }

    #[test]
    fn a_filing_names_the_usual_obligation_unless_it_says_another() {
        let least = NewAuthorityFiling::parse(&json!({"filed_at": "2026-11-22T01:00:00Z", "by": "A. Muster"}), NOW);
        let least = least.unwrap();
        assert_eq!((least.obligation.as_str(), least.stage), ("gdpr_33_1", Stage::Initial));
        let bad = json!({"obligation": "Art 33", "stage": "late", "filed_at": "2026-11-26T01:00:00Z", "by": "", "for": 1,
                         "controller": "x", "instruction": "org_x"});
        let faults = NewAuthorityFiling::parse(&bad, NOW).unwrap_err();
        let pointers: Vec<_> = faults.as_slice().iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/obligation", "/stage", "/filed_at", "/by", "/controller", "/instruction", "/for"]);
    }

    #[test]
    fn a_late_filing_needs_the_reason_that_the_law_asks_for() {
        let basis = Some("Art. 33(1) GDPR");
        assert_eq!(judged(&filing(DUE - Duration::MICROSECOND, None), basis), (Some(false), vec![]));
        let (late, faults) = judged(&filing(DUE, None), basis);
        assert_eq!((late, faults.len()), (Some(true), 1), "at the due time it is late");
        assert_eq!((faults[0].pointer.as_str(), faults[0].code), ("/delay_reason", "required"));
        assert_eq!(faults[0].legal_basis.as_deref(), Some("Art. 33(1) sentence 2 GDPR"));
        assert_eq!(judged(&filing(DUE, Some("The desk was closed.")), basis), (Some(true), vec![]));
        assert_eq!(judged(&filing(DUE, None), None), (Some(true), vec![]), "not every law asks");
    }

    #[test]
    fn nothing_is_filed_before_the_clock_began_but_clocks_differ() {
        assert_eq!(judged(&filing(START - SKEW, None), None).1, []);
        let (_, faults) = judged(&filing(START - SKEW - Duration::MICROSECOND, None), None);
        assert_eq!((faults[0].pointer.as_str(), faults[0].code), ("/filed_at", "before_start"));
    }

    #[test]
    fn an_answer_says_when_what_and_who_recorded_it() {
        let faults = AuthorityAnswer::parse(&json!({"reference": "LfDI-1"}), NOW).unwrap_err();
        let pointers: Vec<_> = faults.as_slice().iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/answered_at", "/text", "/by"]);
    }
}
