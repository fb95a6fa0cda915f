//! What was in fact filed with an authority or told to the persons: the first filing fulfils the duty, later ones supplement it.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::duty_facts::all_duty_facts;
use super::error::refused;
use super::on_behalf::covering;
use super::part::{Part, may_write, standing_of, whose};
use super::record::digest;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::{Actor, Scope};
use crate::domain::authority_filing::{AuthorityFiling, NewAuthorityFiling};
use crate::domain::catalogue::{Fact, Recipient};
use crate::domain::course::Reached;
use crate::domain::duty::DutyState;
use crate::domain::duty_record::Duty;
use crate::domain::fault::Faults;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::milestone::Milestone;
use crate::domain::vocabulary::Stage;
use crate::store::standing::Standing;
use crate::store::{AnyConnection, authority_filings, duties, ledger};

/// A duty that a filing can be for, and what it is to that filing.
struct Owed {
    duty: Duty,
    all: Vec<Duty>,
}

impl Service {
    /// Records a filing by the controller, by the processor on its instruction, or by the processor for itself; answers it.
    pub async fn record_filing(
        &self,
        actor: Actor,
        incident: IncidentId,
        body: Value,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                let standing = standing_of(connection, &actor, &incident)?;
                may_write(&actor, standing.is_processor, Scope::DecisionsWrite)?;
                let new = NewAuthorityFiling::parse(&body, now)?;
                service.record_filing_in(connection, &actor, incident, standing, new, now)
            })
        };
        let answer = self.store.write(work).await?;
        self.nudge.notify_waiters();
        Ok(answer)
    }

    fn record_filing_in(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        incident: IncidentId,
        standing: Standing,
        new: NewAuthorityFiling,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        let party = filing_party(connection, actor, &incident, &standing, &new)?;
        let part = Part { incident, standing, party };
        let Owed { duty, all } = owed(connection, &part, &new.obligation)?;
        let instruction = if part.is_on_behalf() {
            Some(covering(connection, &part, &new, &duty)?)
        } else if new.instruction.is_some() {
            return Err(refused(
                "/instruction",
                "not_on_behalf",
                "Only a filing on behalf of a controller rests on an instruction.",
            ));
        } else {
            None
        };
        let first = authority_filings::first_of(connection, &duty.id)?;
        let (late, authority) = self.judge(connection, &part, &new, &duty, now)?;
        let filing = AuthorityFiling {
            id: self.id(now),
            incident: part.incident.clone(),
            party: part.party.clone(),
            duty: duty.id.clone(),
            obligation: new.obligation,
            stage: new.stage,
            authority,
            filed_at: new.filed_at,
            by: new.by,
            reference: new.reference,
            late: late.filter(|_| first.is_none()),
            delay_reason: new.delay_reason,
            supplements: first,
            instruction,
            answer: None,
            recorded_by: actor.organisation.clone(),
            recorded_at: now,
        };
        authority_filings::insert(connection, &part.standing.processor, &filing)?;
        let reached = reached(&filing, &duty, &all);
        let changed = self.happened(connection, &part.incident, &part.party, reached, now)?;
        let facts = json!({
            "party": filing.party,
            "obligation": filing.obligation,
            "duty": filing.duty,
            "stage": filing.stage,
            "authority": filing.authority,
            "instruction": filing.instruction,
            "content_sha256": digest(&filing)?,
            "duties": all_duty_facts(&changed),
        });
        let entry = part.entry(connection, (actor, now), ("filing.recorded", filing.id.as_str()), facts)?;
        ledger::append(connection, &[entry])?;
        Ok(Answer::of(&filing)?.at(format!("/v1/filings/{}", filing.id)))
    }

    /// Whether it is late, and with which authority it was filed; every fault in the time, the reason and the authority at once.
    fn judge(
        &self,
        connection: &mut AnyConnection,
        part: &Part,
        new: &NewAuthorityFiling,
        duty: &Duty,
        now: OffsetDateTime,
    ) -> Result<(Option<bool>, Option<String>), ServiceError> {
        let mut faults = Faults::default();
        let is_first = !matches!(duty.state, DutyState::Met { .. });
        let basis = (is_first && duty.obligation.late_needs_reason).then_some(duty.legal_basis.as_str());
        let late = duty.state.due().and_then(|due| new.check(due, basis, &mut faults));
        let authority = match &new.authority {
            Some(named) if self.law.authorities.find(named).is_none() => {
                faults.add("/authority", "unknown_authority", "No authority is known by this id.");
                None
            }
            Some(named) => Some(named.clone()),
            None if duty.obligation.recipient == Recipient::SupervisoryAuthority => {
                let found = self.authority_of(connection, &part.incident, &part.party, now)?;
                found.and_then(|found| found.authority().map(str::to_owned))
            }
            None => None,
        };
        Ok(faults.finish(Some((late, authority)))?)
    }
}

