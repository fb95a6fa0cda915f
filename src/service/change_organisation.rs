//! An organisation's data change. Its roles are the operator's business, since they decide what it may do.

use serde_json::json;

use super::record::{Deed, digest};
use super::show_organisations::sight;
use super::{Service, ServiceError, operator_id};
use crate::domain::actor::{Actor, Scope};
use crate::domain::id::OrganisationId;
use crate::domain::organisation::{NewOrganisation, Organisation};
use crate::store::{AnyConnection, ledger, organisations};

impl Service {
    /// Replaces what `version` of an organisation says and answers the next version.
    pub async fn change_organisation(
        &self,
        actor: Actor,
        id: OrganisationId,
        version: i32,
        new: NewOrganisation,
    ) -> Result<Organisation, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let current = organisations::seen(connection, sight(&actor), &id)?.ok_or(ServiceError::NotFound)?;
            may_change(connection, &actor, &current, &new)?;
            if !organisations::replace(connection, &id, version, &new, now)? {
                return Err(ServiceError::VersionMismatch);
            }
            let facts = json!({"version": version + 1, "roles": new.roles, "content_sha256": digest(&new)?});
            let deed = Deed { actor: &actor, owner: &id, at: now };
            ledger::append(connection, &[deed.entry("organisation.changed", id.as_str(), None, facts)])?;
            service.register_contacts(connection, &actor, &id, now)?;
            organisations::find(connection, &id)?.ok_or(ServiceError::NotFound)
        };
        self.store.write(work).await
    }
}

fn may_change(
    connection: &mut AnyConnection,
    actor: &Actor,
    current: &Organisation,
    new: &NewOrganisation,
) -> Result<(), ServiceError> {
    if current.id == operator_id() {
        return Err(ServiceError::Forbidden("The operator's own organisation has no roles and stays as it is."));
    }
    if actor.may(Scope::Admin) {
        return Ok(());
    }
    if current.id != actor.organisation && !organisations::is_created_by(connection, &current.id, &actor.organisation)?
    {
        return Err(ServiceError::Forbidden(
            "Only the organisation itself, whoever created it, and the operator may change it.",
        ));
    }
    if current.roles != new.roles {
        return Err(ServiceError::Forbidden("Only the operator may change roles."));
    }
    Ok(())
}
