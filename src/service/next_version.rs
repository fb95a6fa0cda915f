//! What every version after the first has in common: the rows that it is, its ledger entry and its answer.

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::file_incident::Plan;
use super::record::digest;
use super::release_incident::Hold;
use super::tell_notices::Telling;
use super::{Answer, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::duty_record::Duty;
use crate::domain::event::EventType;
use crate::domain::id::{IncidentId, NoticeId, OrganisationId};
use crate::domain::incident::IncidentState;
use crate::domain::ledger::{NewEntry, Stream};
use crate::domain::organisation::{OnTimeout, ReleasePolicy};
use crate::domain::page::{Page, PageRequest};
use crate::domain::phase::{Change, PhaseKind, Standing, differences};
use crate::store::incident_versions::{self, Advance, Current};
use crate::store::incidents::{self, NewVersionRow};
use crate::store::{AnyConnection, duties, ledger, micros};

/// How many duties the answer shows.
const FIRST_PAGE: i64 = 50;

/// A version that is about to be stored.
pub(super) struct NextVersion {
    pub(super) incident: IncidentId,
    pub(super) number: i32,
    pub(super) kind: PhaseKind,
    pub(super) reason: Option<String>,
    /// The filing as it stands after it, and what is owed under it.
    pub(super) plan: Plan,
    filing_sha256: String,
    changes: String,
    /// Whether anything differs in the filing as a whole.
    pub(super) changes_filing: bool,
    /// How many controllers were told, those of this version included.
    pub(super) affected_count: i32,
}

/// A notice of the version, as the ledger binds it.
pub(super) struct Bound<'a> {
    pub(super) notice: &'a NoticeId,
    pub(super) controller: &'a OrganisationId,
    pub(super) content_sha256: &'a str,
}

#[derive(Serialize)]
struct Kept<'a> {
    changes: &'a [Change],
    affected: &'a [Value],
}

#[derive(Serialize)]
struct Answered<'a> {
    id: &'a IncidentId,
    version: i32,
    phase: PhaseKind,
    stage: &'a str,
    state: IncidentState,
    #[serde(with = "time::serde::rfc3339")]
    filed_at: OffsetDateTime,
    affected_count: i32,
    told_count: usize,
    release: Option<Waiting<'a>>,
    duties: Page<Duty>,
}

/// That nothing leaves before a second person has released the version.
#[derive(Serialize)]
struct Waiting<'a> {
    state: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    due_at: OffsetDateTime,
    on_timeout: OnTimeout,
    content_sha256: &'a str,
}

impl NextVersion {
    /// The version after `current`; `affected` is what was filed for single controllers.
    pub(super) fn after(
        current: &Current,
        incident: &IncidentId,
        kind: PhaseKind,
        before: &Standing,
        plan: Plan,
        affected: &[Value],
    ) -> Result<Self, ServiceError> {
        let old = before.filing.whole().to_json()?;
        let changes = differences(&serde_json::from_str(&old)?, &serde_json::from_str(&plan.content)?);
        Ok(Self {
            incident: incident.clone(),
            number: current.version + 1,
            kind,
            reason: None,
            filing_sha256: sha256_hex(plan.body.as_bytes()),
            changes_filing: !changes.is_empty(),
            changes: serde_json::to_string(&Kept { changes: &changes, affected })?,
            plan,
            affected_count: current.affected_count,
        })
    }

