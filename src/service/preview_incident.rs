//! What a filing would do, without storing anything: whom it would tell, where, by when, what is missing, and whom it would not.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::derive::Birth;
use super::file_incident::{Plan, filing_processor, planned};
use super::release_incident::Hold;
use super::tell_notices::goes_to;
use super::telling::{Concerned, Spared, concerned, legal_day, not_triggered, wanted};
use super::{Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::duty_record::Duty;
use crate::domain::endpoint::EndpointId;
use crate::domain::event::EventType;
use crate::domain::fault::{Fault, Faults};
use crate::domain::filing::Filing;
use crate::domain::id::{AgreementId, IncidentId, OrganisationId};
use crate::domain::incident::Link;
use crate::domain::organisation::OnTimeout;
use crate::domain::vocabulary::Channel;
use crate::store::parties::{self, InForce};
use crate::store::{AnyConnection, endpoints};

/// How many controllers of each kind a preview lists; the counts are of all.
const LISTED: usize = 500;

/// What a filing would do.
#[derive(Debug, Serialize)]
pub struct Preview {
    would_tell_count: usize,
    would_tell: Vec<WouldTell>,
    not_triggered_count: usize,
    not_triggered: Vec<NotTriggered>,
    /// What the processor would owe once for the whole incident.
    own_duties: Vec<Value>,
    release: Option<Waiting>,
    /// Whether the filing would be stored as it is.
    would_be_stored: bool,
    /// What keeps it from being stored.
    faults: Faults,
}

#[derive(Debug, Serialize)]
struct WouldTell {
    controller: Link,
    agreement: AgreementLink,
    channels: Vec<Reached>,
    duties: Vec<Value>,
    missing: Vec<Fault>,
}

#[derive(Debug, Serialize)]
struct NotTriggered {
    controller: Link,
    agreement: Option<AgreementLink>,
    reason: String,
}

#[derive(Debug, Serialize)]
struct AgreementLink {
    id: AgreementId,
    version: i32,
    reference: String,
}

#[derive(Debug, Serialize)]
struct Reached {
    channel: Channel,
    endpoint: EndpointId,
}

#[derive(Debug, Serialize)]
struct Waiting {
    #[serde(with = "time::serde::rfc3339")]
    due_at: OffsetDateTime,
    on_timeout: OnTimeout,
}

impl Service {
    /// What filing `body` now would do. Faults of the body itself refuse it; content that agreements miss is part of the answer.
    pub async fn preview_incident(&self, actor: &Actor, body: Value) -> Result<Preview, ServiceError> {
        let (service, actor, now) = (self.clone(), actor.clone(), self.clock.now());
        self.store.read(move |connection| service.preview(connection, &actor, &body, now)).await
    }

    fn preview(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        body: &Value,
        now: OffsetDateTime,
    ) -> Result<Preview, ServiceError> {
        let processor = filing_processor(connection, actor)?;
        let filing = Filing::parse(body, now)?;
        let day = legal_day(filing.aware_at());
        let rows = self.rows_in_force(day);
        let wanted = wanted(&filing.affected);
        let agreements = parties::in_force(connection, &actor.organisation, &wanted, &day.to_string())?;
        let concerned = concerned(&filing, agreements, &processor.seat, &rows);
        let faults = concerned.faults(&filing);
        let missing: Vec<Vec<Fault>> = concerned.missing_by_controller().take(LISTED).collect();
        let names = names(connection, &concerned)?;
        let (would_tell_count, not_triggered_count) = (concerned.chosen.len(), concerned.spared.len());
        let not_triggered = spared(&filing, &concerned.spared, &names);
        let told = concerned.told()?;
        let plan = planned(filing.clone(), body, processor, rows, told)?;
        let incident: IncidentId = self.id(now);
        let birth = Birth { incident: &incident, processor: &actor.organisation, plan: &plan, now };
        let owed: Vec<Vec<Duty>> = plan.told.iter().map(|told| self.duties_of_party(birth, told)).collect();
        let policy = plan.seat.release_policy.filter(|_| !plan.filing.drill);
        let hold = Hold::of(policy, owed.iter().flatten(), now);
        let mut own = self.duties_of_processor(birth);
        own.extend(self.open_item_duties(birth, &actor.organisation, &plan.open_items));
        Ok(Preview {
            would_tell_count,
            would_tell: would_tell(connection, actor, &plan, &owed, missing, &names)?,
            not_triggered_count,
            not_triggered,
            own_duties: own.iter().map(without_ids).collect::<Result<_, _>>()?,
            release: hold.map(|hold| Waiting { due_at: now + hold.window, on_timeout: hold.on_timeout }),
            would_be_stored: faults.is_empty(),
            faults: faults.capped(),
        })
    }
}

fn would_tell(
    connection: &mut AnyConnection,
    actor: &Actor,
    plan: &Plan,
    owed: &[Vec<Duty>],
    missing: Vec<Vec<Fault>>,
    names: &HashMap<String, String>,
) -> Result<Vec<WouldTell>, ServiceError> {
    let told = plan.told.get(..LISTED).unwrap_or(&plan.told);
    let ids: Vec<String> = told.iter().map(|told| told.agreement.controller.to_string()).collect();
    let endpoints = endpoints::of_organisations(connection, Channel::Webhook, &ids)?;
    let mut by_owner: HashMap<&str, Vec<&endpoints::Endpoint>> = HashMap::new();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.events.want(EventType::NoticeInitial)) {
        by_owner.entry(endpoint.organisation.as_str()).or_default().push(endpoint);
    }
    let parts = told.iter().zip(owed).zip(missing);
    let listed = parts.map(|((told, owed), missing)| {
        let heard_by = by_owner.get(told.agreement.controller.as_str()).into_iter().flatten();
        let heard = heard_by.filter(|endpoint| goes_to(&told.agreement, endpoint, &actor.organisation));
        Ok(WouldTell {
            controller: link(&told.agreement.controller, names),
            agreement: agreement(&told.agreement),
            channels: heard
                .map(|endpoint| Reached { channel: endpoint.id.channel(), endpoint: endpoint.id.clone() })
                .collect(),
            duties: owed.iter().map(without_ids).collect::<Result<_, _>>()?,
            missing,
        })
    });
    listed.collect()
}

