//! A new agreement between the caller's organisation, the processor, and one controller.

use serde_json::json;

use super::agreement_checks::{Known, enter_as_processor};
use super::record::{Deed, digest};
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::agreement::NewAgreement;
use crate::store::{AnyConnection, agreements, ledger};

impl Service {
    /// Creates an agreement as version 1 and answers it.
    pub async fn create_agreement(
        &self,
        actor: Actor,
        new: NewAgreement,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                enter_as_processor(connection, &actor)?;
                let known = Known::about(connection, &actor.organisation, std::iter::once(&new))?;
                known.faults(&actor.organisation, &new).finish(Some(()))?;
                let id = service.id(now);
                agreements::insert(connection, &actor.organisation, &[(id.clone(), &new)], now)?;
                let controller = std::iter::once(&new.controller);
                service.keep_mailboxes(connection, (&actor, &actor.organisation), controller, now)?;
                let facts = json!({"version": 1, "content_sha256": digest(&new.content)?});
                let deed = Deed { actor: &actor, owner: &actor.organisation, at: now };
                let entry = deed.entry("agreement.created", id.as_str(), Some(&new.controller), facts);
                ledger::append(connection, &[entry])?;
                let created = agreements::find(connection, &actor.organisation, &id)?.ok_or(ServiceError::NotFound)?;
                Ok(Answer::of(&created)?.at(format!("/v1/agreements/{id}")).version(created.version))
            })
        };
        self.store.write(work).await
    }
}
