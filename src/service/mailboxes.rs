//! The mailboxes of controllers: known as soon as an agreement or a contact names them, and asked at once to confirm themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::record::{Deed, digest};
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::delivery::Lane;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::id::OrganisationId;
use crate::domain::terms::Terms;
use crate::domain::vocabulary::Channel;
use crate::store::mailboxes::{self, NewMailbox};
use crate::store::outbox::{self, NewDelivery};
use crate::store::{AnyConnection, agreements, ledger};

/// How long a request to confirm an address is tried.
const WINDOW: Duration = Duration::DAY;
/// Up to how many new mailboxes the ledger entry names.
const NAMED: usize = 100;

impl Service {
    /// Registers every mailbox that agreements of `processor`, or the contacts of their controllers, name and that it does not have
    /// yet; each is asked to confirm itself, if there is a relay. The number of statements does not depend on how many there are.
    pub(super) fn register_mailboxes<'a>(
        &self,
        connection: &mut AnyConnection,
        (actor, processor): (&Actor, &OrganisationId),
        agreed: impl Iterator<Item = (&'a OrganisationId, Option<&'a Terms>)>,
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let (mut controllers, mut named) = (BTreeSet::new(), BTreeSet::new());
        for (controller, terms) in agreed {
            controllers.insert(controller.as_str());
            let addressees = terms.into_iter().flat_map(|terms| &terms.addressees);
            let mailed = addressees.filter(|one| one.channel == Channel::Email);
            let mailed = mailed.filter_map(|one| one.address.as_deref());
            named.extend(mailed.map(|address| (controller.clone(), address.to_lowercase())));
        }
        for known in mailboxes::addressable(connection, &Vec::from_iter(controllers))? {
            let controller: OrganisationId = known.id.parse().map_err(|_| ServiceError::Internal(known.id.clone()))?;
            let addresses = known.contacts.iter().filter_map(|contact| contact.email.as_deref());
            named.extend(addresses.map(|address| (controller.clone(), address.to_lowercase())));
        }
        let wanted =
            named.into_iter().map(|(organisation, address)| NewMailbox { id: self.id(now), organisation, address });
        let wanted: Vec<NewMailbox> = wanted.collect();
        let made: BTreeSet<String> = mailboxes::register(connection, processor, &wanted, now)?.into_iter().collect();
        let made: Vec<&NewMailbox> = wanted.iter().filter(|one| made.contains(one.id.as_str())).collect();
        if made.is_empty() {
            return Ok(());
        }
        let deed = Deed { actor, owner: processor, at: now };
        let entry = deed.entry("mailboxes.registered", processor.as_str(), None, facts(&made)?);
        ledger::append(connection, &[entry])?;
        if self.mail.is_some() {
            let asked: Vec<_> = made.into_iter().map(|one| self.confirmation_to(processor, one, now)).collect();
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
            self.register_mailboxes(connection, (actor, &processor), std::iter::once((controller, None)), now)?;
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

/// Ids and a digest; an address may name a person and stays out.
fn facts(made: &[&NewMailbox]) -> Result<serde_json::Value, ServiceError> {
    let addresses: BTreeMap<&str, &str> = made.iter().map(|one| (one.id.as_str(), one.address.as_str())).collect();
    let mut facts = json!({"registered": made.len(), "mailboxes_sha256": digest(&addresses)?});
    if made.len() <= NAMED {
        facts["mailboxes"] = made.iter().map(|one| one.id.as_str()).collect();
    }
    Ok(facts)
}
