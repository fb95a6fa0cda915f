//! Putting notices into the outbox of those who want them. Stores no notice and sends nothing.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::{Service, ServiceError};
use crate::domain::event::EventType;
use crate::domain::id::{NoticeId, OrganisationId};
use crate::store::AnyConnection;
use crate::store::outbox::{self, NewDelivery};
use crate::store::parties::InForce;
use crate::store::webhooks::{self, Endpoint};

/// One notice and whom it goes to.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) notice: &'a NoticeId,
    pub(super) agreement: &'a InForce,
    /// Until when it is tried densely.
    pub(super) deadline: OffsetDateTime,
}

impl Service {
    /// Puts each notice into the outbox of every endpoint that its controller wants it at; answers whether any is due now.
    pub(super) fn enqueue_notices(
        &self,
        connection: &mut AnyConnection,
        processor: &OrganisationId,
        event: EventType,
        messages: &[Message<'_>],
        held: bool,
        now: OffsetDateTime,
    ) -> Result<bool, ServiceError> {
        let controllers: Vec<String> = messages.iter().map(|one| one.agreement.controller.to_string()).collect();
        let endpoints = webhooks::of_organisations(connection, &controllers)?;
        let mut by_owner: HashMap<&str, Vec<&Endpoint>> = HashMap::new();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.events.want(event)) {
            by_owner.entry(endpoint.organisation.as_str()).or_default().push(endpoint);
        }
        let mut rows = Vec::with_capacity(messages.len());
        for one in messages {
            let owned = by_owner.get(one.agreement.controller.as_str());
            for endpoint in owned.into_iter().flatten().filter(|endpoint| goes_to(one.agreement, endpoint, processor)) {
                let message = self.message_to(endpoint, event, Some(one.notice.clone()), one.deadline, now);
                rows.push(NewDelivery { held, ..message });
            }
        }
        outbox::enqueue(connection, &rows, now)?;
        Ok(!held && !rows.is_empty())
    }
}

/// Whether the agreement with `processor` sends notices to this endpoint: to those it names, or to all where it names none.
pub(super) fn goes_to(agreement: &InForce, endpoint: &Endpoint, processor: &OrganisationId) -> bool {
    let mut named = agreement.terms.addressees.iter().filter_map(|addressee| addressee.webhook.as_ref()).peekable();
    endpoint.hears(processor) && (named.peek().is_none() || named.any(|webhook| *webhook == endpoint.id))
}
