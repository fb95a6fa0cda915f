//! An endpoint moves, or wants other events. What is open is told to it if it now wants to know.

use super::create_webhook::facts;
use super::record::Deed;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::id::WebhookId;
use crate::domain::webhook::{ShownWebhook, WebhookContent};
use crate::store::{AnyConnection, ledger, webhooks};

impl Service {
    /// Replaces address and events of `version` of an endpoint and answers the next version.
    pub async fn change_webhook(
        &self,
        actor: Actor,
        id: WebhookId,
        version: i32,
        content: WebhookContent,
    ) -> Result<ShownWebhook, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let tenant = &actor.organisation;
            let before = webhooks::find(connection, tenant, &id)?.ok_or(ServiceError::NotFound)?;
            let (owner, moved) = (before.organisation.id, before.url != content.url.as_str());
            if !webhooks::replace(connection, &id, version, &content, moved, now)? {
                return Err(ServiceError::VersionMismatch);
            }
            if moved {
                service.verify(connection, &id.clone().into(), &owner, now)?;
            }
            let told = service.tell_what_is_open(connection, &id, &owner, now)?;
            let mut facts = facts(&content)?;
            facts["version"] = (version + 1).into();
            facts["notices_enqueued"] = told.into();
            let deed = Deed { actor: &actor, owner: &owner, at: now };
            ledger::append(connection, &[deed.entry("webhook.changed", id.as_str(), None, facts)])?;
            webhooks::find(connection, tenant, &id)?.ok_or(ServiceError::NotFound)
        };
        let changed = self.store.write(work).await?;
        self.nudge.notify_waiters();
        Ok(self.shown(changed, None))
    }
}
