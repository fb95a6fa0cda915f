//! What a fresh database needs before anybody can ask for anything: the operator's own organisation.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::record::{Deed, digest};
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::id::OrganisationId;
use crate::domain::organisation::{NewOrganisation, Sector};
use crate::store::{AnyConnection, ledger, obligations, organisations};

/// The operator's organisation, the same in every database: a UUID version 7 of the year 1970.
pub fn operator_id() -> OrganisationId {
    OrganisationId::from_bytes([0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0])
}

impl Service {
    /// Makes sure that there is an operator, and answers its id. Of several callers at once one creates it.
    pub async fn ensure_operator(&self) -> Result<OrganisationId, ServiceError> {
        let now = self.clock.now();
        let work = move |connection: &mut AnyConnection| {
            let id = operator_id();
            if organisations::find(connection, &id)?.is_some() {
                return Ok(id);
            }
            let new = NewOrganisation {
                name: "Operator".to_owned(),
                roles: BTreeSet::new(),
                // ISO 3166-1 leaves this code to users; it says that the country is not known.
                country: "ZZ".to_owned(),
                region: None,
                contacts: Vec::new(),
                sector: Sector::Private,
                regimes: BTreeSet::new(),
                main_establishment: None,
                release_policy: None,
            };
            if organisations::insert(connection, &id, &new, &id, now)? {
                let actor = Actor::service(id.clone());
                let facts = json!({"roles": new.roles, "content_sha256": digest(&new)?});
                let deed = Deed { actor: &actor, owner: &id, at: now };
                ledger::append(connection, &[deed.entry("organisation.created", id.as_str(), None, facts)])?;
            }
            Ok::<_, ServiceError>(id)
        };
        self.store.write(work).await
    }
}

impl Service {
    /// Keeps the words of today's law, so that duties can name the rows that they are born from.
    pub async fn keep_law(&self) -> Result<(), ServiceError> {
        let rows = Arc::clone(&self.rows);
        self.store.write(move |connection| Ok(obligations::keep(connection, &rows)?)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_has_a_canonical_id() {
        assert_eq!(operator_id().as_str().parse(), Ok(operator_id()));
        assert_eq!(operator_id().as_str(), "org_0000000000e008000000000000");
    }
}
