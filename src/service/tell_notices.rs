//! New notices: stored, put into the outbox of those who want them, and watched by their ladders. Sends nothing.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::carry_out::Deadline;
use super::file_incident::Told;
use super::succession::estates;
use super::{Service, ServiceError};
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::id::{IncidentId, NoticeId, OrganisationId};
use crate::domain::terms::Terms;
use crate::domain::vocabulary::Channel;
use crate::store::endpoints::{self, Endpoint};
use crate::store::escalations::{self, FirstSteps};
use crate::store::notices::{self, NewNoticeRow};
use crate::store::outbox::{self, NewDelivery};
use crate::store::parties::InForce;
use crate::store::{AnyConnection, micros};

/// What is told to one controller.
pub(super) struct NewNotice<'a> {
    pub(super) id: &'a NoticeId,
    pub(super) agreement: &'a InForce,
    /// Its number within the incident and the controller.
    pub(super) sequence: i32,
    pub(super) supersedes: Option<&'a NoticeId>,
    pub(super) content: &'a str,
    pub(super) content_sha256: &'a str,
    /// Whether nothing is open of what the agreement demands.
    pub(super) complete: bool,
    /// When it must be there, and until when it is tried densely.
    pub(super) deadline: Deadline,
}

impl<'a> NewNotice<'a> {
    /// The first notice to a controller.
    pub(super) fn first(id: &'a NoticeId, told: &'a Told, deadline: Deadline) -> Self {
        Self {
            id,
            agreement: &told.agreement,
            sequence: 1,
            supersedes: None,
            content: &told.content,
            content_sha256: &told.content_sha256,
            complete: told.complete,
            deadline,
        }
    }
}

/// What all notices of one version of an incident have in common.
#[derive(Clone, Copy)]
pub(super) struct Telling<'a> {
    pub(super) incident: &'a IncidentId,
    pub(super) processor: &'a OrganisationId,
    pub(super) version: i32,
    pub(super) event: EventType,
    /// Whether it is a drill, of which nothing leaves.
    pub(super) drill: bool,
    /// Whether it waits for a second person's release.
    pub(super) held: bool,
    pub(super) now: OffsetDateTime,
}

/// The endpoints of controllers by their owners.
struct Reach<'e>(HashMap<&'e str, Vec<&'e Endpoint>>);

impl Service {
    /// Stores notices and puts each into the outbox of every endpoint that its agreement tells at once; answers whether any is due now.
    pub(super) fn tell_notices(
        &self,
        connection: &mut AnyConnection,
        telling: Telling<'_>,
        new: &[NewNotice<'_>],
    ) -> Result<bool, ServiceError> {
        notices::insert(connection, &new.iter().map(|one| telling.row(one)).collect::<Vec<_>>())?;
        if telling.drill {
            return Ok(false);
        }
        // That there was no breach is in no hurry: nobody is owed it by the time of the breach.
        let is_urgent = telling.event != EventType::NoticeWithdrawal;
        let replaced: Vec<_> = new.iter().filter_map(|one| Some((one.supersedes?.as_str(), one.id))).collect();
        let ids: Vec<&str> = replaced.iter().filter(|_| is_urgent).map(|(before, _)| *before).collect();
        let estates = estates(connection, &ids)?;
        let left_to = |one: &NewNotice<'_>| one.supersedes.and_then(|before| estates.get(before.as_str()));
        let channels = |one: &NewNotice<'_>| {
            let mut channels = one.agreement.terms.first_channels();
            channels.extend(left_to(one).into_iter().flat_map(|estate| &estate.channels));
            // What no relay may carry is not mailed, and the ladder must not wait for it.
            channels.retain(|channel| *channel != Channel::Email || self.mail_may_carry(&one.agreement.terms));
            channels
        };
        let controllers: Vec<String> = new.iter().map(|one| one.agreement.controller.to_string()).collect();
        let mut endpoints = endpoints::of_organisations(connection, Channel::Webhook, &controllers)?;
        let channels: Vec<Vec<Channel>> = new.iter().map(channels).collect();
        if channels.iter().flatten().any(|channel| *channel == Channel::Email) {
            endpoints.extend(endpoints::of_organisations(connection, Channel::Email, &controllers)?);
        }
        let reach = Reach::of(&endpoints, telling.event);
        let (mut rows, mut steps) = (Vec::with_capacity(new.len()), Vec::with_capacity(new.len()));
        for (one, channels) in new.iter().zip(&channels) {
            let told = rows.len();
            for endpoint in reach.at_once(one.agreement, telling.processor, channels) {
                let message = self.message_to(
                    endpoint,
                    telling.event,
                    Some(one.id.clone()),
                    one.deadline.tried_until,
                    telling.now,
                );
                rows.push(NewDelivery { held: telling.held, tenant: telling.processor.clone(), ..message });
            }
            steps.push(FirstSteps {
                notice: one.id,
                ladders: &one.agreement.terms.escalation,
                made: telling.now,
                deadline: one.deadline.due,
                reached: rows.len() > told,
                rest: left_to(one).and_then(|estate| estate.rest),
            });
        }
        outbox::enqueue(connection, &rows, telling.now)?;
        if !telling.held {
            escalations::begin(connection, &steps)?;
            self.hand_over(connection, &replaced, &estates, telling.now)?;
        }
        Ok(!telling.held && !new.is_empty())
    }
}

