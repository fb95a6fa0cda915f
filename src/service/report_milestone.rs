//! Somebody reports that something happened which a row of the catalogue waits for, such as a classification or an objection.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::duty_facts::all_duty_facts;
use super::error::refused;
use super::part::{Part, controller_meant, standing_of};
use super::record::digest;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::catalogue::{Obligation, Recipient};
use crate::domain::course::Reached;
use crate::domain::id::IncidentId;
use crate::domain::milestone::Milestone;
use crate::domain::reported::{NewReport, ReportedMilestone, words};
use crate::domain::statement::SKEW;
use crate::store::{AnyConnection, duties, ledger, milestones};

impl Service {
    /// Records that a milestone was reached and moves the duties that wait for it; answers the milestone.
    ///
    /// Everybody reports for itself. The processor reports for a controller only what that controller declared towards it.
    pub async fn report_milestone(
        &self,
        actor: Actor,
        incident: IncidentId,
        body: Value,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                service.report_in(connection, &actor, incident, &body, now)
            })
        };
        let answer = self.store.write(work).await?;
        self.nudge.notify_waiters();
        Ok(answer)
    }

    fn report_in(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        incident: IncidentId,
        body: &Value,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        let standing = standing_of(connection, actor, &incident)?;
        let known: BTreeSet<&str> = words(self.law.catalogue.rows().iter().map(|row| -> &Obligation { row }));
        let (new, named) = NewReport::parse(body, &known, now)?;
        if new.at + SKEW < standing.detected_at {
            return Err(refused("/at", "time_order", "It cannot have happened before anything was detected."));
        }
        let party = named.unwrap_or_else(|| actor.organisation.clone());
        let milestone = Milestone::Reported(new.milestone.clone());
        let part = Part { incident, standing, party };
        if part.party != actor.organisation {
            may_report_for(connection, &part, &milestone)?;
        }
        let reported = ReportedMilestone {
            incident: part.incident.clone(),
            party: part.party.clone(),
            content: new,
            recorded_by: actor.organisation.clone(),
            recorded_at: now,
        };
        if !milestones::insert(connection, &reported)? {
            let detail = format!("`{}` was reported for this party before.", reported.content.milestone);
            return Err(ServiceError::Conflict { code: "already-reported", detail });
        }
        let reached = vec![Reached::new(milestone, reported.content.at)];
        let changed = self.happened(connection, &part.incident, &part.party, reached, now)?;
        let facts = json!({
            "party": reported.party,
            "milestone": reported.content.milestone,
            "content_sha256": digest(&reported.content)?,
            "duties": all_duty_facts(&changed),
        });
        let incident = part.incident.as_str();
        let entry = part.entry(connection, (actor, now), ("milestone.reported", incident), facts)?;
        ledger::append(connection, &[entry])?;
        Answer::of(&reported)
    }
}

/// A processor may report for a controller what ends a right of that controller towards the processor, such as its objection.
fn may_report_for(connection: &mut AnyConnection, part: &Part, milestone: &Milestone) -> Result<(), ServiceError> {
    if !part.standing.is_processor {
        return Err(super::acknowledge::unknown_controller());
    }
    controller_meant(connection, &part.incident, Some(&part.party))?;
    let duties = duties::of_party(connection, &part.standing.processor, &part.incident, &part.party)?;
    let declared = duties.iter().any(|duty| {
        duty.obligation.end == *milestone
            && duty.debtor == part.party
            && duty.obligation.recipient == Recipient::Processor
    });
    if declared {
        return Ok(());
    }
    Err(ServiceError::Forbidden(
        "Only the controller itself reports this; the processor reports what was declared to it.",
    ))
}
