//! What follows from a checked filing, stored set-based: the number of statements does not depend on the number of controllers.

use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::file_incident::{Plan, Told};
use super::{Answer, Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::duty::{DutyState, FrozenTerms, Step};
use crate::domain::duty_record::{Duty, SUPERVISORY_AUTHORITY};
use crate::domain::event::EventType;
use crate::domain::id::{IncidentId, NoticeId, OrganisationId};
use crate::domain::incident::IncidentState;
use crate::domain::ledger::{NewEntry, Stream};
use crate::domain::obligation::{AUTHORITY_NOTIFICATION, CONTRACT_NOTICE, Limit};
use crate::domain::page::{Page, PageRequest};
use crate::domain::span::{IsoDuration, Span};
use crate::store::incidents::{self, NewIncidentRow};
use crate::store::notices::{self, NewNoticeRow};
use crate::store::{AnyConnection, duties, ledger, micros, outbox, webhooks};
use crate::telemetry;

/// How many duties the answer to a filing shows.
const FIRST_PAGE: i64 = 50;

#[derive(Serialize)]
struct Answered<'a> {
    id: &'a IncidentId,
    version: i32,
    kind: &'a str,
    stage: &'a str,
    state: IncidentState,
    #[serde(with = "time::serde::rfc3339")]
    filed_at: OffsetDateTime,
    affected_count: usize,
    duties: Page<Duty>,
}

/// One controller's notice with the duty that it fulfils.
struct Prepared<'p> {
    notice: NoticeId,
    told: &'p Told,
    deadline: OffsetDateTime,
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
        let mut all_duties = Vec::with_capacity(plan.told.len() * 2);
        let mut prepared = Vec::with_capacity(plan.told.len());
        for told in &plan.told {
            let contract = self.contract_duty(actor, plan, told, &incident, now);
            // Where the limit has passed already, haste is greatest: the schedule stays dense for a day.
            let a_day = now + Duration::DAY;
            let deadline = contract.state.due().map_or(a_day, |due| due.alarm_at.max(a_day));
            all_duties.push(contract);
            all_duties.extend(self.authority_duty(actor, plan, told, &incident, now));
            prepared.push(Prepared { notice: self.id(now), told, deadline });
        }
        store_incident(connection, actor, plan, &incident, now)?;
        store_notices(connection, actor, &prepared, &incident, now)?;
        duties::insert(connection, &all_duties)?;
        let has_deliveries = self.enqueue(connection, &actor.organisation, &prepared, now)?;
        ledger::begin(connection, &entry(actor, plan, &prepared, &incident, now))?;
        telemetry::incident_filed(plan.filing.common.stage.as_str());
        Ok(Answer { has_deliveries, ..answer(plan, &incident, all_duties, now)? })
    }

    fn contract_duty(
        &self,
        actor: &Actor,
        plan: &Plan,
        told: &Told,
        incident: &IncidentId,
        now: OffsetDateTime,
    ) -> Duty {
        let (common, agreement) = (&plan.filing.common, &told.agreement);
        let terms = FrozenTerms {
            span: agreement.terms.limit(common.kind, told.special).clone(),
            rule: CONTRACT_NOTICE.rule,
            internal_target: Some(agreement.terms.internal_target(told.special).length()),
        };
        let due = terms.due(common.start(agreement.terms.counted_from));
        let clause = agreement.terms.clause(common.kind, told.special);
        let clause = clause.map(|clause| format!(", {clause}")).unwrap_or_default();
        Duty {
            id: self.id(now),
            incident: incident.clone(),
            processor: actor.organisation.clone(),
            controller: agreement.controller.clone(),
            agreement: agreement.id.clone(),
            agreement_version: agreement.version,
            obligation: &CONTRACT_NOTICE,
            debtor: actor.organisation.clone(),
            recipient: agreement.controller.to_string(),
            legal_basis: format!("{}; {}{clause}", CONTRACT_NOTICE.legal_basis, agreement.reference),
            terms,
            next: due.next(Some(Step::Half)),
            state: DutyState::Running(due),
        }
    }

    /// The controller's own duty; its clock starts when the notice has reached it.
    fn authority_duty(
        &self,
        actor: &Actor,
        plan: &Plan,
        told: &Told,
        incident: &IncidentId,
        now: OffsetDateTime,
    ) -> Option<Duty> {
        let Limit::Law(length) = AUTHORITY_NOTIFICATION.limit else { return None };
        if !AUTHORITY_NOTIFICATION.follows_from(plan.filing.common.kind) {
            return None;
        }
        let terms = FrozenTerms {
            span: Span::Within(IsoDuration::of(length)),
            rule: AUTHORITY_NOTIFICATION.rule,
            internal_target: None,
        };
        Some(Duty {
            id: self.id(now),
            incident: incident.clone(),
            processor: actor.organisation.clone(),
            controller: told.agreement.controller.clone(),
            agreement: told.agreement.id.clone(),
            agreement_version: told.agreement.version,
            obligation: &AUTHORITY_NOTIFICATION,
            debtor: told.agreement.controller.clone(),
            recipient: SUPERVISORY_AUTHORITY.to_owned(),
            legal_basis: AUTHORITY_NOTIFICATION.legal_basis.to_owned(),
            terms,
            next: None,
            state: DutyState::NotStarted,
        })
    }

    /// Puts each notice into the outbox of every endpoint that its controller wants it at; answers whether there is any.
    fn enqueue(
        &self,
        connection: &mut AnyConnection,
        processor: &OrganisationId,
        prepared: &[Prepared<'_>],
        now: OffsetDateTime,
    ) -> Result<bool, ServiceError> {
        let controllers: Vec<String> = prepared.iter().map(|one| one.told.agreement.controller.to_string()).collect();
        let endpoints = webhooks::of_organisations(connection, &controllers)?;
        let mut by_owner: std::collections::HashMap<&str, Vec<&webhooks::Endpoint>> = std::collections::HashMap::new();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.events.want(EventType::NoticeInitial)) {
            by_owner.entry(endpoint.organisation.as_str()).or_default().push(endpoint);
        }
        let mut rows = Vec::with_capacity(prepared.len());
        for one in prepared {
            let owned = by_owner.get(one.told.agreement.controller.as_str());
            for endpoint in owned.into_iter().flatten().filter(|endpoint| one.told.goes_to(endpoint, processor)) {
                let notice = Some(one.notice.clone());
                rows.push(self.message_to(endpoint, EventType::NoticeInitial, notice, one.deadline, now));
            }
        }
        outbox::enqueue(connection, &rows, now)?;
        Ok(!rows.is_empty())
    }
}

