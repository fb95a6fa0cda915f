//! Filing a later version of an incident: what changes, whom it concerns, and one transaction that holds everything that follows.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::carry_out::Deadline;
use super::error::refused;
use super::file_incident::{filing_processor, planned};
use super::next_version::{Bound, NextVersion};
use super::tell_notices::NewNotice;
use super::telling::legal_day;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::domain::content::{Ask, demand_faults};
use crate::domain::fault::Faults;
use crate::domain::id::{IncidentId, NoticeId, OrganisationId};
use crate::domain::phase::{Amendment, Concern, LaterNotice, PhaseKind, Standing, concern};
use crate::store::incident_versions::{self, Current};
use crate::store::parties::{self, Told};
use crate::store::{AnyConnection, duties, notices};

/// A notice of a later version to one controller.
struct Later {
    newest: Told,
    content: String,
    content_sha256: String,
    complete: bool,
}

/// A checked version and everybody it concerns.
pub(super) struct AmendPlan {
    pub(super) next: NextVersion,
    /// The filing before.
    pub(super) before: Standing,
    /// Everybody who was told, concerned or not.
    pub(super) told: Vec<Told>,
    later: Vec<Later>,
}

enum Prepared {
    Answered(Answer),
    Plan(Box<AmendPlan>),
}

/// What is asked for, whoever carries it to where.
pub(super) struct Request {
    pub(super) actor: Actor,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) incident: IncidentId,
    /// The version that it goes by.
    pub(super) version: i32,
    pub(super) body: Value,
}

impl Service {
    /// Files the version after `version` of an incident and tells those whose share it changes.
    ///
    /// All faults of the changes and all content that agreements miss are named in one refusal; nothing is stored then.
    pub async fn amend_incident(
        &self,
        actor: &Actor,
        idempotency: Option<Idempotency>,
        incident: IncidentId,
        version: i32,
        body: Value,
    ) -> Result<Answer, ServiceError> {
        let now = self.clock.now();
        let request = Arc::new(Request { actor: actor.clone(), idempotency, incident, version, body });
        let (service, shared) = (self.clone(), Arc::clone(&request));
        let prepare = move |connection: &mut AnyConnection| service.prepare_amendment(connection, &shared, now);
        let service = self.clone();
        let work = move |connection: &mut AnyConnection, prepared| match prepared {
            Prepared::Answered(answer) => Ok(answer),
            Prepared::Plan(plan) => service.once(
                connection,
                &request.actor,
                request.idempotency.as_ref(),
                now,
                |connection: &mut AnyConnection| service.carry_out_amendment(connection, &request.actor, &plan, now),
            ),
        };
        let answer = self.store.prepare_and_write(prepare, |_| true, work).await?;
        if answer.has_deliveries {
            self.nudge.notify_waiters();
        }
        Ok(answer)
    }

    fn prepare_amendment(
        &self,
        connection: &mut AnyConnection,
        request: &Request,
        now: OffsetDateTime,
    ) -> Result<Prepared, ServiceError> {
        if let Some(answer) = self.earlier_answer(connection, &request.actor, request.idempotency.as_ref())? {
            return Ok(Prepared::Answered(answer));
        }
        let current = newest_version(connection, request)?;
        let processor = filing_processor(connection, &request.actor)?;
        let mut told = parties::told(connection, &request.incident)?;
        told.sort_by(|one, other| one.agreement.controller.cmp(&other.agreement.controller));
        let controllers: Vec<_> = told.iter().map(|told| told.agreement.controller.clone()).collect();
        let before = standing(&current, &request.incident, &controllers)?;
        let (amendment, mut faults) = Amendment::read(&request.body);
        let Some(amendment) = amendment else { return Err(ServiceError::Refused(faults.capped())) };
        let (after, found) = amendment.merge(&before, now);
        faults.extend_new(found);
        let Some(after) = after else { return Err(ServiceError::Refused(faults.capped())) };
        let concerns = concern(&before.filing, &after.filing, &controllers)?;
        faults.extend_new(demands(&amendment, &after, &told, &concerns));
        faults.capped().finish(Some(()))?;
        let affected = amendment.affected.iter().map(|own| {
            let mut entry = Value::Object(own.changes.clone());
            entry["controller"] = json!(own.controller);
            entry
        });
        let affected: Vec<_> = affected.collect();
        let rows = self.rows_in_force(legal_day(after.filing.aware_at()));
        let plan = planned(after.filing, &after.body, processor, rows, Vec::new())?;
        let mut next = NextVersion::after(&current, &request.incident, amendment.kind, &before, plan, &affected)?;
        next.reason = amendment.reason;
        let later = notices_of(&next, &told, &concerns)?;
        let confirmed = before.filing.common.kind != next.plan.filing.common.kind;
        // Where nobody was told, such as after a sub-processor's notice, the filing is completed before anybody joins.
        let is_for_nobody = told.is_empty() && next.changes_filing;
        if later.is_empty() && !next.kind.concerns_all() && !confirmed && !is_for_nobody {
            let detail = "Nothing changes for anybody who was told, so there is nothing to tell.";
            return Err(refused("", "nothing_changed", detail));
        }
        Ok(Prepared::Plan(Box::new(AmendPlan { next, before, told, later })))
    }

