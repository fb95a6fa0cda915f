//! A new organisation. The operator creates any; a processor creates the controllers that it works for.

use serde_json::json;

use super::record::{Deed, digest};
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::{Actor, Scope};
use crate::domain::organisation::NewOrganisation;
use crate::domain::vocabulary::OrganisationRole;
use crate::store::{AnyConnection, ledger, organisations};

impl Service {
    /// Creates an organisation and answers it.
    pub async fn create_organisation(
        &self,
        actor: Actor,
        new: NewOrganisation,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                may_create(connection, &actor, &new)?;
                let id = service.id(now);
                organisations::insert(connection, &id, &new, &actor.organisation, now)?;
                let facts = json!({"roles": new.roles, "content_sha256": digest(&new)?});
                let deed = Deed { actor: &actor, owner: &id, at: now };
                ledger::append(connection, &[deed.entry("organisation.created", id.as_str(), None, facts)])?;
                let created = organisations::find(connection, &id)?.ok_or(ServiceError::NotFound)?;
                Ok(Answer::of(&created)?.at(format!("/v1/organisations/{id}")).version(created.version))
            })
        };
        self.store.write(work).await
    }
}

fn may_create(connection: &mut AnyConnection, actor: &Actor, new: &NewOrganisation) -> Result<(), ServiceError> {
    if actor.may(Scope::Admin) {
        return Ok(());
    }
    let own = organisations::find(connection, &actor.organisation)?;
    if !own.is_some_and(|own| own.roles.contains(&OrganisationRole::Processor)) {
        return Err(ServiceError::Forbidden("Only the operator and processors may create organisations."));
    }
    if new.roles.iter().any(|role| *role != OrganisationRole::Controller) {
        return Err(ServiceError::Forbidden("Only the operator may create processors."));
    }
    Ok(())
}
