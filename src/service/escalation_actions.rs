//! What a step of a ladder does: whom it tells, which task it makes. Stores nothing.

use std::collections::{HashMap, HashSet};

use time::{Duration, OffsetDateTime};

use super::tell_notices::is_meant;
use super::{Service, ServiceError};
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::ladder::{Rung, StepOutcome};
use crate::domain::organisation::Contact;
use crate::domain::owed::is_telling;
use crate::domain::task::{Means, is_callable};
use crate::domain::terms::{Action, Addressee, Ladder};
use crate::domain::vocabulary::Channel;
use crate::store::endpoints::{self, Endpoint};
use crate::store::outbox::{self, NewDelivery};
use crate::store::tasks::{self, Known, NewTask};
use crate::store::watched::Watched;
use crate::store::{AnyConnection, duties, organisations};

/// The window of retries for what the processor itself is told.
const WINDOW: Duration = Duration::DAY;

/// A step that fires.
pub(super) struct Firing<'a> {
    pub(super) notice: &'a Watched,
    pub(super) rung: Rung,
    pub(super) action: Action,
    /// When a task that it makes should be done.
    pub(super) task_due: OffsetDateTime,
    pub(super) now: OffsetDateTime,
}

/// What a step did.
pub(super) struct Done {
    pub(super) outcome: StepOutcome,
    pub(super) deliveries: Vec<NewDelivery>,
    pub(super) task: Option<NewTask>,
}

impl Done {
    fn nothing(outcome: StepOutcome) -> Self {
        Self { outcome, deliveries: Vec::new(), task: None }
    }
}

/// Whom the notices of a batch can reach, and how they were tried; read with one statement each.
#[derive(Default)]
pub(super) struct Reach {
    endpoints: HashMap<String, Vec<Endpoint>>,
    contacts: HashMap<String, Vec<Contact>>,
    tried: HashMap<String, HashSet<EndpointId>>,
    tasks: HashMap<String, Vec<Known>>,
    /// The notices whose controller should have been told by now, by law or contract.
    breached: HashSet<String>,
}

impl Reach {
    /// `channels` are those that messages can be sent by at all.
    pub(super) fn of(
        connection: &mut AnyConnection,
        watched: &[&Watched],
        channels: &[Channel],
    ) -> Result<Self, ServiceError> {
        if watched.is_empty() {
            return Ok(Self::default());
        }
        let notices: Vec<String> = watched.iter().map(|one| one.notice.to_string()).collect();
        let controllers: Vec<String> = watched.iter().map(|one| one.agreement.controller.to_string()).collect();
        let mut owners = controllers.clone();
        owners.extend(watched.iter().map(|one| one.processor.to_string()));
        owners.sort_unstable();
        owners.dedup();
        let mut reach = Self { contacts: organisations::contacts(connection, &controllers)?, ..Self::default() };
        for channel in channels {
            let owners = if *channel == Channel::Webhook { &owners } else { &controllers };
            for endpoint in endpoints::of_organisations(connection, *channel, owners)? {
                reach.endpoints.entry(endpoint.organisation.to_string()).or_default().push(endpoint);
            }
        }
        for (notice, endpoint) in outbox::tried(connection, &notices)? {
            reach.tried.entry(notice).or_default().insert(endpoint);
        }
        for task in tasks::of_notices(connection, &notices)? {
            reach.tasks.entry(task.notice.clone()).or_default().push(task);
        }
        Ok(reach)
    }

    /// Looks up for which of `notices` a limit of law or contract has passed at `now` while the duty to tell is open. An aim of
    /// the processor's own is no such limit.
    pub(super) fn find_breaches(
        &mut self,
        connection: &mut AnyConnection,
        notices: &[&Watched],
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let parts: Vec<_> = notices.iter().map(|notice| (&notice.incident, &notice.agreement.controller)).collect();
        let late = duties::past_limit(connection, &parts, now)?;
        let late: HashSet<_> =
            late.iter().filter(|duty| is_telling(&duty.obligation)).map(|duty| (&duty.incident, &duty.party)).collect();
        let is_late = |notice: &&&Watched| late.contains(&(&notice.incident, &notice.agreement.controller));
        self.breached = notices.iter().filter(is_late).map(|notice| notice.notice.to_string()).collect();
        Ok(())
    }

