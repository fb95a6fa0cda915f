//! Endpoints prove that they are what they claim to be: they echo what a signed message asks them to.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::record::Deed;
use super::record_attempts::Attempted;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::delivery_outcome::Outcome;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::id::{DeliveryId, OrganisationId};
use crate::store::endpoints::{self, Endpoint};
use crate::store::outbox::{self, NewDelivery};
use crate::store::{AnyConnection, deliveries, ledger};

/// How long a verification is tried densely.
const WINDOW: Duration = Duration::DAY;

impl Service {
    /// Asks the endpoint `id` of `owner` to prove itself.
    pub(super) fn verify(
        &self,
        connection: &mut AnyConnection,
        id: &EndpointId,
        owner: &OrganisationId,
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let endpoint = endpoints::find(connection, owner, id)?.ok_or(ServiceError::NotFound)?;
        Ok(outbox::enqueue(connection, &[self.verification_of(&endpoint, now)], now)?)
    }

    /// The message that asks `endpoint` to prove itself.
    pub(super) fn verification_of(&self, endpoint: &Endpoint, now: OffsetDateTime) -> NewDelivery {
        let message = self.message_to(endpoint, EventType::EndpointVerify, None, now + WINDOW, now);
        NewDelivery { lane: message.lane.replayed(), ..message }
    }

    /// Asks the endpoint `id` to prove itself anew, because its owner or whoever registered it wants to know; answers the delivery.
    pub async fn ask_verification(&self, actor: Actor, id: EndpointId) -> Result<DeliveryId, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            let endpoint = endpoints::find(connection, &actor.organisation, &id)?.ok_or(ServiceError::NotFound)?;
            let message = service.verification_of(&endpoint, now);
            let delivery = message.id.clone();
            outbox::enqueue(connection, &[message], now)?;
            let deed = Deed { actor: &actor, owner: &endpoint.organisation, at: now };
            let facts = json!({"delivery": delivery});
            ledger::append(connection, &[deed.entry("endpoint.verification_requested", id.as_str(), None, facts)])?;
            Ok::<_, ServiceError>(delivery)
        };
        let delivery = self.store.write(work).await?;
        self.nudge.notify_waiters();
        Ok(delivery)
    }
}

/// Marks endpoints that have echoed what they were asked to; what is owed to them goes out at once.
pub(super) fn note_verifications(connection: &mut AnyConnection, attempted: &[Attempted]) -> Result<(), ServiceError> {
    let proved = attempted.iter().filter(|one| one.asked_to_echo() && one.outcome == Outcome::Delivered);
    for one in proved {
        let (id, address) = (&one.sent.endpoint, one.sent.dispatch.address());
        let Some(endpoint) = endpoints::prove(connection, id, address, one.ended_at)? else { continue };
        if !endpoint.was_healthy {
            deliveries::hasten(connection, &[id.to_string()], one.ended_at)?;
            let actor = Actor::service(endpoint.created_by.clone());
            let deed = Deed { actor: &actor, owner: &endpoint.organisation, at: one.ended_at };
            let facts = json!({"delivery": one.sent.delivery});
            ledger::append(connection, &[deed.entry("endpoint.verified", id.as_str(), None, facts)])?;
        }
    }
    Ok(())
}

/// Whether an answer holds `challenge`, as `{"challenge": "…"}` or as its plain text.
pub(super) fn echoes(answer: &[u8], challenge: &str) -> bool {
    let in_json = |value: Value| value["challenge"] == challenge;
    serde_json::from_slice(answer).is_ok_and(in_json) || answer.trim_ascii() == challenge.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::echoes;

    #[test]
    fn an_echo_is_json_or_the_plain_text() {
        for good in [r#"{"challenge": "abc"}"#, r#"{"challenge":"abc","more":1}"#, "abc", "abc\n"] {
            assert!(echoes(good.as_bytes(), "abc"), "{good}");
        }
        for bad in ["", "{}", r#"{"challenge": "abd"}"#, r#"["abc"]"#, "abcd", r#"{"data": {"challenge": "abc"}}"#] {
            assert!(!echoes(bad.as_bytes(), "abc"), "{bad}");
        }
    }
}
