//! The mailboxes of controllers: known as soon as an agreement or a contact names them, asked at once to confirm themselves, and
//! retired when nothing names them any more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::record::{Deed, digest};
use super::telling::legal_day;
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::delivery::Lane;
use crate::domain::endpoint::{EndpointId, PROBE_EVERY};
use crate::domain::event::EventType;
use crate::domain::id::OrganisationId;
use crate::domain::vocabulary::Channel;
use crate::store::mailboxes::{self, KnownMailbox, NewMailbox};
use crate::store::outbox::{self, NewDelivery};
use crate::store::{AnyConnection, agreements, ledger, parties, probes};

/// How long a request to confirm an address is tried.
const WINDOW: Duration = Duration::DAY;
/// Up to how many mailboxes a ledger entry names.
const NAMED: usize = 100;

/// Addresses by whose they are, each with the place that an agreement names for it.
type Named = BTreeMap<(OrganisationId, String), Option<String>>;

impl Service {
    /// Registers every mailbox that agreements of `processor` with `controllers`, or the contacts of these, name and that it does not
    /// have; each is asked to confirm itself, if there is a relay. What nothing names any more is retired, until it is named again.
    ///
    /// The number of statements does not depend on how many there are. The caller has written the agreements and contacts.
    pub(super) fn keep_mailboxes<'a>(
        &self,
        connection: &mut AnyConnection,
        (actor, processor): (&Actor, &OrganisationId),
        controllers: impl Iterator<Item = &'a OrganisationId>,
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let controllers: BTreeSet<&str> = controllers.map(OrganisationId::as_str).collect();
        let controllers = Vec::from_iter(controllers);
        let mut named = named(connection, processor, &controllers, now)?;
        let (mut changed, mut again, mut retired) = (Vec::new(), Vec::new(), Vec::new());
        for KnownMailbox { mailbox, is_retired } in mailboxes::known(connection, processor, &controllers)? {
            let place = named.remove(&(mailbox.organisation.clone(), mailbox.address.clone()));
            let stands = NewMailbox { location: place.clone().unwrap_or(mailbox.location.clone()), ..mailbox.clone() };
            match (is_retired, place.is_none()) {
                (false, true) => retired.push(stands.clone()),
                (true, false) => again.push(stands.clone()),
                _ => {}
            }
            if is_retired != place.is_none() || stands != mailbox {
                changed.push(KnownMailbox { mailbox: stands, is_retired: place.is_none() });
            }
        }
        mailboxes::replace(connection, &changed, now)?;
        // Asked below, and not once more because its turn came while it was retired.
        let turns: Vec<_> = again.iter().map(|one| (one.id.clone().into(), now + PROBE_EVERY)).collect();
        probes::schedule(connection, &turns)?;
        let wanted: Vec<NewMailbox> = named
            .into_iter()
            .map(|((organisation, address), location)| NewMailbox { id: self.id(now), organisation, address, location })
            .collect();
        let made: BTreeSet<String> = mailboxes::register(connection, processor, &wanted, now)?.into_iter().collect();
        again.extend(wanted.into_iter().filter(|one| made.contains(one.id.as_str())));
        let deed = Deed { actor, owner: processor, at: now };
        let groups = [("mailboxes.registered", &again), ("mailboxes.retired", &retired)];
        let entry = |(kind, group): (&'static str, &Vec<NewMailbox>)| {
            Ok::<_, ServiceError>(deed.entry(kind, processor.as_str(), None, facts(group)?))
        };
        let told = groups.into_iter().filter(|(_, group)| !group.is_empty());
        ledger::append(connection, &told.map(entry).collect::<Result<Vec<_>, _>>()?)?;
        if self.mail.is_some() {
            let asked: Vec<_> = again.iter().map(|one| self.confirmation_to(processor, one, now)).collect();
            outbox::enqueue(connection, &asked, now)?;
        }
        Ok(())
    }

    /// The same for the contacts of an organisation, on behalf of every processor that has an agreement with it.
    pub(super) fn register_contacts(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        controller: &OrganisationId,
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        for processor in agreements::processors_of(connection, controller)? {
            self.keep_mailboxes(connection, (actor, &processor), std::iter::once(controller), now)?;
        }
        Ok(())
    }

    fn confirmation_to(&self, processor: &OrganisationId, mailbox: &NewMailbox, now: OffsetDateTime) -> NewDelivery {
        NewDelivery {
            id: self.id(now),
            event: EventType::EndpointVerify,
            notice: None,
            duty: None,
            rung: None,
            endpoint: EndpointId::Mailbox(mailbox.id.clone()),
            organisation: mailbox.organisation.clone(),
            tenant: processor.clone(),
            lane: Lane::Mail,
            deadline_at: now + WINDOW,
            due_at: now,
            held: false,
        }
    }
}

/// Which mailboxes are named by agreements of `processor` that have not ended, and by contacts. Of several places of one address the
/// first that was agreed counts.
fn named(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    controllers: &[&str],
    now: OffsetDateTime,
) -> Result<Named, ServiceError> {
    let mut named = Named::new();
    for (controller, terms) in parties::terms_with(connection, processor, controllers, &legal_day(now).to_string())? {
        let mailed = terms.addressees.iter().filter(|addressee| addressee.channel == Channel::Email);
        for addressee in mailed {
            let Some(address) = &addressee.address else { continue };
            let place = named.entry((controller.clone(), address.to_lowercase())).or_default();
            *place = place.take().or_else(|| addressee.location.clone());
        }
    }
    for known in mailboxes::addressable(connection, controllers)? {
        let controller: OrganisationId = known.id.parse().map_err(|_| ServiceError::Internal(known.id.clone()))?;
        for address in known.contacts.iter().filter_map(|contact| contact.email.as_deref()) {
            named.entry((controller.clone(), address.to_lowercase())).or_default();
        }
    }
    Ok(named)
}

/// Ids and a digest; an address may name a person and stays out.
fn facts(group: &[NewMailbox]) -> Result<serde_json::Value, ServiceError> {
    let addresses: BTreeMap<&str, &str> = group.iter().map(|one| (one.id.as_str(), one.address.as_str())).collect();
    let mut facts = json!({"count": group.len(), "mailboxes_sha256": digest(&addresses)?});
    if group.len() <= NAMED {
        facts["mailboxes"] = group.iter().map(|one| one.id.as_str()).collect();
    }
    Ok(facts)
}
