//! Endpoints prove that they are what they claim to be: they echo what a signed message asks them to.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::record::Deed;
use super::record_attempts::Attempted;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::delivery::Lane;
use crate::domain::delivery_outcome::Outcome;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::id::OrganisationId;
use crate::store::outbox::{self, NewDelivery};
use crate::store::{AnyConnection, deliveries, endpoints, ledger};

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
        let message = self.message_to(&endpoint, EventType::EndpointVerify, None, now + WINDOW, now);
        let lane = if message.lane == Lane::Mail { Lane::Mail } else { Lane::Replay };
        outbox::enqueue(connection, &[NewDelivery { lane, ..message }], now)?;
        Ok(())
    }

    /// Marks endpoints that have echoed what they were asked to; what is owed to them goes out at once.
    pub(super) fn note_verifications(
        &self,
        connection: &mut AnyConnection,
        attempted: &[Attempted],
    ) -> Result<(), ServiceError> {
        let proved = attempted.iter().filter(|one| {
            one.sent.event == EventType::EndpointVerify
                && one.outcome == Outcome::Delivered
                && echoes(&one.answer, &self.challenge(&one.sent.delivery))
        });
        for one in proved {
            let Some(endpoint) = endpoints::prove(connection, &one.sent.endpoint, one.ended_at)? else { continue };
            deliveries::hasten(connection, &[one.sent.endpoint.to_string()], one.ended_at)?;
            if !endpoint.was_verified {
                let actor = Actor::service(endpoint.created_by.clone());
                let deed = Deed { actor: &actor, owner: &endpoint.organisation, at: one.ended_at };
                let facts = json!({"delivery": one.sent.delivery});
                let id = one.sent.endpoint.as_str();
                ledger::append(connection, &[deed.entry("endpoint.verified", id, None, facts)])?;
            }
        }
        Ok(())
    }
}

/// Whether an answer holds `challenge`, as `{"challenge": "…"}` or as its plain text.
fn echoes(answer: &[u8], challenge: &str) -> bool {
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
