//! The debtor of a duty takes back that it is not required, with a named person and a reason; it is owed again on its old clock.

use serde_json::json;
use time::OffsetDateTime;

use super::duty_facts::duty_facts;
use super::part::Part;
use super::record::digest;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::course::{Effect, Reached};
use crate::domain::decision::Waiver;
use crate::domain::duty::DutyState;
use crate::domain::duty_record::Duty;
use crate::domain::id::DutyId;
use crate::domain::milestone::Milestone;
use crate::store::{AnyConnection, duties, ledger, standing};

impl Service {
    /// Opens a duty again that was found not to be required; answers it. Only the debtor may.
    pub async fn reopen_duty(
        &self,
        actor: Actor,
        id: DutyId,
        reopening: Waiver,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                service.reopen_in(connection, &actor, &id, &reopening, now)
            })
        };
        let answer = self.store.write(work).await?;
        self.nudge.notify_waiters();
        Ok(answer)
    }

    fn reopen_in(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        id: &DutyId,
        reopening: &Waiver,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        let duty = duties::find(connection, &actor.organisation, id)?.ok_or(ServiceError::NotFound)?;
        if duty.debtor != actor.organisation {
            return Err(ServiceError::Forbidden("Only who owes a duty takes back that it is not required."));
        }
        // Read again under lock: its clock may have moved in between.
        let all = duties::of_parties(connection, &duty.incident, &[duty.party.as_str()])?;
        let duty = all.iter().find(|found| found.id == *id).cloned().ok_or(ServiceError::NotFound)?;
        let state = duty.state.as_str();
        let duty = duty.reopen(now).map_err(|_| {
            let detail =
                format!("The duty is `{state}`; only one that was found not to be required can be opened again.");
            ServiceError::Conflict { code: "duty-not-waived", detail }
        })?;
        duties::update(connection, std::slice::from_ref(&duty))?;
        let duty = self.catch_up(connection, duty, &all, now)?;
        let part = Part::of(connection, actor, &duty.incident, duty.party.clone())?;
        let facts = json!({"duty": duty_facts(&duty), "by_sha256": digest(&reopening.by)?, "reason_sha256": digest(&reopening.reason)?});
        let entry = part.entry(connection, (actor, now), ("duty.reopened", id.as_str()), facts)?;
        ledger::append(connection, &[entry])?;
        Answer::of(&duty)
    }

    /// Starts the clock of a duty that missed its beginning while it was not required.
    fn catch_up(
        &self,
        connection: &mut AnyConnection,
        duty: Duty,
        all: &[Duty],
        now: OffsetDateTime,
    ) -> Result<Duty, ServiceError> {
        if duty.state != DutyState::NotStarted {
            return Ok(duty);
        }
        let fulfilled = all.iter().filter_map(|other| match other.state {
            DutyState::Met { met_at, .. } => {
                Some(Reached::new(Milestone::Fulfilled(other.obligation.code.clone()), met_at))
            }
            _ => None,
        });
        let mut reached: Vec<Reached> = fulfilled.collect();
        let informed = standing::informed_at(connection, &duty.incident, &duty.party)?;
        let starts = |at| Reached::new(Milestone::ControllerInformed, at).having(Effect::Starts);
        reached.extend(informed.map(starts));
        let moved = self.happened(connection, &duty.incident, &duty.party, reached, now)?;
        Ok(moved.into_iter().find(|moved| moved.id == duty.id).unwrap_or(duty))
    }
}
