//! Controllers that are found late: each gets a first notice of its own, and clocks that start when it became known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use time::{Date, OffsetDateTime};

use super::amend_incident::{Request, newest_version, standing};
use super::carry_out::Deadline;
use super::derive::Birth;
use super::file_incident::{Told, filing_processor, planned};
use super::next_version::{Bound, NextVersion};
use super::release_incident::Hold;
use super::tell_notices::NewNotice;
use super::telling::{concerned, legal_day};
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::catalogue::FrozenRow;
use crate::domain::course::{Earlier, cap, region};
use crate::domain::duty::DutyState;
use crate::domain::duty_record::Duty;
use crate::domain::event::EventType;
use crate::domain::fault::Faults;
use crate::domain::filing::Filing;
use crate::domain::id::{IncidentId, NoticeId, OrganisationId};
use crate::domain::organisation::Seat;
use crate::domain::phase::{Joiner, Joining, PhaseKind};
use crate::store::parties::{self, Wanted};
use crate::store::{AnyConnection, StoreError, duties};

/// How often it is prepared anew because agreements changed meanwhile.
const TRIES: usize = 8;

/// A checked version with those who join.
struct JoinPlan {
    next: NextVersion,
    /// When it became known that each is affected.
    known_at: HashMap<OrganisationId, OffsetDateTime>,
}

enum Prepared {
    Answered(Answer),
    Plan(Box<JoinPlan>),
}

impl Service {
    /// Adds controllers that were found late to the version `version` of an incident, and tells them.
    pub async fn join_affected(
        &self,
        actor: &Actor,
        idempotency: Option<Idempotency>,
        incident: IncidentId,
        version: i32,
        body: Value,
    ) -> Result<Answer, ServiceError> {
        let request = Arc::new(Request { actor: actor.clone(), idempotency, incident, version, body });
        for _ in 0..TRIES {
            let now = self.clock.now();
            let (service, shared) = (self.clone(), Arc::clone(&request));
            let prepare = move |connection: &mut AnyConnection| service.prepare_joining(connection, &shared, now);
            let (service, shared) = (self.clone(), Arc::clone(&request));
            let work = move |connection: &mut AnyConnection, prepared| {
                service.carry_out_joining_once(connection, &shared, prepared, now)
            };
            if let Some(answer) = self.store.prepare_and_write(prepare, |_| true, work).await? {
                if answer.has_deliveries {
                    self.nudge.notify_waiters();
                }
                return Ok(answer);
            }
        }
        Err(StoreError::Unavailable("agreements keep changing while controllers are added".into()).into())
    }

    fn prepare_joining(
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
        let told = parties::told(connection, &request.incident)?;
        let told: Vec<_> = told.into_iter().map(|told| told.agreement.controller).collect();
        let before = standing(&current, &request.incident, &told)?;
        let (joining, mut faults) = Joining::read(&request.body, now);
        let Some(joining) = joining else { return Err(ServiceError::Refused(faults.capped())) };
        let (after, found) = joining.merge(&before, now);
        faults.extend_new(found);
        let Some(after) = after else { return Err(ServiceError::Refused(faults.capped())) };
        let (told, found) =
            self.those_told(connection, &request.actor, &joining.controllers, &after.filing, &processor.seat)?;
        faults.extend_new(joining.pointing_back(found, &after.filing));
        faults.capped().finish(Some(()))?;
        let known_at = joining.controllers.iter().map(|joiner| (joiner.controller.clone(), joiner.known_at)).collect();
        let affected: Vec<Value> = joining.controllers.iter().map(Joiner::as_filed).collect();
        let rows = self.rows_in_force(legal_day(after.filing.aware_at()));
        let plan = planned(after.filing, &after.body, processor, rows, told)?;
        let mut next = NextVersion::after(&current, &request.incident, PhaseKind::Joined, &before, plan, &affected)?;
        next.affected_count += i32::try_from(next.plan.told.len()).unwrap_or_default();
        Ok(Prepared::Plan(Box::new(JoinPlan { next, known_at })))
    }