    /// The endpoints of the controller that may hear of the notice and want `event`.
    fn endpoints<'r>(&'r self, notice: &'r Watched, event: EventType) -> impl Iterator<Item = &'r Endpoint> {
        let owned = self.endpoints.get(notice.agreement.controller.as_str()).into_iter().flatten();
        owned.filter(move |endpoint| endpoint.events.want(event) && endpoint.hears(&notice.processor))
    }

    fn was_tried(&self, notice: &Watched, endpoint: &EndpointId) -> bool {
        self.tried.get(notice.notice.as_str()).is_some_and(|tried| tried.contains(endpoint))
    }

    /// Whether the notice has taken this channel already.
    pub(super) fn is_open(&self, notice: &Watched, channel: Channel) -> bool {
        let id = notice.notice.as_str();
        match channel {
            Channel::Manual => {
                self.tasks.get(id).is_some_and(|tasks| tasks.iter().any(|task| task.means != Means::Clarify))
            }
            _ => self.tried.get(id).is_some_and(|tried| tried.iter().any(|endpoint| endpoint.channel() == channel)),
        }
    }

    fn has_open_task(&self, notice: &Watched, means: Means) -> bool {
        let tasks = self.tasks.get(notice.notice.as_str());
        tasks.is_some_and(|tasks| tasks.iter().any(|task| task.is_open && task.means == means))
    }

    /// Steps of one batch see what those before them did.
    fn note(&mut self, notice: &Watched, done: &Done) {
        let id = notice.notice.as_str();
        let told = done.deliveries.iter().filter(|delivery| delivery.rung.is_none());
        for delivery in told {
            self.tried.entry(id.to_owned()).or_default().insert(delivery.endpoint.clone());
        }
        if let Some(task) = &done.task {
            let known = Known { notice: id.to_owned(), means: task.means, is_open: true };
            self.tasks.entry(id.to_owned()).or_default().push(known);
        }
    }

    /// Whom a person has to reach by these means, and where; empty where that is not known.
    pub(super) fn contact(&self, notice: &Watched, means: Means) -> (String, String) {
        let manual = || manual(notice);
        let of = |addressee: &Addressee| (addressee.role.clone(), addressee.address.clone().unwrap_or_default());
        let suits = |addressee: &&Addressee| {
            addressee.address.as_deref().is_some_and(|address| is_callable(address) == means.is_by_telephone())
        };
        let suiting = manual().find(suits).map(of);
        if !means.is_by_telephone() {
            return suiting.unwrap_or_default();
        }
        let contacts = self.contacts.get(notice.agreement.controller.as_str()).into_iter().flatten();
        let mut callable = contacts.filter_map(|contact| {
            contact.phone.as_ref().map(|phone| (contact.role.clone(), format!("{}, {phone}", contact.name)))
        });
        suiting.or_else(|| callable.next()).or_else(|| manual().next().map(of)).unwrap_or_default()
    }
}

/// The addressees that only a person can reach.
fn manual(notice: &Watched) -> impl Iterator<Item = &Addressee> {
    notice.agreement.terms.addressees.iter().filter(|addressee| addressee.channel == Channel::Manual)
}

impl Service {
    /// Does what a step is for.
    pub(super) fn act(&self, firing: &Firing<'_>, reach: &mut Reach) -> Done {
        let done = match firing.action {
            Action::NextChannel => self.open_next_channel(firing, reach),
            Action::EmailContacts => {
                let unwritten = |endpoint: &&Endpoint| {
                    endpoint.id.channel() == Channel::Email && !reach.was_tried(firing.notice, &endpoint.id)
                };
                self.remind(firing, reach.endpoints(firing.notice, EventType::NoticeReminder).filter(unwritten))
            }
            Action::Remind => {
                let told = |endpoint: &&Endpoint| reach.was_tried(firing.notice, &endpoint.id);
                self.remind(firing, reach.endpoints(firing.notice, EventType::NoticeReminder).filter(told))
            }
            Action::Phone => self.give_task(firing, reach, Means::Phone),
            Action::Courier => self.give_task(firing, reach, Means::Courier),
            Action::RegisteredLetter => self.give_task(firing, reach, Means::RegisteredLetter),
            Action::TellManagement | Action::LastCall => self.tell_house(firing, reach),
            Action::RecordBreach => Done::nothing(match firing.rung.ladder {
                _ if !reach.breached.contains(firing.notice.notice.as_str()) => StepOutcome::TargetMissed,
                Ladder::Delivered => StepOutcome::NotDelivered,
                Ladder::Acknowledged => StepOutcome::NotAcknowledged,
            }),
        };
        reach.note(firing.notice, &done);
        done
    }

