//! A new secret for an endpoint. The old one goes on signing for a day, so that the receiver can change over without a gap.

use serde_json::json;
use time::Duration;

use super::record::Deed;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::crypto::WebhookSecret;
use crate::domain::actor::Actor;
use crate::domain::id::WebhookId;
use crate::domain::webhook::RotatedSecret;
use crate::store::{AnyConnection, endpoints, ledger, webhooks};

/// How long the secret before is good.
const OVERLAP: Duration = Duration::DAY;

impl Service {
    /// Makes a new secret and answers it; it is shown here once, and again only to the same request.
    pub async fn rotate_webhook(
        &self,
        actor: Actor,
        id: WebhookId,
        key: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let rotate = move |connection: &mut AnyConnection, actor: &Actor, service: &Self| {
            let endpoint =
                endpoints::find(connection, &actor.organisation, &id.clone().into())?.ok_or(ServiceError::NotFound)?;
            let secret = WebhookSecret::generate(&service.entropy);
            let previous_valid_until = now + OVERLAP;
            webhooks::rotate(connection, &id, &service.seal_secret(&id, &secret), previous_valid_until)?;
            let facts = json!({"overlap_seconds": OVERLAP.whole_seconds()});
            let deed = Deed { actor, owner: &endpoint.organisation, at: now };
            ledger::append(connection, &[deed.entry("webhook.secret_rotated", id.as_str(), None, facts)])?;
            Answer::of(&RotatedSecret { id, secret: secret.to_text(), previous_valid_until })
        };
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, key.as_ref(), now, |connection| rotate(connection, &actor, &service))
        };
        self.store.write(work).await
    }
}
