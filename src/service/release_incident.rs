//! Four eyes: nothing of a version leaves before a second person has released exactly that version, or the processor's own rule
//! for the end of the waiting says what happens.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::carry_out::Deadline;
use super::duty_facts::all_duty_facts;
use super::succession::estates;
use super::{Answer, Idempotency, Service, ServiceError};
use crate::domain::actor::Actor;
use crate::domain::course::Reached;
use crate::domain::duty_record::Duty;
use crate::domain::event::EventType;
use crate::domain::fault::Faults;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::ledger::{NewEntry, Stream};
use crate::domain::milestone::Milestone;
use crate::domain::organisation::{OnTimeout, ReleasePolicy};
use crate::domain::owed::is_telling;
use crate::domain::parse::Place;
use crate::store::escalations::{self, FirstSteps};
use crate::store::{AnyConnection, duties, ledger, notices, outbox, parties, releases, watched};
use crate::telemetry;

/// Which version is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Counts from 1.
    pub version: i32,
    /// SHA-256 of the filing that the version is, hexadecimal.
    pub content_sha256: String,
}

/// How long a version waits for its release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    /// How long the release may take.
    pub(super) window: Duration,
    /// What happens then.
    pub(super) on_timeout: OnTimeout,
}

impl Release {
    /// Reads the body of a release; answers all faults at once.
    pub fn parse(body: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|mut object| {
            let version = object.required("version", &mut faults, |place, faults| {
                let number = place.whole_number(faults)?;
                i32::try_from(number).map_err(|_| faults.add(&place.pointer, "range", "There is no such version.")).ok()
            });
            let digest = object.required("content_sha256", &mut faults, |place, faults| place.text(64, faults));
            object.close(&mut faults);
            Some(Self { version: version?, content_sha256: digest? })
        });
        faults.finish(read)
    }
}

impl Hold {
    /// The share of the shortest time for telling that the processor allows for the release; none if it asks for no release.
    pub(super) fn of<'d>(
        policy: Option<ReleasePolicy>,
        owed: impl IntoIterator<Item = &'d Duty>,
        now: OffsetDateTime,
    ) -> Option<Self> {
        let policy = policy?;
        let telling = owed.into_iter().filter(|duty| is_telling(&duty.obligation));
        let alarm = telling.filter_map(|duty| duty.state.due()).map(|due| due.alarm_at).min()?;
        let left = (alarm - now).max(Duration::ZERO);
        let window = left * i32::from(policy.window_share_percent) / 100;
        Some(Self { window, on_timeout: policy.on_timeout })
    }
}

