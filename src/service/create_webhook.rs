//! A new endpoint. What has not reached its organisation yet is told to it too, so that nothing is lost by coming late.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::error::refused;
use super::record::{Deed, digest};
use super::tell_notices::means_webhook;
use super::{Answer, Idempotency, Service, ServiceError, operator_id};
use crate::crypto::WebhookSecret;
use crate::domain::actor::Actor;
use crate::domain::delivery::Lane;
use crate::domain::endpoint::Health;
use crate::domain::event::EventType;
use crate::domain::id::{NoticeId, OrganisationId, WebhookId};
use crate::domain::terms::Terms;
use crate::domain::vocabulary::{Channel, OrganisationRole};
use crate::domain::webhook::{NewWebhook, WebhookContent};
use crate::store::endpoints::{self, Endpoint, secret_context};
use crate::store::outbox::{self, NewDelivery, Untold};
use crate::store::{AnyConnection, agreements, ledger, letters, organisations, webhooks};

/// How long a notice waits for the verification of an endpoint that has just been registered.
const VERIFY_FIRST: Duration = Duration::seconds(5);
/// How long a notice is tried densely at an endpoint that came late.
const LATE_WINDOW: Duration = Duration::DAY;

impl Service {
    /// Registers an endpoint and answers it with its secret, which is shown here once.
    pub async fn create_webhook(
        &self,
        actor: Actor,
        new: NewWebhook,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                service.register(connection, &actor, &new, now)
            })
        };
        let answer = self.store.write(work).await?;
        self.nudge.notify_waiters();
        Ok(answer)
    }

    fn register(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        new: &NewWebhook,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        let owner = owner(connection, actor, new)?;
        let id: WebhookId = self.id(now);
        let secret = WebhookSecret::generate(&self.entropy);
        let sealed = self.seal_secret(&id, &secret);
        webhooks::insert(connection, &id, &owner, &actor.organisation, &new.content, &sealed, now)?;
        self.verify(connection, &id.clone().into(), &owner, now)?;
        let told = self.tell_what_is_open(connection, &id, &owner, now)?;
        let mut facts = facts(&new.content)?;
        facts["notices_enqueued"] = told.into();
        let deed = Deed { actor, owner: &owner, at: now };
        ledger::append(connection, &[deed.entry("webhook.created", id.as_str(), None, facts)])?;
        let created = webhooks::find(connection, &actor.organisation, &id)?.ok_or(ServiceError::NotFound)?;
        let version = created.version;
        let shown = self.shown(created, Some(secret.to_text()));
        Ok(Answer::of(&shown)?.at(format!("/v1/webhooks/{id}")).version(version))
    }

    /// The secret as it is stored.
    pub(super) fn seal_secret(&self, id: &WebhookId, secret: &WebhookSecret) -> String {
        self.master_key.seal(&self.entropy, &secret_context(&id.clone().into()), secret.as_bytes())
    }

    /// Enqueues the notices that have not reached `owner`, if the endpoint wants and may hear them and their agreements mean it and
    /// allow the place where it stands; answers how many leave now. What is on its way to a place that is not allowed any more is
    /// taken back.
    ///
    /// What waits for a release is enqueued too, but not counted: the number stands in the ledger, and the owner reads it.
    pub(super) fn tell_what_is_open(
        &self,
        connection: &mut AnyConnection,
        webhook: &WebhookId,
        owner: &OrganisationId,
        now: OffsetDateTime,
    ) -> Result<usize, ServiceError> {
        let hears = |endpoint: &Endpoint| EventType::NOTICES.iter().any(|event| endpoint.events.want(*event));
        let Some(endpoint) = endpoints::find(connection, owner, &webhook.clone().into())? else { return Ok(0) };
        take_back(connection, &endpoint)?;
        if !hears(&endpoint) {
            return Ok(0);
        }
        // A filing that is being written either sees this endpoint or is seen here: both take the processor's edition.
        for processor in agreements::processors_of(connection, owner)? {
            if endpoint.hears(&processor) {
                organisations::raise_edition(connection, &processor)?;
            }
        }
        let untold = outbox::notices_to_tell(connection, &endpoint)?;
        let ids: Vec<&str> = untold.iter().map(|untold| untold.notice.as_str()).collect();
        let terms = letters::terms_of(connection, &ids)?;
        // Whom a controller lets in at a door of its own is its own affair; where that door stands is a matter of the agreement.
        let is_own = endpoint.created_by == endpoint.organisation;
        let is_meant = |terms: &Terms| {
            (is_own || means_webhook(terms, &endpoint.id)) && terms.allows_place(endpoint.location.as_deref())
        };
        let wanted = untold.into_iter().filter(|untold| {
            endpoint.events.want(untold.event) && terms.get(untold.notice.as_str()).is_some_and(|terms| is_meant(terms))
        });
        let message = |untold: Untold| NewDelivery {
            held: untold.held,
            // The verification goes first; where it succeeds, this goes out at once.
            due_at: if endpoint.health == Health::Unverified { now + VERIFY_FIRST } else { now },
            ..self.message_to(&endpoint, untold.event, Some(untold.notice), now + LATE_WINDOW, now)
        };
        let messages: Vec<_> = wanted.map(message).collect();
        outbox::enqueue(connection, &messages, now)?;
        Ok(messages.iter().filter(|message| !message.held).count())
    }

    /// A message to one endpoint, tried densely until `deadline_at`.
    pub(super) fn message_to(
        &self,
        endpoint: &Endpoint,
        event: EventType,
        notice: Option<NoticeId>,
        deadline_at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> NewDelivery {
        NewDelivery {
            id: self.id(now),
            event,
            notice,
            duty: None,
            rung: None,
            endpoint: endpoint.id.clone(),
            organisation: endpoint.organisation.clone(),
            tenant: endpoint.created_by.clone(),
            lane: match endpoint.id.channel() {
                Channel::Email => Lane::Mail,
                _ => Lane::after(endpoint.failures),
            },
            deadline_at,
            due_at: now,
            held: false,
        }
    }
}