impl Telling<'_> {
    fn row<'n>(&self, one: &'n NewNotice<'_>) -> NewNoticeRow<'n>
    where
        Self: 'n,
    {
        NewNoticeRow {
            id: one.id.as_str(),
            incident_id: self.incident.as_str(),
            processor_id: self.processor.as_str(),
            controller_id: one.agreement.controller.as_str(),
            agreement_id: one.agreement.id.as_str(),
            agreement_version: one.agreement.version,
            sequence: one.sequence,
            r#type: self.event.as_str(),
            supersedes: one.supersedes.map(NoticeId::as_str),
            content: one.content,
            content_sha256: one.content_sha256,
            created_at: micros(self.now),
            incident_version: self.version,
            complete: one.complete,
            drill: self.drill,
            deadline_at: micros(one.deadline.tried_until),
            informed_by: one.agreement.terms.informed_by.as_str(),
        }
    }
}

impl<'e> Reach<'e> {
    fn of(endpoints: &'e [Endpoint], event: EventType) -> Self {
        let mut by_owner: HashMap<&str, Vec<&Endpoint>> = HashMap::new();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.events.want(event)) {
            by_owner.entry(endpoint.organisation.as_str()).or_default().push(endpoint);
        }
        Self(by_owner)
    }

    /// The endpoints of `channels` that an agreement with `processor` tells at once.
    fn at_once(
        &self,
        agreement: &InForce,
        processor: &OrganisationId,
        channels: &[Channel],
    ) -> impl Iterator<Item = &'e Endpoint> {
        let owned = self.0.get(agreement.controller.as_str()).into_iter().flatten().copied();
        owned.filter(move |endpoint| {
            channels.contains(&endpoint.id.channel()) && goes_to(agreement, endpoint, processor)
        })
    }
}

/// Whether the agreement with `processor` sends notices to this endpoint: it means it, and allows the place where it stands.
pub(super) fn goes_to(agreement: &InForce, endpoint: &Endpoint, processor: &OrganisationId) -> bool {
    is_meant(agreement, endpoint, processor) && agreement.terms.allows_place(endpoint.location.as_deref())
}

/// Whether the agreement with `processor` means this endpoint: it names it, or names none of its kind where webhooks are meant.
pub(super) fn is_meant(agreement: &InForce, endpoint: &Endpoint, processor: &OrganisationId) -> bool {
    let addressees = &agreement.terms.addressees;
    let named = if endpoint.id.channel() == Channel::Email {
        let is_it = |address: &String| address.eq_ignore_ascii_case(&endpoint.address);
        let named = addressees.iter().any(|addressee| addressee.address.as_ref().is_some_and(is_it));
        named && endpoint.created_by == *processor
    } else {
        means_webhook(&agreement.terms, &endpoint.id)
    };
    named && endpoint.hears(processor)
}

/// Whether terms mean this webhook: they name it, or name none.
pub(super) fn means_webhook(terms: &Terms, webhook: &EndpointId) -> bool {
    let mut named = terms.addressees.iter().filter_map(|addressee| addressee.webhook.as_ref()).peekable();
    named.peek().is_none() || named.any(|named| named.as_str() == webhook.as_str())
}