    /// Whether it is a version of a drill, of which nothing leaves the house.
    pub(super) fn telling<'a>(
        &'a self,
        processor: &'a OrganisationId,
        event: EventType,
        hold: Option<Hold>,
        now: OffsetDateTime,
    ) -> Telling<'a> {
        Telling {
            incident: &self.incident,
            processor,
            version: self.number,
            event,
            drill: self.is_drill(),
            held: hold.is_some(),
            now,
        }
    }

    pub(super) fn is_drill(&self) -> bool {
        self.plan.filing.drill
    }

    /// How a second person releases it; none where nobody has to.
    pub(super) fn release_policy(&self) -> Option<ReleasePolicy> {
        self.plan.seat.release_policy.filter(|_| !self.is_drill())
    }

    /// Stores the version and what it makes of the incident, unless another one was faster.
    pub(super) fn store(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        hold: Option<Hold>,
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let common = &self.plan.filing.common;
        let next = Advance {
            version: self.number,
            common,
            content: &self.plan.content,
            affected_count: self.affected_count,
            no_duty_reason: self.plan.filing.no_duty_reason.as_deref(),
            withdrawn_at: (self.kind == PhaseKind::Withdrawal && hold.is_none()).then_some(now),
        };
        if !incident_versions::advance(connection, &actor.organisation, &self.incident, &next)? {
            return Err(ServiceError::VersionMismatch);
        }
        let row = NewVersionRow {
            incident_id: self.incident.as_str(),
            version: self.number,
            kind: self.kind.as_str(),
            stage: common.stage.as_str(),
            reason: self.reason.as_deref(),
            filing: &self.plan.body,
            changes: &self.changes,
            content_sha256: &self.filing_sha256,
            filed_at: micros(now),
            filed_by: &actor.subject,
            release_state: if hold.is_some() { "awaited" } else { "not_needed" },
            release_due_at: hold.map(|hold| micros(now + hold.window)),
            on_timeout: hold.map(|hold| hold.on_timeout.as_str()),
        };
        Ok(incidents::insert_version(connection, row)?)
    }

    /// Writes the version into the ledger: bound are all its notices by their digests, but none of their content goes in.
    pub(super) fn record(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        notices: &[Bound<'_>],
        duties: &[Duty],
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let notices: Vec<_> =
            notices.iter().map(|one| json!([one.notice, one.controller, one.content_sha256])).collect();
        let entry = NewEntry {
            stream: Stream::Incident(self.incident.clone()),
            tenant: actor.organisation.clone(),
            counterpart: None,
            kind: "incident.amended",
            object: self.incident.to_string(),
            facts: json!({
                "version": self.number,
                "phase": self.kind,
                "stage": self.plan.filing.common.stage,
                "drill": self.is_drill(),
                "reason_sha256": self.reason.as_ref().map(digest).transpose()?,
                "changes_sha256": sha256_hex(self.changes.as_bytes()),
                "content_sha256": self.plan.content_sha256,
                "filing_sha256": self.filing_sha256,
                "notices": notices,
                "duties": super::duty_facts::all_duty_facts(duties),
            }),
            actor: actor.clone(),
            at: now,
        };
        Ok(ledger::append(connection, &[entry])?)
    }

    /// The answer: the version, how many are told of it, and the duties that it brought about or changed.
    pub(super) fn answer(
        &self,
        told: usize,
        hold: Option<Hold>,
        mut changed: Vec<Duty>,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        let page = PageRequest { limit: FIRST_PAGE, after: None };
        changed.sort_by(|a, b| (a.urgency(), &a.id).cmp(&(b.urgency(), &b.id)));
        let state = match (self.kind, told) {
            (PhaseKind::Withdrawal, _) => IncidentState::Withdrawn,
            (_, 0) => IncidentState::Kept,
            _ => IncidentState::Telling,
        };
        let answered = Answered {
            id: &self.incident,
            version: self.number,
            phase: self.kind,
            stage: self.plan.filing.common.stage.as_str(),
            state,
            filed_at: now,
            affected_count: self.affected_count,
            told_count: told,
            release: hold.map(|hold| Waiting {
                state: "awaited",
                due_at: now + hold.window,
                on_timeout: hold.on_timeout,
                content_sha256: &self.filing_sha256,
            }),
            duties: Page::cut(changed, page.limit, duties::key),
        };
        Ok(Answer::of(&answered)?.at(format!("/v1/incidents/{}", self.incident)).version(self.number))
    }
}
