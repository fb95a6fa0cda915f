//! Sub-processors whose notices are received: entered, changed and shown. A secret comes in and never goes out.

use serde_json::json;

use super::record::{Deed, digest};
use super::{Answer, Idempotency, Service, ServiceError};
use crate::crypto::{SenderKey, WebhookSecret};
use crate::domain::actor::Actor;
use crate::domain::fault::Faults;
use crate::domain::id::SourceId;
use crate::domain::page::{Page, PageRequest};
use crate::domain::source::{NewSource, Source};
use crate::domain::vocabulary::OrganisationRole;
use crate::store::sources::{self, secret_context};
use crate::store::{AnyConnection, ledger, organisations};

impl Service {
    /// Reads the body of a source; answers all faults at once.
    ///
    /// # Errors
    /// Every fault of the body.
    pub fn parse_source(body: &serde_json::Value) -> Result<NewSource, Faults> {
        let is_secret = |text: &str| WebhookSecret::parse(text).is_ok();
        NewSource::parse(body, &is_secret, &|text| SenderKey::parse(text).is_ok())
    }

    /// Enters a sub-processor whose notices are received, and answers it.
    pub async fn create_source(
        &self,
        actor: Actor,
        new: NewSource,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                let own = organisations::find(connection, &actor.organisation)?;
                if !own.is_some_and(|own| own.roles.contains(&OrganisationRole::Processor)) {
                    return Err(ServiceError::Forbidden("Only a processor has sub-processors."));
                }
                let id: SourceId = service.id(now);
                let sealed = service.sealed(&id, &new);
                sources::insert(connection, &actor.organisation, &id, &new, sealed.as_deref(), now)?;
                let deed = Deed { actor: &actor, owner: &actor.organisation, at: now };
                let entry = deed.entry("source.created", id.as_str(), None, facts(&new, 1)?);
                ledger::append(connection, &[entry])?;
                let created = sources::find(connection, &actor.organisation, &id)?.ok_or(ServiceError::NotFound)?;
                Ok(Answer::of(&service.reachable(created)?)?.at(format!("/v1/sources/{id}")).version(1))
            })
        };
        self.store.write(work).await
    }

    /// Replaces what `version` of a source says; a secret that is not given stays as it is.
    pub async fn change_source(
        &self,
        actor: Actor,
        id: SourceId,
        version: i32,
        new: NewSource,
    ) -> Result<(serde_json::Value, i32), ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let tenant = &actor.organisation;
            sources::find(connection, tenant, &id)?.ok_or(ServiceError::NotFound)?;
            let sealed = service.sealed(&id, &new);
            if !sources::replace(connection, tenant, &id, version, &new, sealed.as_deref(), now)? {
                return Err(ServiceError::VersionMismatch);
            }
            let deed = Deed { actor: &actor, owner: tenant, at: now };
            let entry = deed.entry("source.changed", id.as_str(), None, facts(&new, version + 1)?);
            ledger::append(connection, &[entry])?;
            let changed = sources::find(connection, tenant, &id)?.ok_or(ServiceError::NotFound)?;
            Ok((service.reachable(changed)?, version + 1))
        };
        self.store.write(work).await
    }

    /// One source.
    pub async fn show_source(&self, actor: Actor, id: SourceId) -> Result<(serde_json::Value, i32), ServiceError> {
        let read = move |connection: &mut _| sources::find(connection, &actor.organisation, &id);
        let found = self.store.read(read).await?.ok_or(ServiceError::NotFound)?;
        let version = found.version;
        Ok((self.reachable(found)?, version))
    }

    /// A page of sources, oldest first.
    pub async fn list_sources(&self, actor: Actor, page: PageRequest) -> Result<Page<serde_json::Value>, ServiceError> {
        let limit = page.limit;
        let read = move |connection: &mut _| sources::list(connection, &actor.organisation, &page);
        let page = Page::cut(self.store.read(read).await?, limit, |source| source.id.to_string());
        let items = page.items.into_iter().map(|source| self.reachable(source)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: page.next })
    }

    /// The source with the address that the sub-processor sends to.
    fn reachable(&self, source: Source) -> Result<serde_json::Value, ServiceError> {
        let url = format!("{}/inbound/{}", self.public_url.as_str().trim_end_matches('/'), source.id);
        let mut shown = serde_json::to_value(source)?;
        shown["inbound_url"] = url.into();
        Ok(shown)
    }

    fn sealed(&self, id: &SourceId, new: &NewSource) -> Option<String> {
        let secret = new.secret.as_deref().and_then(|text| WebhookSecret::parse(text).ok())?;
        Some(self.master_key.seal(&self.entropy, &secret_context(id), secret.as_bytes()))
    }
}

/// What the ledger records of a source; no secret, and the name as a digest.
fn facts(new: &NewSource, version: i32) -> Result<serde_json::Value, ServiceError> {
    Ok(json!({
        "version": version,
        "name_sha256": digest(&new.name)?,
        "secret_given": new.secret.is_some(),
        "public_key": new.public_key,
        "product": new.product,
        "agreed_within": new.agreed_within,
    }))
}
