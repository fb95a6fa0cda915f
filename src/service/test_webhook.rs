//! A test message to an endpoint, signed and sent like any other.

use serde_json::json;
use time::Duration;

use super::record::Deed;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::event::EventType;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::store::outbox::{self, NewDelivery};
use crate::store::{AnyConnection, ledger, webhooks};

/// How long a test message is tried densely.
const WINDOW: Duration = Duration::HOUR;

impl Service {
    /// Enqueues a test message and answers its delivery.
    pub async fn test_webhook(&self, actor: Actor, id: WebhookId) -> Result<DeliveryId, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let found = webhooks::find(connection, &actor.organisation, &id)?.ok_or(ServiceError::NotFound)?;
            let owner = found.organisation.id;
            let delivery: DeliveryId = service.id(now);
            let message = NewDelivery {
                id: delivery.clone(),
                event: EventType::EndpointTest,
                notice: None,
                webhook: id.clone(),
                organisation: owner.clone(),
                duty: None,
                lane: crate::domain::delivery::Lane::First,
                deadline_at: now + WINDOW,
            };
            outbox::enqueue(connection, &[message], now)?;
            let facts = json!({"delivery": delivery});
            let deed = Deed { actor: &actor, owner: &owner, at: now };
            ledger::append(connection, &[deed.entry("webhook.tested", id.as_str(), None, facts)])?;
            Ok::<_, ServiceError>(delivery)
        };
        let delivery = self.store.write(work).await?;
        self.nudge.notify_one();
        Ok(delivery)
    }
}
