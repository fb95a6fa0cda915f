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

/// How long the secret before is good, unless somebody says otherwise.
const OVERLAP: Duration = Duration::DAY;
/// So many secrets before may be good at the same time: the one in use, and one that perhaps was lost on its way.
const BEFORE: i64 = 2;

impl Service {
    /// Makes a new secret and answers it; it is shown here once, and again only to the same request. Those before are good for
    /// `overlap` at the longest, by default for a day.
    pub async fn rotate_webhook(
        &self,
        actor: Actor,
        id: WebhookId,
        overlap: Option<Duration>,
        key: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now, overlap) = (self.clone(), self.clock.now(), overlap.unwrap_or(OVERLAP));
        let rotate = move |connection: &mut AnyConnection, actor: &Actor, service: &Self| {
            let endpoint =
                endpoints::find(connection, &actor.organisation, &id.clone().into())?.ok_or(ServiceError::NotFound)?;
            let secret = WebhookSecret::generate(&service.entropy);
            let previous_valid_until = now + overlap;
            if webhooks::shorten_overlap(connection, &id, previous_valid_until, now)? >= BEFORE {
                let detail = "Two secrets before this one are still good. Wait until the first of them ends, or end them \
                              with a shorter overlap.";
                return Err(ServiceError::Conflict { code: "secrets-overlap", detail: detail.to_owned() });
            }
            webhooks::rotate(connection, &id, &service.seal_secret(&id, &secret), previous_valid_until)?;
            let facts = json!({"overlap_seconds": overlap.whole_seconds()});
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
