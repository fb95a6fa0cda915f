//! A controller decides whether it tells its authority and the persons. Every decision is kept; the newest one moves the duties.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::duty_facts::all_duty_facts;
use super::error::refused;
use super::part::{Part, standing_of};
use super::record::digest;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::catalogue::{Recipient, Threshold};
use crate::domain::course::{Effect, Reached};
use crate::domain::decision::{Decision, NewDecision};
use crate::domain::duty::{Closing, DutyState};
use crate::domain::duty_record::Duty;
use crate::domain::id::IncidentId;
use crate::domain::milestone::Milestone;
use crate::domain::statement::SKEW;
use crate::store::{AnyConnection, decisions, duties, ledger, standing};

/// The regime whose Art. 34(3) names the grounds not to tell the persons.
const GDPR: &str = "gdpr";

impl Service {
    /// Records what the controller decided, as `body` says, and moves its duties accordingly; answers the decision.
    pub async fn record_decision(
        &self,
        actor: Actor,
        incident: IncidentId,
        body: Value,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                let standing = standing_of(connection, &actor, &incident)?;
                if standing.is_processor {
                    return Err(ServiceError::Forbidden("Only an affected controller decides for itself."));
                }
                let new = NewDecision::parse(&body, now)?;
                if new.decided_at + SKEW < standing.detected_at {
                    let detail = "Nobody can have decided before anything was detected.";
                    return Err(refused("/decided_at", "time_order", detail));
                }
                let part = Part { incident, standing, party: actor.organisation.clone() };
                service.decide(connection, &actor, &part, new, now)
            })
        };
        let answer = self.store.write(work).await?;
        self.nudge.notify_waiters();
        Ok(answer)
    }

    fn decide(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        part: &Part,
        new: NewDecision,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        let decision = Decision {
            id: self.id(now),
            incident: part.incident.clone(),
            controller: part.party.clone(),
            content: new,
            current: true,
            recorded_at: now,
        };
        decisions::insert(connection, &part.standing.processor, &decision)?;
        let weighed = weigh(connection, part, &decision.content, now)?;
        let moved = self.go_on(connection, part, &decision.content, &weighed, now)?;
        let overtaken = |duty: &Duty| moved.iter().any(|later| later.id == duty.id);
        let mut changed: Vec<Duty> = weighed.into_iter().filter(|duty| !overtaken(duty)).collect();
        changed.extend(moved);
        let facts = json!({
            "controller": decision.controller,
            "notify_authority": decision.content.notify_authority,
            "notify_persons": decision.content.notify_persons,
            "content_sha256": digest(&decision.content)?,
            "duties": all_duty_facts(&changed),
        });
        let entry = part.entry(connection, (actor, now), ("decision.recorded", decision.id.as_str()), facts)?;
        ledger::append(connection, &[entry])?;
        Answer::of(&decision)
    }

    /// The milestones that the decision is, and the one that duties missed while they were not required.
    fn go_on(
        &self,
        connection: &mut AnyConnection,
        part: &Part,
        decision: &NewDecision,
        weighed: &[Duty],
        now: OffsetDateTime,
    ) -> Result<Vec<Duty>, ServiceError> {
        let mut reached = vec![Reached::new(Milestone::ControllerDecided, decision.decided_at)];
        if decision.notify_persons.is_telling() {
            reached.push(Reached::new(Milestone::PersonsToBeTold, decision.decided_at));
        }
        if weighed.iter().any(|duty| duty.state == DutyState::NotStarted) {
            let informed = standing::informed_at(connection, &part.incident, &part.party)?;
            let starts = |at| Reached::new(Milestone::ControllerInformed, at).having(Effect::Starts);
            reached.extend(informed.map(starts));
        }
        self.happened(connection, &part.incident, &part.party, reached, now)
    }
}

/// What the decision finds not to be required is closed, and what it finds to be required is owed again on its old clock.
fn weigh(
    connection: &mut AnyConnection,
    part: &Part,
    decision: &NewDecision,
    now: OffsetDateTime,
) -> Result<Vec<Duty>, ServiceError> {
    let closing = || Closing { at: decision.decided_at, by: decision.by.clone(), reason: decision.reason.clone() };
    let weighed = |duty: Duty| {
        let required = match duty.obligation.recipient {
            Recipient::SupervisoryAuthority => decision.notify_authority,
            // The grounds of Art. 34(3) GDPR say nothing about what other laws ask.
            Recipient::DataSubjects if decision.notify_persons.is_exempt() && duty.obligation.regime != GDPR => {
                return None;
            }
            Recipient::DataSubjects => !decision.notify_persons.is_not_required(),
            _ => return None,
        };
        let own = duty.debtor == part.party && duty.obligation.threshold != Threshold::None;
        match (own, required) {
            (false, _) => None,
            (true, false) => duty.waive(closing()).ok(),
            (true, true) => duty.reopen(now).ok(),
        }
    };
    let all = duties::of_parties(connection, &part.incident, &[part.party.as_str()])?;
    let changed: Vec<Duty> = all.into_iter().filter_map(weighed).collect();
    duties::update(connection, &changed)?;
    Ok(changed)
}