fn names(connection: &mut AnyConnection, concerned: &Concerned<'_>) -> Result<HashMap<String, String>, ServiceError> {
    let chosen = concerned.chosen.iter().take(LISTED).map(|chosen| &chosen.agreement.controller);
    let spared = concerned.spared.iter().take(LISTED).map(|spared| &spared.controller);
    let ids: Vec<String> = chosen.chain(spared).map(ToString::to_string).collect();
    Ok(parties::names(connection, &ids)?)
}

fn spared(filing: &Filing, spared: &[Spared], names: &HashMap<String, String>) -> Vec<NotTriggered> {
    let one = |spared: &Spared| NotTriggered {
        // Without an agreement the name is nobody's business.
        controller: match spared.agreement {
            Some(_) => link(&spared.controller, names),
            None => Link { id: spared.controller.clone(), name: String::new() },
        },
        agreement: spared.agreement.as_ref().map(agreement),
        reason: match spared.agreement {
            Some(_) => not_triggered(filing.common.kind),
            None => "No agreement with this controller was in force when you became aware.".to_owned(),
        },
    };
    spared.iter().take(LISTED).map(one).collect()
}

fn link(id: &OrganisationId, names: &HashMap<String, String>) -> Link {
    Link { id: id.clone(), name: names.get(id.as_str()).cloned().unwrap_or_default() }
}

fn agreement(agreement: &InForce) -> AgreementLink {
    AgreementLink { id: agreement.id.clone(), version: agreement.version, reference: agreement.reference.clone() }
}

/// A duty as it is shown, without the ids of what does not exist.
fn without_ids(duty: &Duty) -> Result<Value, ServiceError> {
    let mut shown = serde_json::to_value(duty)?;
    if let Some(members) = shown.as_object_mut() {
        members.remove("id");
        members.remove("incident");
    }
    Ok(shown)
}
