//! The debtor of a duty that is owed from some risk on records that it is not required, with a named person and a reason.

use serde_json::json;

use super::duty_facts::duty_facts;
use super::part::Part;
use super::record::digest;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::catalogue::Threshold;
use crate::domain::decision::Waiver;
use crate::domain::duty::Closing;
use crate::domain::id::DutyId;
use crate::store::{AnyConnection, duties, ledger};

impl Service {
    /// Closes a duty as not required; answers it. Only the debtor may, and only where the row has a threshold of risk.
    pub async fn waive_duty(
        &self,
        actor: Actor,
        id: DutyId,
        waiver: Waiver,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                let duty = duties::find(connection, &actor.organisation, &id)?.ok_or(ServiceError::NotFound)?;
                if duty.debtor != actor.organisation {
                    return Err(ServiceError::Forbidden("Only who owes a duty finds it not to be required."));
                }
                if duty.obligation.threshold == Threshold::None {
                    let detail = "This is owed whatever the risk; nobody can find it not to be required.".to_owned();
                    return Err(ServiceError::Conflict { code: "no-threshold", detail });
                }
                // Read again under lock: its clock may have moved in between.
                let mut locked = duties::of_parties(connection, &duty.incident, &[duty.party.as_str()])?.into_iter();
                let duty = locked.find(|found| found.id == id).ok_or(ServiceError::NotFound)?;
                let state = duty.state.as_str();
                let reason_sha256 = digest(&waiver.reason)?;
                let duty = duty.waive(Closing { at: now, by: waiver.by, reason: waiver.reason }).map_err(|_| {
                    let detail = format!("The duty is `{state}`; only one that is still open can be waived.");
                    ServiceError::Conflict { code: "duty-closed", detail }
                })?;
                duties::update(connection, std::slice::from_ref(&duty))?;
                let part = Part::of(connection, &actor, &duty.incident, duty.party.clone())?;
                let facts = json!({"duty": duty_facts(&duty), "reason_sha256": reason_sha256});
                let entry = part.entry(connection, (&actor, now), ("duty.waived", id.as_str()), facts)?;
                ledger::append(connection, &[entry])?;
                Answer::of(&duty)
            })
        };
        self.store.write(work).await
    }
}
