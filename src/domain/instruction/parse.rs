//! Reads instructions, confirmations and objections; all faults at once.

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::{InstructionForm, InstructionKind};
use crate::domain::{
    fault::Faults,
    id::{InstructionId, OrganisationId},
    parse::{Object, Place},
};

/// How far a filer's clock may run ahead of the server's.
const SKEW: Duration = Duration::seconds(5);

/// The forms that document something.
const DOCUMENTED: &[(&str, InstructionForm)] =
    &[("text", InstructionForm::Text), ("written", InstructionForm::Written)];

/// The body of an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInstruction {
    /// What is instructed.
    pub kind: InstructionKind,
    /// How far it goes, at most 10,000 characters.
    pub scope: String,
    /// How it was given.
    pub form: InstructionForm,
    /// The person who gave it.
    pub given_by: String,
    /// When, UTC; not in the future.
    pub given_at: OffsetDateTime,
    /// The instruction that it replaces.
    pub replaces: Option<InstructionId>,
    /// Who instructs, where the processor enters it.
    pub controller: Option<OrganisationId>,
}

/// The body of a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConfirmation {
    /// `text` or `written`.
    pub form: InstructionForm,
    /// The person who confirmed.
    pub by: String,
    /// When, UTC; not in the future.
    pub at: OffsetDateTime,
}

/// The body of an objection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewObjection {
    /// The person who objects.
    pub by: String,
    /// Why the instruction is thought unlawful, at most 10,000 characters.
    pub reason: String,
}

impl NewInstruction {
    /// Reads the body of `POST /v1/incidents/{id}/instructions`. `now` is the server's time, UTC.
    pub fn parse(body: &Value, now: OffsetDateTime) -> Result<Self, Faults> {
        document(body, |object, faults| {
            let kind = object.required("kind", faults, |place, faults| place.code(InstructionKind::CODES, faults));
            let scope = object.required("scope", faults, long_text);
            let form = object.required("form", faults, |place, faults| place.code(InstructionForm::CODES, faults));
            let given_by = object.required("given_by", faults, person);
            let given_at = object.required("given_at", faults, |place, faults| past(place, now, faults));
            let replaces = object.optional("replaces", faults, Place::parsed);
            let controller = object.optional("controller", faults, Place::parsed);
            Some(Self {
                kind: kind?,
                scope: scope?,
                form: form?,
                given_by: given_by?,
                given_at: given_at?,
                replaces: replaces?,
                controller: controller?,
            })
        })
    }
}

impl NewConfirmation {
    /// Reads the body of `POST /v1/instructions/{id}/confirmation`. `now` is the server's time, UTC.
    pub fn parse(body: &Value, now: OffsetDateTime) -> Result<Self, Faults> {
        document(body, |object, faults| {
            let form = object.required("form", faults, |place, faults| place.code(DOCUMENTED, faults));
            let by = object.required("by", faults, person);
            let at = object.required("at", faults, |place, faults| past(place, now, faults));
            Some(Self { form: form?, by: by?, at: at? })
        })
    }
}

impl NewObjection {
    /// Reads the body of `POST /v1/instructions/{id}/objection`.
    pub fn parse(body: &Value) -> Result<Self, Faults> {
        document(body, |object, faults| {
            let by = object.required("by", faults, person);
            let reason = object.required("reason", faults, long_text);
            Some(Self { by: by?, reason: reason? })
        })
    }
}

fn document<T>(body: &Value, members: impl FnOnce(&mut Object<'_>, &mut Faults) -> Option<T>) -> Result<T, Faults> {
    let mut faults = Faults::default();
    let read = Place::root(body).object(&mut faults).and_then(|mut object| {
        let read = members(&mut object, &mut faults);
        object.close(&mut faults);
        read
    });
    faults.finish(read)
}

fn person(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    place.text(200, faults)
}

fn long_text(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    place.text(10_000, faults)
}

/// An instant that has come already. A clock a little ahead is tolerated, but what it says counts as now.
fn past(place: &Place<'_>, now: OffsetDateTime, faults: &mut Faults) -> Option<OffsetDateTime> {
    let at = place.instant(faults)?;
    if at > now + SKEW {
        faults.add(&place.pointer, "time_in_future", "This time lies in the future.");
        return None;
    }
    Some(at.min(now))
}
