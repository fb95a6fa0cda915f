//! What follows from a checked filing, stored set-based: the number of statements does not depend on the number of controllers.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::derive::Birth;
use super::file_incident::{Plan, Told};
use super::release_incident::Hold;
use super::tell_notices::{NewNotice, Telling};
use super::{Answer, Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::duty_record::Duty;
use crate::domain::event::EventType;
use crate::domain::id::{IncidentId, NoticeId};
use crate::domain::incident::IncidentState;
use crate::domain::ledger::{NewEntry, Stream};
use crate::domain::organisation::OnTimeout;
use crate::domain::owed::is_telling;
use crate::domain::page::Page;
use crate::store::incidents::{self, NewIncidentRow, NewVersionRow};
use crate::store::{AnyConnection, duties, ledger, micros};
use crate::telemetry;

/// How many duties the answer to a filing shows.
const SHOWN: u8 = 50;

#[derive(Serialize)]
struct Answered<'a> {
    id: &'a IncidentId,
    version: i32,
    kind: &'a str,
    stage: &'a str,
    drill: bool,
    state: IncidentState,
    #[serde(with = "time::serde::rfc3339")]
    filed_at: OffsetDateTime,
    affected_count: usize,
    release: Option<Waiting>,
    duties: Page<Duty>,
}

/// That nothing leaves before a second person has released the version.
#[derive(Serialize)]
struct Waiting {
    state: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    due_at: OffsetDateTime,
    on_timeout: OnTimeout,
    content_sha256: String,
}

/// One controller's notice with the duty that it fulfils.
struct Prepared<'p> {
    notice: NoticeId,
    told: &'p Told,
    deadline: Deadline,
}

impl Service {
    /// Stores the incident, its notices, duties, deliveries and ledger entry; runs inside the caller's transaction.
    pub(super) fn carry_out(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        plan: &Plan,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        let incident: IncidentId = self.id(now);
        let birth = Birth { incident: &incident, processor: &actor.organisation, plan, now };
        let mut all_duties = self.duties_of_processor(birth);
        all_duties.extend(self.open_item_duties(birth, &actor.organisation, &plan.open_items));
        // Tens of thousands of duties are not to be moved again and again while the list grows.
        all_duties.reserve(plan.told.iter().map(|told| told.rows.len() + told.own_items.len()).sum());
        let mut prepared = Vec::with_capacity(plan.told.len());
        for told in &plan.told {
            let owed = self.duties_of_party(birth, told);
            prepared.push(Prepared { notice: self.id(now), told, deadline: Deadline::of(&owed, now) });
            all_duties.extend(owed);
            all_duties.extend(self.open_item_duties(birth, &told.agreement.controller, &told.own_items));
        }
        let policy = plan.seat.release_policy.filter(|_| !plan.filing.drill);
        let hold = Hold::of(policy, &all_duties, now);
        all_duties.extend(hold.and_then(|hold| self.release_duty(birth, 1, hold.window)));
        store_incident(connection, actor, plan, hold, &incident, now)?;
        duties::insert(connection, &all_duties)?;
        let shown = most_urgent(all_duties);
        let telling = Telling {
            incident: &incident,
            processor: &actor.organisation,
            version: 1,
            event: EventType::NoticeInitial,
            drill: plan.filing.drill,
            held: hold.is_some(),
            now,
        };
        let notices: Vec<_> =
            prepared.iter().map(|one| NewNotice::first(&one.notice, one.told, one.deadline)).collect();
        let has_deliveries = self.tell_notices(connection, telling, &notices)?;
        ledger::begin(connection, &entry(actor, plan, &prepared, &incident, now))?;
        telemetry::incident_filed(plan.filing.common.stage.as_str());
        Ok(Answer { has_deliveries, ..answer(plan, hold, &incident, shown, now)? })
    }
}

/// When a notice must be there, and until when it is tried densely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline {
    /// The alarm of the duty to tell, UTC: the end of the window of the ladders.
    pub(super) due: OffsetDateTime,
    /// Never earlier, and a day from now at least, UTC: where the limit has passed already, haste is greatest.
    pub(super) tried_until: OffsetDateTime,
}

impl Deadline {
    /// A day for both.
    fn in_a_day(now: OffsetDateTime) -> Self {
        Self { due: now + Duration::DAY, tried_until: now + Duration::DAY }
    }

    /// By what is still owed to one controller; a day where nothing to tell is owed, or the limit has passed already.
    pub(super) fn of(owed: &[Duty], now: OffsetDateTime) -> Self {
        let telling = owed.iter().filter(|duty| is_telling(&duty.obligation) && duty.state.is_open());
        let alarm = telling.filter_map(|duty| duty.state.due()).map(|due| due.alarm_at).min();
        let Self { due, tried_until } = Self::in_a_day(now);
        Self {
            due: alarm.filter(|alarm| *alarm > now).unwrap_or(due),
            tried_until: alarm.map_or(tried_until, |alarm| alarm.max(tried_until)),
        }
    }