impl Service {
    /// Releases one version of an incident; what was held back leaves at once. Refused to whoever filed the version.
    pub async fn release_incident(
        &self,
        actor: &Actor,
        idempotency: Option<Idempotency>,
        id: IncidentId,
        release: Release,
    ) -> Result<Answer, ServiceError> {
        let (service, actor, now) = (self.clone(), actor.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                service.release_in(connection, &actor, &id, &release, now)
            })
        };
        let answer = self.store.write_large(work).await?;
        self.nudge.notify_waiters();
        Ok(answer)
    }

    fn release_in(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        id: &IncidentId,
        release: &Release,
        now: OffsetDateTime,
    ) -> Result<Answer, ServiceError> {
        let found = releases::find(connection, &actor.organisation, id, release.version)?;
        let version = found.ok_or(ServiceError::NotFound)?;
        if version.content_sha256 != release.content_sha256 {
            let detail = format!("Version {} has the digest {}.", release.version, version.content_sha256);
            return Err(ServiceError::Conflict { code: "content-mismatch", detail });
        }
        if version.filed_by == actor.subject {
            return Err(ServiceError::Forbidden("A version is released by another person than the one who filed it."));
        }
        hold_still(connection, id, &actor.organisation)?;
        if !releases::end(connection, id, release.version, "released", Some(&actor.subject), now)? {
            let detail = format!("Version {} does not wait for a release.", release.version);
            return Err(ServiceError::Conflict { code: "not-awaited", detail });
        }
        let sent = self.let_go(connection, actor, id, release.version, "incident.released", now)?;
        let released = json!({"incident": id, "version": release.version, "state": "released", "deliveries": sent});
        Answer::of(&released)
    }

    /// Opens what was held back of a version, fulfils the duty to release it, does to duties what the version says, and writes it
    /// down.
    fn let_go(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        id: &IncidentId,
        version: i32,
        kind: &'static str,
        now: OffsetDateTime,
    ) -> Result<usize, ServiceError> {
        let sent = outbox::open_held(connection, id, version, now)?;
        self.begin_ladders(connection, id, version, now)?;
        let duty = release_duty_of(connection, id, &actor.organisation, version)?;
        let reached = duty.map(|duty| Reached::of(Milestone::Released, now, duty.id)).into_iter().collect();
        let mut changed = self.happened(connection, id, &actor.organisation, reached, now)?;
        changed.extend(self.release_effect(connection, actor, id, version, now)?);
        let entry = NewEntry {
            stream: Stream::Incident(id.clone()),
            tenant: actor.organisation.clone(),
            counterpart: None,
            kind,
            object: id.to_string(),
            facts: json!({"version": version, "deliveries": sent, "duties": all_duty_facts(&changed)}),
            actor: actor.clone(),
            at: now,
        };
        ledger::append(connection, &[entry])?;
        Ok(sent)
    }

    /// The ladders of notices that were held back begin when these leave.
    fn begin_ladders(
        &self,
        connection: &mut AnyConnection,
        id: &IncidentId,
        version: i32,
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let told = watched::of_version(connection, id, version)?;
        let ids: Vec<String> = told.iter().map(|one| one.notice.to_string()).collect();
        let facts = notices::facts_unlocked(connection, &ids.iter().map(String::as_str).collect::<Vec<_>>())?;
        let replaced: Vec<_> = facts.iter().filter_map(|one| Some((one.supersedes.as_deref()?, &one.id))).collect();
        let before: HashMap<&str, &str> = replaced.iter().map(|(before, later)| (later.as_str(), *before)).collect();
        let is_urgent = told.iter().all(|one| one.event != EventType::NoticeWithdrawal);
        let urgent: Vec<&str> = before.values().filter(|_| is_urgent).copied().collect();
        let estates = estates(connection, &urgent)?;
        let tried: HashSet<String> = outbox::tried(connection, &ids)?.into_iter().map(|(notice, _)| notice).collect();
        let controllers: Vec<&str> = told.iter().map(|one| one.agreement.controller.as_str()).collect();
        let due = Deadline::of_controllers(connection, id, &controllers, now)?;
        let first = told.iter().filter_map(|one| {
            Some(FirstSteps {
                notice: &one.notice,
                ladders: &one.agreement.terms.escalation,
                made: now,
                deadline: due.get(one.agreement.controller.as_str())?.due,
                reached: tried.contains(one.notice.as_str()),
                rest: before.get(one.notice.as_str()).and_then(|before| estates.get(*before)?.rest),
            })
        });
        escalations::begin(connection, &first.collect::<Vec<_>>())?;
        self.hand_over(connection, &replaced, &estates, now)
    }

    /// The waiting for a release is over: sends what was held back where the processor wants that, and pages otherwise.
    pub(super) fn end_waiting(
        &self,
        connection: &mut AnyConnection,
        overdue: &[Duty],
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        for duty in overdue.iter().filter(|duty| duty.obligation.end == Milestone::Released) {
            telemetry::release_overdue();
            let version = duty.about.as_deref().and_then(|about| about.parse().ok()).unwrap_or_default();
            let release = releases::find(connection, &duty.processor, &duty.incident, version)?;
            if release.and_then(|release| release.on_timeout) != Some(OnTimeout::Send) {
                tracing::error!(incident.id = %duty.incident, version, "nobody has released this version in time");
                continue;
            }
            tracing::warn!(incident.id = %duty.incident, version, "sent without release, as the processor has set");
            if !releases::end(connection, &duty.incident, version, "sent_without", None, now)? {
                continue;
            }
            let actor = Actor::service(duty.processor.clone());
            self.let_go(connection, &actor, &duty.incident, version, "incident.sent_without_release", now)?;
        }
        Ok(())
    }
}

fn release_duty_of(
    connection: &mut AnyConnection,
    id: &IncidentId,
    processor: &OrganisationId,
    version: i32,
) -> Result<Option<Duty>, ServiceError> {
    let duties = duties::of_parties(connection, id, &[processor.as_str()])?;
    let about = version.to_string();
    let wanted = |duty: &Duty| duty.obligation.end == Milestone::Released && duty.about.as_ref() == Some(&about);
    Ok(duties.into_iter().find(wanted))
}

/// Takes what others take first: the edition that new endpoints raise, so that none slips in between, and then the duties, which the
/// alarm at the end of the waiting has locked already.
fn hold_still(connection: &mut AnyConnection, id: &IncidentId, processor: &OrganisationId) -> Result<(), ServiceError> {
    parties::edition(connection, processor)?;
    duties::of_parties(connection, id, &[processor.as_str()])?;
    Ok(())
}
