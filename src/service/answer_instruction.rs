//! What becomes of an instruction: it is confirmed, or the processor objects because it thinks the instruction unlawful.

use serde_json::Value;
use time::OffsetDateTime;

use super::give_instruction::{advance, facts, refuse_unauthorised};
use super::part::Part;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::{Actor, Scope};
use crate::domain::fault::Faults;
use crate::domain::id::{IncidentId, InstructionId};
use crate::domain::instruction::{
    Confirmation, Instruction, InstructionState, InvalidStep, NewConfirmation, NewObjection, Objection,
};
use crate::domain::page::{Page, PageRequest};
use crate::store::{AnyConnection, incidents, instructions, ledger};

/// What happens to an instruction.
enum Step {
    Confirm,
    Object,
}

impl From<InvalidStep> for ServiceError {
    fn from(step: InvalidStep) -> Self {
        match step {
            InvalidStep::OnlyController => {
                Self::Forbidden("The processor has objected; only the controller itself can confirm the instruction.")
            }
            other => Self::Conflict { code: other.code(), detail: other.to_string() },
        }
    }
}

impl Service {
    /// Confirms an oral instruction, or, as the controller, one that the processor thinks unlawful.
    pub async fn confirm_instruction(
        &self,
        actor: Actor,
        id: InstructionId,
        body: Value,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        self.answer_instruction(actor, id, Step::Confirm, body, idempotency).await
    }

    /// Suspends an instruction that the processor thinks unlawful, Art. 28(3) last sentence GDPR.
    pub async fn object_to_instruction(
        &self,
        actor: Actor,
        id: InstructionId,
        body: Value,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        self.answer_instruction(actor, id, Step::Object, body, idempotency).await
    }

    async fn answer_instruction(
        &self,
        actor: Actor,
        id: InstructionId,
        step: Step,
        body: Value,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                let found = instructions::find(connection, &actor.organisation, &id)?.ok_or(ServiceError::NotFound)?;
                let part = Part::meant(connection, &actor, &found.incident, Some(&found.controller))?;
                let (kind, next) = match step {
                    Step::Confirm => {
                        ("instruction.confirmed", confirmed(connection, &actor, &part, &found, &body, now)?)
                    }
                    Step::Object => ("instruction.objected", objected(&actor, &part, &found, &body, now)?),
                };
                advance(connection, &found, &next)?;
                let answered = Instruction { state: next, ..found };
                let what = (kind, answered.id.as_str());
                let entry = part.entry(connection, (&actor, now), what, facts(&answered)?)?;
                ledger::append(connection, &[entry])?;
                Answer::of(&answered)
            })
        };
        self.store.write(work).await
    }

    /// One instruction, for either party.
    pub async fn show_instruction(&self, actor: &Actor, id: InstructionId) -> Result<Instruction, ServiceError> {
        let tenant = actor.organisation.clone();
        let read =
            move |connection: &mut AnyConnection| Ok::<_, ServiceError>(instructions::find(connection, &tenant, &id)?);
        self.store.read(read).await?.ok_or(ServiceError::NotFound)
    }

    /// One page of the instructions in an incident: those that the caller gave or is bound by, oldest first.
    pub async fn list_instructions(
        &self,
        actor: &Actor,
        incident: IncidentId,
        page: PageRequest,
    ) -> Result<Page<Instruction>, ServiceError> {
        let tenant = actor.organisation.clone();
        let read = move |connection: &mut AnyConnection| {
            incidents::find(connection, &tenant, &incident)?.ok_or(ServiceError::NotFound)?;
            let found = instructions::list(connection, &tenant, &incident, &page)?;
            Ok::<_, ServiceError>(Page::cut(found, page.limit, |one: &Instruction| one.id.to_string()))
        };
        self.store.read(read).await
    }
}

fn confirmed(
    connection: &mut AnyConnection,
    actor: &Actor,
    part: &Part,
    found: &Instruction,
    body: &Value,
    now: OffsetDateTime,
) -> Result<InstructionState, ServiceError> {
    let new = NewConfirmation::parse(body, now)?;
    part.may_write(actor, Scope::InstructionsWrite)?;
    let confirmation = Confirmation { by: new.by, form: new.form, at: new.at };
    let (person, at) = (confirmation.by.clone(), confirmation.at);
    let next = found.state.clone().confirm(confirmation, !part.standing.is_processor)?;
    let mut faults = Faults::default();
    refuse_unauthorised(connection, actor, part, "/by", &person, &mut faults)?;
    let objected = found.state.objection().map(|objection| objection.at);
    if at < found.given_at {
        faults.add("/at", "time_order", "Nothing can be confirmed before it was given.");
    } else if objected.is_some_and(|objected| at < objected) {
        faults.add("/at", "time_order", "The confirmation must come after the processor's objection.");
    }
    faults.finish(Some(next)).map_err(ServiceError::from)
}

fn objected(
    actor: &Actor,
    part: &Part,
    found: &Instruction,
    body: &Value,
    now: OffsetDateTime,
) -> Result<InstructionState, ServiceError> {
    if !part.standing.is_processor {
        return Err(ServiceError::Forbidden("Only the processor objects; a controller replaces its instruction."));
    }
    let new = NewObjection::parse(body)?;
    part.may_write(actor, Scope::InstructionsWrite)?;
    Ok(found.state.clone().object(Objection { by: new.by, reason: new.reason, at: now })?)
}