    /// The first channel of the agreement that was not taken yet and leads anywhere.
    fn open_next_channel(&self, firing: &Firing<'_>, reach: &Reach) -> Done {
        let notice = firing.notice;
        let mut withheld = false;
        for channel in notice.agreement.terms.channels() {
            if reach.is_open(notice, channel) {
                continue;
            }
            let done = if channel == Channel::Manual {
                let callable =
                    manual(notice).next().and_then(|first| first.address.as_deref()).is_some_and(is_callable);
                self.give_task(firing, reach, if callable { Means::Phone } else { Means::RegisteredLetter })
            } else {
                let of_channel = reach.endpoints(notice, notice.event).filter(|endpoint| {
                    endpoint.id.channel() == channel && is_meant(&notice.agreement, endpoint, &notice.processor)
                });
                self.tell_of_notice(firing, notice.event, of_channel)
            };
            match done.outcome {
                StepOutcome::Nobody => {}
                StepOutcome::Withheld => withheld = true,
                _ => return done,
            }
        }
        Done::nothing(if withheld { StepOutcome::Withheld } else { StepOutcome::NoChannel })
    }

    fn remind<'e>(&self, firing: &Firing<'_>, endpoints: impl Iterator<Item = &'e Endpoint>) -> Done {
        self.tell_of_notice(firing, EventType::NoticeReminder, endpoints)
    }

    /// Messages about the notice to those of `endpoints` that stand, and are reached by ways, where the agreement allows it.
    fn tell_of_notice<'e>(
        &self,
        firing: &Firing<'_>,
        event: EventType,
        endpoints: impl Iterator<Item = &'e Endpoint>,
    ) -> Done {
        let notice = firing.notice;
        let terms = &notice.agreement.terms;
        let is_allowed = |endpoint: &&Endpoint| {
            let passes = endpoint.id.channel() != Channel::Email || self.mail_may_carry(terms);
            passes && terms.allows_place(endpoint.location.as_deref())
        };
        let (allowed, withheld): (Vec<_>, Vec<_>) = endpoints.partition(is_allowed);
        let outcome = match (allowed.is_empty(), withheld.is_empty()) {
            (false, _) => StepOutcome::Told,
            (true, false) => StepOutcome::Withheld,
            (true, true) => StepOutcome::Nobody,
        };
        let message = |endpoint: &&Endpoint| NewDelivery {
            tenant: notice.processor.clone(),
            ..self.message_to(endpoint, event, Some(notice.notice.clone()), notice.deadline_at, firing.now)
        };
        Done { outcome, deliveries: allowed.iter().map(message).collect(), task: None }
    }

    fn tell_house(&self, firing: &Firing<'_>, reach: &Reach) -> Done {
        let mut deliveries = self.to_house(firing.notice, EventType::NoticeEscalated, reach, firing.now);
        for delivery in &mut deliveries {
            delivery.rung = Some(firing.rung);
        }
        let outcome = if deliveries.is_empty() { StepOutcome::Nobody } else { StepOutcome::Told };
        Done { outcome, deliveries, task: None }
    }

    /// Messages about a notice to the processor's own endpoints that want to hear of it.
    pub(super) fn to_house(
        &self,
        notice: &Watched,
        event: EventType,
        reach: &Reach,
        now: OffsetDateTime,
    ) -> Vec<NewDelivery> {
        let house = reach.endpoints.get(notice.processor.as_str()).into_iter().flatten();
        let own = house.filter(|endpoint| {
            endpoint.created_by == notice.processor
                && endpoint.id.channel() == Channel::Webhook
                && endpoint.events.want(event)
        });
        own.map(|endpoint| self.message_to(endpoint, event, Some(notice.notice.clone()), now + WINDOW, now)).collect()
    }

    fn give_task(&self, firing: &Firing<'_>, reach: &Reach, means: Means) -> Done {
        let notice = firing.notice;
        if reach.has_open_task(notice, means) {
            return Done::nothing(StepOutcome::TaskOpen);
        }
        let (role, address) = reach.contact(notice, means);
        let task = NewTask {
            id: self.id(firing.now),
            notice: notice.notice.clone(),
            ladder: firing.rung.ladder,
            step: Some(firing.rung.step),
            processor: notice.processor.clone(),
            controller: notice.agreement.controller.clone(),
            means,
            role,
            address,
            due_at: firing.task_due,
        };
        Done { outcome: StepOutcome::Task, deliveries: Vec::new(), task: Some(task) }
    }
}
