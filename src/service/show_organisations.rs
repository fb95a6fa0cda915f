//! Organisations as the caller may see them.

use super::{Service, ServiceError};
use crate::domain::actor::{Actor, Scope};
use crate::domain::id::OrganisationId;
use crate::domain::organisation::Organisation;
use crate::domain::page::{Page, PageRequest};
use crate::store::organisations::{self, OrganisationFilter, Sight};

/// Whom the actor sees: the operator everybody, others themselves and those that they deal with.
pub(super) fn sight(actor: &Actor) -> Sight<'_> {
    if actor.may(Scope::Admin) { Sight::All } else { Sight::Of(&actor.organisation) }
}

impl Service {
    /// One organisation.
    pub async fn show_organisation(&self, actor: Actor, id: OrganisationId) -> Result<Organisation, ServiceError> {
        let read = move |connection: &mut _| organisations::seen(connection, sight(&actor), &id);
        self.store.read(read).await?.ok_or(ServiceError::NotFound)
    }

    /// A page of organisations, oldest first.
    pub async fn list_organisations(
        &self,
        actor: Actor,
        role: Option<crate::domain::vocabulary::OrganisationRole>,
        name: Option<String>,
        page: PageRequest,
    ) -> Result<Page<Organisation>, ServiceError> {
        let limit = page.limit;
        let filter = OrganisationFilter { role, name };
        let read = move |connection: &mut _| organisations::list(connection, sight(&actor), &filter, &page);
        let items = self.store.read(read).await?;
        Ok(Page::cut(items, limit, |organisation| organisation.id.to_string()))
    }
}
