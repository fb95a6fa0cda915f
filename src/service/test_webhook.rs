//! A test message to an endpoint, signed and sent like any other.

use serde_json::json;
use time::Duration;

use super::record::Deed;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::delivery::Lane;
use crate::domain::event::EventType;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::store::outbox::{self, NewDelivery};
use crate::store::{AnyConnection, endpoints, ledger};

/// How long a test message is tried densely.
const WINDOW: Duration = Duration::HOUR;

impl Service {
    /// Enqueues a test message and answers its delivery.
    pub async fn test_webhook(&self, actor: Actor, id: WebhookId) -> Result<DeliveryId, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let endpoint =
                endpoints::find(connection, &actor.organisation, &id.clone().into())?.ok_or(ServiceError::NotFound)?;
            let message = service.message_to(&endpoint, EventType::EndpointTest, None, now + WINDOW, now);
            let message = NewDelivery { lane: Lane::Replay, ..message };
            let delivery = message.id.clone();
            outbox::enqueue(connection, &[message], now)?;
            let facts = json!({"delivery": delivery});
            let deed = Deed { actor: &actor, owner: &endpoint.organisation, at: now };
            ledger::append(connection, &[deed.entry("webhook.tested", id.as_str(), None, facts)])?;
            Ok::<_, ServiceError>(delivery)
        };
        let delivery = self.store.write(work).await?;
        self.nudge.notify_waiters();
        Ok(delivery)
    }
}
