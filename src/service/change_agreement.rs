//! The next version of an agreement. Duties that exist keep the terms that were frozen onto them; nothing is recomputed.

use serde_json::json;

use super::agreement_checks::{Known, enter_as_processor};
use super::record::{Deed, digest};
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::agreement::{Agreement, AgreementContent};
use crate::domain::id::AgreementId;
use crate::store::{AnyConnection, agreements, ledger};

impl Service {
    /// Writes the version after `version` of an agreement and answers it. Only its processor may.
    pub async fn change_agreement(
        &self,
        actor: Actor,
        id: AgreementId,
        version: i32,
        content: AgreementContent,
    ) -> Result<Agreement, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let processor = &actor.organisation;
            let seen = agreements::find(connection, processor, &id)?.ok_or(ServiceError::NotFound)?;
            if seen.processor.id != *processor {
                return Err(ServiceError::Forbidden("Only the processor of an agreement may change it."));
            }
            enter_as_processor(connection, &actor)?;
            let known = Known::about_contents(connection, processor, std::iter::once(&content))?;
            known.content_faults(&seen.controller.id, &content, Some(&id)).finish(Some(()))?;
            if !agreements::replace(connection, &id, version, &content, now)? {
                return Err(ServiceError::VersionMismatch);
            }
            let controller = std::iter::once(&seen.controller.id);
            service.keep_mailboxes(connection, (&actor, processor), controller, now)?;
            let facts = json!({"version": version + 1, "content_sha256": digest(&content)?});
            let deed = Deed { actor: &actor, owner: processor, at: now };
            let entry = deed.entry("agreement.changed", id.as_str(), Some(&seen.controller.id), facts);
            ledger::append(connection, &[entry])?;
            agreements::find(connection, processor, &id)?.ok_or(ServiceError::NotFound)
        };
        self.store.write(work).await
    }
}
