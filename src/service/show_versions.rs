//! The versions of an incident, for its processor and, as far as they concern it, for a controller.

use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::id::IncidentId;
use crate::domain::page::{Page, PageRequest};
use crate::domain::phase::IncidentVersion;
use crate::store::{AnyConnection, incident_versions};

impl Service {
    /// A page of the versions of one incident, oldest first.
    pub async fn list_incident_versions(
        &self,
        actor: &Actor,
        id: IncidentId,
        page: PageRequest,
    ) -> Result<Page<IncidentVersion>, ServiceError> {
        let (tenant, limit) = (actor.organisation.clone(), page.limit);
        let read = move |connection: &mut AnyConnection| {
            incident_versions::list(connection, &tenant, &id, &page)?.ok_or(ServiceError::NotFound)
        };
        let items = self.store.read(read).await?;
        Ok(Page::cut(items, limit, |version| version.version.to_string()))
    }
}