/// Ends what is owed to an endpoint that stands where the agreement of the notice does not allow it.
fn take_back(connection: &mut AnyConnection, endpoint: &Endpoint) -> Result<(), ServiceError> {
    if endpoint.location.is_none() {
        return Ok(());
    }
    let owed = outbox::owed_notices(connection, &endpoint.id)?;
    let ids: Vec<&str> = owed.iter().map(|(_, notice)| notice.as_str()).collect();
    let terms = letters::terms_of(connection, &ids)?;
    let is_forbidden =
        |notice: &String| terms.get(notice).is_some_and(|terms| !terms.allows_place(endpoint.location.as_deref()));
    let forbidden = owed.iter().filter(|(_, notice)| is_forbidden(notice)).map(|(delivery, _)| delivery.as_str());
    Ok(outbox::close(connection, &forbidden.collect::<Vec<_>>())?)
}

/// What the ledger records of an endpoint; the address may hold a secret and is digested.
pub(super) fn facts(content: &WebhookContent) -> Result<serde_json::Value, ServiceError> {
    Ok(json!({"url_sha256": digest(&content.url.as_str())?, "events": content.events}))
}

/// Whose endpoint it becomes: the caller's, or that of a controller that the caller, a processor, works for.
fn owner(connection: &mut AnyConnection, actor: &Actor, new: &NewWebhook) -> Result<OrganisationId, ServiceError> {
    let known = organisations::find(connection, &actor.organisation)?;
    let own = known.ok_or(ServiceError::Forbidden("Your organisation is not known here."))?;
    let Some(other) = new.organisation.as_ref().filter(|organisation| **organisation != own.id) else {
        return Ok(own.id);
    };
    let is_processor = own.roles.contains(&OrganisationRole::Processor);
    if is_processor && organisations::serves(connection, &own.id, &operator_id(), other)? {
        return Ok(other.clone());
    }
    Err(refused("/organisation", "unknown_organisation", "There is no such controller that you work for."))
}