    /// Those who join with their content, and what keeps them from being told: agreements in force when each became known count.
    fn those_told(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        joiners: &[Joiner],
        filing: &Filing,
        seat: &Seat,
    ) -> Result<(Vec<Told>, Faults), ServiceError> {
        let mut by_day: BTreeMap<Date, HashSet<OrganisationId>> = BTreeMap::new();
        for joiner in joiners {
            by_day.entry(legal_day(joiner.known_at)).or_default().insert(joiner.controller.clone());
        }
        let (mut told, mut faults) = (Vec::new(), Faults::default());
        for (day, joined) in by_day {
            let wanted = Wanted::Controllers(joined.iter().cloned().collect());
            let agreements = parties::in_force(connection, &actor.organisation, &wanted, &day.to_string())?;
            let rows: Vec<Arc<FrozenRow>> = self.rows_in_force(day);
            let mut all = concerned(filing, agreements, seat, &rows);
            all.chosen.retain(|chosen| joined.contains(&chosen.agreement.controller));
            all.spared.retain(|spared| joined.contains(&spared.controller));
            let found = all.faults(filing);
            if found.is_empty() {
                told.extend(all.told()?);
            }
            faults.extend_new(found);
        }
        Ok((told, faults))
    }

    fn carry_out_joining_once(
        &self,
        connection: &mut AnyConnection,
        request: &Request,
        prepared: Prepared,
        now: OffsetDateTime,
    ) -> Result<Option<Answer>, ServiceError> {
        let plan = match prepared {
            Prepared::Answered(answer) => return Ok(Some(answer)),
            Prepared::Plan(plan) => plan,
        };
        if parties::edition(connection, &request.actor.organisation)? != plan.next.plan.edition {
            return Ok(None);
        }
        let carry_out = |connection: &mut AnyConnection| self.carry_out_joining(connection, &request.actor, &plan, now);
        self.once(connection, &request.actor, request.idempotency.as_ref(), now, carry_out).map(Some)
    }

    /// Stores the version and everything that the joining controllers get; runs inside the caller's transaction.
    fn carry_out_joining(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        plan: &JoinPlan,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        let next = &plan.next;
        let birth = Birth { incident: &next.incident, processor: &actor.organisation, plan: &next.plan, now };
        let mut born = Vec::with_capacity(next.plan.told.len() * 4);
        let mut notices: Vec<(NoticeId, &Told, Deadline)> = Vec::with_capacity(next.plan.told.len());
        for told in &next.plan.told {
            let controller = &told.agreement.controller;
            let known_at = plan.known_at.get(controller).copied().unwrap_or(now);
            let owed = self.duties_of_party(birth, told);
            let owed: Vec<_> = owed.into_iter().map(|duty| self.starting(duty, known_at)).collect();
            notices.push((self.id(now), told, Deadline::of(&owed, now)));
            born.extend(owed);
            born.extend(self.open_item_duties(birth, controller, &told.own_items));
        }
        let hold = Hold::of(next.release_policy(), &born, now);
        born.extend(hold.and_then(|hold| self.release_duty(birth, next.number, hold.window)));
        next.store(connection, actor, hold, now)?;
        duties::insert(connection, &born)?;
        let new: Vec<_> = notices.iter().map(|(id, told, deadline)| NewNotice::first(id, told, *deadline)).collect();
        let telling = next.telling(&actor.organisation, EventType::NoticeInitial, hold, now);
        let has_deliveries = self.tell_notices(connection, telling, &new)?;
        let bound = notices.iter().map(|(notice, told, _)| Bound {
            notice,
            controller: &told.agreement.controller,
            content_sha256: &told.content_sha256,
        });
        next.record(connection, actor, &bound.collect::<Vec<_>>(), &born, now)?;
        Ok(Answer { has_deliveries, ..next.answer(notices.len(), hold, born, now)? })
    }

    /// The duty with a clock that starts when the controller became known, if it runs already.
    pub(super) fn starting(&self, duty: Duty, known_at: OffsetDateTime) -> Duty {
        let Some(region) = region(&self.law.calendar, &duty.terms.region) else { return duty };
        let earlier = Earlier { processor_aware: Some(known_at), controller_informed: None };
        let due = duty.terms.due(known_at, region, cap(&duty, earlier, region));
        match duty.state {
            DutyState::Running(_) => duty.standing(DutyState::Running(due)),
            DutyState::Drill(Some(_)) => duty.standing(DutyState::Drill(Some(due))),
            _ => duty,
        }
    }
}