impl Told {
    /// Whether the agreement with `processor` sends notices to this endpoint: to those it names, or to all where it names none.
    fn goes_to(&self, endpoint: &webhooks::Endpoint, processor: &OrganisationId) -> bool {
        let mut named =
            self.agreement.terms.addressees.iter().filter_map(|addressee| addressee.webhook.as_ref()).peekable();
        endpoint.hears(processor) && (named.peek().is_none() || named.any(|webhook| *webhook == endpoint.id))
    }
}

fn store_incident(
    connection: &mut AnyConnection,
    actor: &Actor,
    plan: &Plan,
    incident: &IncidentId,
    now: OffsetDateTime,
) -> Result<(), ServiceError> {
    let common = &plan.filing.common;
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
    };
    Ok(incidents::insert(connection, row)?)
}

fn store_notices(
    connection: &mut AnyConnection,
    actor: &Actor,
    prepared: &[Prepared<'_>],
    incident: &IncidentId,
    now: OffsetDateTime,
) -> Result<(), ServiceError> {
    let mut rows = Vec::with_capacity(prepared.len());
    for one in prepared {
        rows.push(NewNoticeRow {
            id: one.notice.as_str(),
            incident_id: incident.as_str(),
            processor_id: actor.organisation.as_str(),
            controller_id: one.told.agreement.controller.as_str(),
            agreement_id: one.told.agreement.id.as_str(),
            agreement_version: one.told.agreement.version,
            sequence: 1,
            r#type: EventType::NoticeInitial.as_str(),
            content: &one.told.content,
            content_sha256: &one.told.content_sha256,
            created_at: micros(now),
        });
    }
    Ok(notices::insert(connection, &rows)?)
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
            "notices": notices,
        }),
        actor: actor.clone(),
        at: now,
    }
}

fn answer(
    plan: &Plan,
    incident: &IncidentId,
    mut all_duties: Vec<Duty>,
    now: OffsetDateTime,
) -> Result<Answer, ServiceError> {
    let page = PageRequest { limit: FIRST_PAGE, after: None };
    all_duties.sort_by(|a, b| (a.urgency(), &a.id).cmp(&(b.urgency(), &b.id)));
    let filed = Answered {
        id: incident,
        version: 1,
        kind: plan.filing.common.kind.as_str(),
        stage: plan.filing.common.stage.as_str(),
        state: IncidentState::Telling,
        filed_at: now,
        affected_count: plan.told.len(),
        duties: Page::cut(all_duties, page.limit, duties::key),
    };
    Ok(Answer::of(&filed)?.at(format!("/v1/incidents/{incident}")).version(1))
}