    /// The same for each of `controllers` of one incident.
    pub(super) fn of_controllers(
        connection: &mut AnyConnection,
        incident: &IncidentId,
        controllers: &[&str],
        now: OffsetDateTime,
    ) -> Result<HashMap<String, Self>, ServiceError> {
        let mut owed: HashMap<&str, Vec<Duty>> =
            controllers.iter().map(|controller| (*controller, Vec::new())).collect();
        for duty in duties::of_parties(connection, incident, controllers)? {
            if let Some(owed) = owed.get_mut(duty.party.as_str()) {
                owed.push(duty);
            }
        }
        Ok(owed.into_iter().map(|(controller, owed)| (controller.to_owned(), Self::of(&owed, now))).collect())
    }
}

fn store_incident(
    connection: &mut AnyConnection,
    actor: &Actor,
    plan: &Plan,
    hold: Option<Hold>,
    incident: &IncidentId,
    now: OffsetDateTime,
) -> Result<(), ServiceError> {
    let common = &plan.filing.common;
    let origin = plan.filing.origin.as_ref().map(serde_json::to_string).transpose()?;
    let row = NewIncidentRow {
        id: incident.as_str(),
        processor_id: actor.organisation.as_str(),
        version: 1,
        kind: common.kind.as_str(),
        stage: common.stage.as_str(),
        title: &common.title,
        detected_at: micros(common.detected_at),
        aware_at: micros(common.aware_at),
        awareness_reason: common.awareness_reason.as_deref(),
        filed_at: micros(now),
        affected_count: i32::try_from(plan.told.len()).unwrap_or(i32::MAX),
        content: &plan.content,
        drill: plan.filing.drill,
        no_duty_reason: plan.filing.no_duty_reason.as_deref(),
        origin: origin.as_deref(),
    };
    incidents::insert(connection, row)?;
    let version = NewVersionRow {
        incident_id: incident.as_str(),
        version: 1,
        kind: "initial",
        stage: common.stage.as_str(),
        reason: None,
        filing: &plan.body,
        changes: "[]",
        content_sha256: &sha256_hex(plan.body.as_bytes()),
        filed_at: micros(now),
        filed_by: &actor.subject,
        release_state: if hold.is_some() { "awaited" } else { "not_needed" },
        release_due_at: hold.map(|hold| micros(now + hold.window)),
        on_timeout: hold.map(|hold| hold.on_timeout.as_str()),
    };
    Ok(incidents::insert_version(connection, version)?)
}

/// The filing in the ledger: it binds every notice by its digest, but holds none of their content.
fn entry(
    actor: &Actor,
    plan: &Plan,
    prepared: &[Prepared<'_>],
    incident: &IncidentId,
    now: OffsetDateTime,
) -> NewEntry {
    let notices: Vec<_> = prepared
        .iter()
        .map(|one| json!([one.notice, one.told.agreement.controller, one.told.content_sha256]))
        .collect();
    NewEntry {
        stream: Stream::Incident(incident.clone()),
        tenant: actor.organisation.clone(),
        counterpart: None,
        kind: "incident.filed",
        object: incident.to_string(),
        facts: json!({
            "version": 1,
            "stage": plan.filing.common.stage,
            "affected": prepared.len(),
            "content_sha256": plan.content_sha256,
            "drill": plan.filing.drill,
            "notices": notices,
        }),
        actor: actor.clone(),
        at: now,
    }
}

/// Those of the duties that the answer shows, most urgent first, and one more, which says that there are others.
fn most_urgent(mut duties: Vec<Duty>) -> Vec<Duty> {
    let by_urgency = |a: &Duty, b: &Duty| (a.urgency(), &a.id).cmp(&(b.urgency(), &b.id));
    let shown = usize::from(SHOWN);
    if duties.len() > shown {
        duties.select_nth_unstable_by(shown, by_urgency);
        duties.truncate(shown + 1);
        // The rest of tens of thousands is not to lie in memory any longer.
        duties.shrink_to_fit();
    }
    duties.sort_by(by_urgency);
    duties
}

fn answer(
    plan: &Plan,
    hold: Option<Hold>,
    incident: &IncidentId,
    shown: Vec<Duty>,
    now: OffsetDateTime,
) -> Result<Answer, ServiceError> {
    let filed = Answered {
        id: incident,
        version: 1,
        kind: plan.filing.common.kind.as_str(),
        stage: plan.filing.common.stage.as_str(),
        drill: plan.filing.drill,
        state: if plan.told.is_empty() { IncidentState::Kept } else { IncidentState::Telling },
        filed_at: now,
        affected_count: plan.told.len(),
        release: hold.map(|hold| Waiting {
            state: "awaited",
            due_at: now + hold.window,
            on_timeout: hold.on_timeout,
            content_sha256: sha256_hex(plan.body.as_bytes()),
        }),
        duties: Page::cut(shown, SHOWN.into(), duties::key),
    };
    Ok(Answer::of(&filed)?.at(format!("/v1/incidents/{incident}")).version(1))
}
