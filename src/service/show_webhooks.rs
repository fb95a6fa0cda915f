//! Endpoints as their organisation and whoever registered them may see them: never with a secret.

use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::id::WebhookId;
use crate::domain::page::{Page, PageRequest};
use crate::domain::webhook::{ShownWebhook, Webhook};
use crate::store::webhooks;

impl Service {
    /// The endpoint with the key that its messages are signed with.
    pub(super) fn shown(&self, webhook: Webhook, secret: Option<String>) -> ShownWebhook {
        ShownWebhook { webhook, public_key: self.signing_key.webhook_public_key(), secret }
    }

    /// One endpoint.
    pub async fn show_webhook(&self, actor: Actor, id: WebhookId) -> Result<ShownWebhook, ServiceError> {
        let read = move |connection: &mut _| webhooks::find(connection, &actor.organisation, &id);
        let found = self.store.read(read).await?.ok_or(ServiceError::NotFound)?;
        Ok(self.shown(found, None))
    }

    /// A page of endpoints, oldest first.
    pub async fn list_webhooks(&self, actor: Actor, page: PageRequest) -> Result<Page<ShownWebhook>, ServiceError> {
        let limit = page.limit;
        let read = move |connection: &mut _| webhooks::list(connection, &actor.organisation, &page);
        let page = Page::cut(self.store.read(read).await?, limit, |webhook| webhook.id.to_string());
        Ok(page.map(|webhook| self.shown(webhook, None)))
    }
}
