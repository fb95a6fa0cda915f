//! Sending a notice again because somebody asks for it.

use time::OffsetDateTime;

use super::redeliver_failed::requested;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::endpoint::EndpointId;
use crate::domain::id::NoticeId;
use crate::domain::vocabulary::Channel;
use crate::store::notices::NoticeFacts;
use crate::store::{AnyConnection, endpoints, ledger, letters, notices, redeliveries, releases};

impl Service {
    /// Makes every delivery of the notice due at once, delivered ones included; answers their ids. For its processor.
    ///
    /// The same `webhook-id` goes out again, so that a receiver who has it can tell.
    pub async fn redeliver(&self, actor: &Actor, id: NoticeId) -> Result<Vec<String>, ServiceError> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let reopened = self.store.write(move |connection| reopen(connection, &actor, &id, now)).await?;
        self.nudge.notify_waiters();
        Ok(reopened)
    }
}

fn reopen(
    connection: &mut AnyConnection,
    actor: &Actor,
    id: &NoticeId,
    now: OffsetDateTime,
) -> Result<Vec<String>, ServiceError> {
    let fact = notices::facts(connection, &[id.as_str()])?.pop();
    let fact = fact.filter(|fact| fact.processor == actor.organisation).ok_or(ServiceError::NotFound)?;
    let release = releases::find(connection, &fact.processor, &fact.incident, fact.version)?;
    if release.is_some_and(|release| release.state == "awaited") {
        let detail = "The version that this notice tells waits for its release by a second person.".into();
        return Err(ServiceError::Conflict { code: "awaiting-release", detail });
    }
    let forbidden = forbidden(connection, &fact)?;
    let reopened = redeliveries::reopen(connection, id, &forbidden, now)?;
    if reopened.is_empty() {
        return Err(ServiceError::Conflict {
            code: "no-endpoint",
            detail: "The controller has no endpoint for notices; register a webhook for it, and the notice is sent."
                .into(),
        });
    }
    ledger::append(connection, &[requested(actor, id, &fact.controller, &reopened, now)])?;
    Ok(reopened)
}

/// The endpoints of the controller that stand where the agreement of the notice does not allow it.
fn forbidden(connection: &mut AnyConnection, fact: &NoticeFacts) -> Result<Vec<EndpointId>, ServiceError> {
    let id = fact.id.as_str();
    let terms = letters::terms_of(connection, &[id])?.remove(id).ok_or(ServiceError::NotFound)?;
    let mut forbidden = Vec::new();
    for channel in [Channel::Webhook, Channel::Email] {
        let endpoints = endpoints::of_organisations(connection, channel, &[fact.controller.to_string()])?;
        let elsewhere = endpoints.into_iter().filter(|one| !terms.allows_place(one.location.as_deref()));
        forbidden.extend(elsewhere.map(|endpoint| endpoint.id));
    }
    Ok(forbidden)
}
