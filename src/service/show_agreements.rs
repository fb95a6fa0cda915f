//! Agreements as their two parties may see them.

use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::agreement::Agreement;
use crate::domain::id::AgreementId;
use crate::domain::page::{Page, PageRequest};
use crate::store::AnyConnection;
use crate::store::agreements;

pub use crate::store::agreements::AgreementFilter;

impl Service {
    /// The current version of one agreement.
    pub async fn show_agreement(&self, actor: Actor, id: AgreementId) -> Result<Agreement, ServiceError> {
        let read = move |connection: &mut _| agreements::find(connection, &actor.organisation, &id);
        self.store.read(read).await?.ok_or(ServiceError::NotFound)
    }

    /// A page of current versions, oldest first.
    pub async fn list_agreements(
        &self,
        actor: Actor,
        filter: AgreementFilter,
        page: PageRequest,
    ) -> Result<Page<Agreement>, ServiceError> {
        let limit = page.limit;
        let read = move |connection: &mut _| agreements::list(connection, &actor.organisation, &filter, &page);
        let items = self.store.read(read).await?;
        Ok(Page::cut(items, limit, |agreement| agreement.id.to_string()))
    }

    /// A page of all versions of one agreement, newest first.
    pub async fn list_agreement_versions(
        &self,
        actor: Actor,
        id: AgreementId,
        page: PageRequest,
    ) -> Result<Page<Agreement>, ServiceError> {
        let limit = page.limit;
        let read = move |connection: &mut AnyConnection| {
            let current = agreements::find(connection, &actor.organisation, &id)?.ok_or(ServiceError::NotFound)?;
            Ok::<_, ServiceError>(agreements::versions(connection, &current, &page)?)
        };
        let items = self.store.read(read).await?;
        Ok(Page::cut(items, limit, |agreement| agreement.version.to_string()))
    }
}
