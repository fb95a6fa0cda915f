//! A controller instructs its processor, Art. 28(3)(a) GDPR; entered by either of them.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::part::{Part, standing_of};
use super::record::digest;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::{Actor, Scope};
use crate::domain::fault::{Fault, Faults};
use crate::domain::id::{IncidentId, InstructionId};
use crate::domain::instruction::{Instruction, InstructionState, NewInstruction, may_instruct};
use crate::store::{AnyConnection, agreements, instructions, ledger};

impl Service {
    /// Records the instruction that `body` describes and answers it.
    pub async fn give_instruction(
        &self,
        actor: Actor,
        incident: IncidentId,
        body: Value,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                let given = service.give_in(connection, &actor, &incident, &body, now)?;
                Ok(Answer::of(&given)?.at(format!("/v1/instructions/{}", given.id)))
            })
        };
        self.store.write(work).await
    }

    fn give_in(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        incident: &IncidentId,
        body: &Value,
        now: OffsetDateTime,
    ) -> Result<Instruction, ServiceError> {
        // Who may not see the incident learns nothing about the body either.
        standing_of(connection, actor, incident)?;
        let new = NewInstruction::parse(body, now)?;
        let part = Part::meant(connection, actor, incident, new.controller.as_ref())?;
        part.may_write(actor, Scope::InstructionsWrite)?;
        let id: InstructionId = self.id(now);
        let replaced = check(connection, actor, &part, &new)?;
        let given = Instruction {
            id: id.clone(),
            incident: incident.clone(),
            processor: part.standing.processor.clone(),
            controller: part.party.clone(),
            kind: new.kind,
            scope: new.scope,
            form: new.form,
            given_by: new.given_by,
            given_at: new.given_at,
            replaces: new.replaces,
            state: InstructionState::first(new.form),
            recorded_by: actor.organisation.clone(),
            recorded_at: now,
        };
        instructions::insert(connection, &given)?;
        let by = (actor, now);
        let mut entries = vec![part.entry(connection, by, ("instruction.given", id.as_str()), facts(&given)?)?];
        if let Some(old) = replaced {
            let state = old.state.clone().replace(id, now).map_err(ServiceError::from)?;
            advance(connection, &old, &state)?;
            let old = Instruction { state, ..old };
            let what = ("instruction.replaced", old.id.as_str());
            entries.push(part.entry(connection, by, what, facts(&old)?)?);
        }
        ledger::append(connection, &entries)?;
        Ok(given)
    }
}

/// Refuses a person who may not instruct, and a replacement of what is not there; answers the instruction that is replaced.
fn check(
    connection: &mut AnyConnection,
    actor: &Actor,
    part: &Part,
    new: &NewInstruction,
) -> Result<Option<Instruction>, ServiceError> {
    let mut faults = Faults::default();
    refuse_unauthorised(connection, actor, part, "/given_by", &new.given_by, &mut faults)?;
    let mut replaced = None;
    if let Some(wanted) = &new.replaces {
        let earlier = instructions::of_party(connection, &part.incident, &part.party)?;
        replaced = earlier.into_iter().find(|one| one.id == *wanted);
        if replaced.is_none() {
            let detail = "This controller has given no such instruction in this incident.";
            faults.add("/replaces", "unknown_instruction", detail);
        }
    }
    faults.finish(Some(replaced)).map_err(ServiceError::from)
}

/// Notes a fault if the agreement lists who may instruct, and `person` is not on the list.
pub(super) fn refuse_unauthorised(
    connection: &mut AnyConnection,
    actor: &Actor,
    part: &Part,
    pointer: &str,
    person: &str,
    faults: &mut Faults,
) -> Result<(), ServiceError> {
    let named = part.newest(connection, actor)?.agreement;
    let agreement = agreements::find(connection, &part.standing.processor, &named)?;
    let agreement = agreement.ok_or_else(|| ServiceError::Internal(format!("{named} is missing")))?;
    let authorised = &agreement.terms.authorised_instructors;
    if !may_instruct(person, authorised) {
        faults.push(Fault {
            pointer: pointer.to_owned(),
            code: "not_authorised",
            detail: format!(
                "Under agreement {} ({}) only these may instruct: {}.",
                agreement.id,
                agreement.reference,
                authorised.join("; ")
            ),
            legal_basis: Some("Art. 28(3)(a) GDPR".to_owned()),
            agreement: Some(agreement.id.to_string()),
        });
    }
    Ok(())
}

/// Stores the next state, unless somebody else moved the instruction meanwhile.
pub(super) fn advance(
    connection: &mut AnyConnection,
    instruction: &Instruction,
    next: &InstructionState,
) -> Result<(), ServiceError> {
    if instructions::advance(connection, &instruction.id, &instruction.state, next)? {
        return Ok(());
    }
    let detail = "Somebody else changed the instruction at the same time; read it again.".to_owned();
    Err(ServiceError::Conflict { code: "instruction-changed", detail })
}

/// What the ledger keeps of an instruction: codes, times and digests.
pub(super) fn facts(instruction: &Instruction) -> Result<Value, ServiceError> {
    let whole = serde_json::to_value(instruction)?;
    let confirmed = instruction.state.confirmed();
    Ok(json!({
        "incident": instruction.incident,
        "controller": instruction.controller,
        "kind": instruction.kind,
        "form": instruction.form,
        "given_at": whole["given_at"],
        "replaces": instruction.replaces,
        "state": instruction.state.as_str(),
        "confirmed_form": confirmed.map(|confirmation| confirmation.form),
        "replaced_by": instruction.state.replaced().map(|(by, _)| by),
        "content_sha256": digest(&whole)?,
    }))
}