    /// Stores the version, its notices, what it does to duties, its deliveries and its ledger entry; in the caller's transaction.
    fn carry_out_amendment(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        plan: &AmendPlan,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        // Whoever registers an endpoint now either sees these notices or is seen here.
        parties::edition(connection, &actor.organisation)?;
        // Notices are held before duties, as whoever records an attempt does it.
        let replaced: Vec<&str> = plan.later.iter().map(|later| later.newest.notice.as_str()).collect();
        notices::facts(connection, &replaced)?;
        let effect = plan.effect(actor, now);
        let needed = effect.is_felt() || plan.next.release_policy().is_some();
        let before = if needed { duties::of_incident(connection, &plan.next.incident)? } else { Vec::new() };
        let hold = plan.hold(&before, now);
        plan.next.store(connection, actor, hold, now)?;
        let ids: Vec<NoticeId> = plan.later.iter().map(|_| self.id(now)).collect();
        // What waits for a second person does nothing before that.
        let mut after = match hold {
            Some(hold) => self.waiting(&effect, plan.next.number, hold),
            None => self.aftermath(connection, &effect, before)?,
        };
        let told_others = self.store_aftermath(connection, &after, now)?;
        let controllers: Vec<&str> = plan.later.iter().map(Later::controller).collect();
        let due = Deadline::of_controllers(connection, &plan.next.incident, &controllers, now)?;
        let notice = |(later, id): (_, _)| Some(Later::notice(later, id, *due.get(later.controller())?));
        let notices: Vec<_> = plan.later.iter().zip(&ids).filter_map(notice).collect();
        let telling = plan.next.telling(&actor.organisation, plan.next.kind.event(), hold, now);
        let has_deliveries = self.tell_notices(connection, telling, &notices)?;
        let bound: Vec<_> = plan.later.iter().zip(&ids).map(|(later, notice)| later.bound(notice)).collect();
        after.changed.append(&mut after.born);
        plan.next.record(connection, actor, &bound, &after.changed, now)?;
        let answer = plan.next.answer(plan.later.len(), hold, after.changed, now)?;
        Ok(Answer { has_deliveries: has_deliveries || told_others, ..answer })
    }
}

impl AmendPlan {
    /// Whether anybody gets a notice of it.
    pub(super) fn tells(&self) -> bool {
        !self.later.is_empty()
    }
}

impl Later {
    fn controller(&self) -> &str {
        self.newest.agreement.controller.as_str()
    }

    fn notice<'a>(&'a self, id: &'a NoticeId, deadline: Deadline) -> NewNotice<'a> {
        NewNotice {
            id,
            agreement: &self.newest.agreement,
            sequence: self.newest.sequence + 1,
            supersedes: Some(&self.newest.notice),
            content: &self.content,
            content_sha256: &self.content_sha256,
            complete: self.complete,
            deadline,
        }
    }

    fn bound<'a>(&'a self, notice: &'a NoticeId) -> Bound<'a> {
        Bound { notice, controller: &self.newest.agreement.controller, content_sha256: &self.content_sha256 }
    }
}

/// The version that a request goes by, if it is the newest and can be followed by another.
pub(super) fn newest_version(connection: &mut AnyConnection, request: &Request) -> Result<Current, ServiceError> {
    let current = incident_versions::current(connection, &request.actor.organisation, &request.incident)?;
    let current = current.ok_or(ServiceError::NotFound)?;
    if current.version != request.version {
        return Err(ServiceError::VersionMismatch);
    }
    if current.is_withdrawn {
        return Err(ServiceError::Conflict {
            code: "withdrawn",
            detail: "The incident was withdrawn; what is found now is filed as a new one.".to_owned(),
        });
    }
    // Two that wait could be released in either order, and what the second says rests on the first.
    if current.is_awaited {
        return Err(ServiceError::Conflict {
            code: "awaiting-release",
            detail: format!(
                "Version {} still waits for its release; the next one can be filed after that.",
                current.version
            ),
        });
    }
    Ok(current)
}

/// The filing as it stands, with everybody who was told in its list.
pub(super) fn standing(
    current: &Current,
    incident: &IncidentId,
    told: &[OrganisationId],
) -> Result<Standing, ServiceError> {
    let Some(filing) = current.filing.clone() else {
        return Err(ServiceError::Conflict {
            code: "no-version",
            detail: "The incident was filed before versions were kept.".to_owned(),
        });
    };
    Standing::read(filing, told, current.filed_at)
        .ok_or_else(|| ServiceError::Internal(format!("the filing of {incident} cannot be read")))
}

/// The content that agreements demand and the version does not give; they demand what they did when the incident was filed.
fn demands(amendment: &Amendment, after: &Standing, told: &[Told], concerns: &[Concern]) -> Faults {
    if amendment.kind == PhaseKind::Withdrawal {
        return Faults::default();
    }
    let asks = told.iter().zip(concerns).map(|(told, concern)| Ask {
        agreement: &told.agreement.id,
        terms: &told.agreement.terms,
        share: &concern.share,
        position: concern.position,
        alone: concern.alone,
    });
    amendment.pointing_back(demand_faults(asks), &after.filing)
}

fn notices_of(next: &NextVersion, told: &[Told], concerns: &[Concern]) -> Result<Vec<Later>, ServiceError> {
    let all = next.kind.concerns_all();
    let concerned = told.iter().zip(concerns).filter(|(_, concern)| all || !concern.changes.is_empty());
    let later = concerned.map(|(told, concern)| {
        let share = &concern.share;
        let notice = LaterNotice {
            version: next.number,
            phase: next.kind,
            reason: next.reason.as_deref(),
            supersedes: &told.notice,
            changes: &concern.changes,
        };
        let content = notice.to_json(share)?;
        let demanded = told.agreement.terms.required_content(share.common.kind, share.is_special());
        Ok(Later {
            newest: told.clone(),
            content_sha256: sha256_hex(content.as_bytes()),
            content,
            complete: share.is_complete(&demanded),
        })
    });
    later.collect()
}