/// Whose filing it is: the processor's own where it owes it itself, otherwise as for everything that is recorded of a part.
fn filing_party(
    connection: &mut AnyConnection,
    actor: &Actor,
    incident: &IncidentId,
    standing: &Standing,
    new: &NewAuthorityFiling,
) -> Result<OrganisationId, ServiceError> {
    let named = new.controller.as_ref();
    if standing.is_processor && named.is_none_or(|named| *named == actor.organisation) {
        let own = duties::of_party(connection, &actor.organisation, incident, &actor.organisation)?;
        if named.is_some() || own.iter().any(|duty| is_for(duty, &actor.organisation, &new.obligation)) {
            return Ok(actor.organisation.clone());
        }
    }
    whose(connection, &actor.organisation, incident, standing.is_processor, named)
}

/// Whether a filing for this obligation by `party` is for this duty.
fn is_for(duty: &Duty, party: &OrganisationId, obligation: &str) -> bool {
    duty.obligation.code == obligation && duty.obligation.end == Milestone::Filed && duty.debtor == *party
}

/// The duty of this party that the filing is for, under lock; refused where there is none, or where it is closed.
fn owed(connection: &mut AnyConnection, part: &Part, obligation: &str) -> Result<Owed, ServiceError> {
    let all = duties::of_parties(connection, &part.incident, &[part.party.as_str()])?;
    let Some(duty) = all.iter().find(|duty| is_for(duty, &part.party, obligation)).cloned() else {
        let owed = all.iter().filter(|duty| is_for(duty, &part.party, &duty.obligation.code));
        let mut codes: Vec<&str> = owed.map(|duty| duty.obligation.code.as_str()).collect();
        codes.dedup();
        let detail = format!("Nothing of this kind is owed here; filings can be for: {}.", codes.join(", "));
        return Err(refused("/obligation", "not_owed", detail));
    };
    let closed = |code, detail: &str| Err(ServiceError::Conflict { code, detail: detail.to_owned() });
    match duty.state {
        DutyState::NotStarted => Err(refused("/obligation", "not_started", "The clock of this duty has not begun.")),
        DutyState::NotRequired(..) => closed(
            "not-required",
            "This was found not to be required; record the decision that it is, and then the filing.",
        ),
        DutyState::Drill(_) => closed("drill", "Nothing is filed in a drill."),
        DutyState::Lapsed(_) => closed("duty-closed", "The time for this is over."),
        DutyState::Running(_) | DutyState::Breached(_) | DutyState::Met { .. } | DutyState::Cancelled(..) => {
            Ok(Owed { duty, all })
        }
    }
}

/// What the filing fulfils: the duty it is for, and, if it is complete, the giving of what was open after it, Art. 33(4) GDPR.
fn reached(filing: &AuthorityFiling, duty: &Duty, all: &[Duty]) -> Vec<Reached> {
    let filed = |duty: &Duty| Reached::of(Milestone::Filed, filing.filed_at, duty.id.clone());
    let after = Milestone::Fulfilled(duty.obligation.code.clone());
    let completes = |other: &&Duty| {
        let row = &other.obligation;
        row.start == after && row.trigger.facts.contains(&Fact::OpenItems) && is_for(other, &filing.party, &row.code)
    };
    let rest = all.iter().filter(|other| filing.stage == Stage::Complete && completes(other));
    [filed(duty)].into_iter().chain(rest.map(filed)).collect()
}
