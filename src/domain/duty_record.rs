//! A duty with everything that identifies it: incident, parties, the frozen row of the catalogue and its frozen terms.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::calendar::Region;
use super::catalogue::{Expiry, FrozenRow};
use super::duty::{Closing, Due, DutyState, FrozenTerms, InvalidTransition, Step};
use super::id::{AgreementId, DutyId, IncidentId, OrganisationId};
use super::milestone::Milestone;

/// One duty.
#[derive(Debug, Clone)]
pub struct Duty {
    /// The id.
    pub id: DutyId,
    /// The incident that it follows from.
    pub incident: IncidentId,
    /// The processor of the incident.
    pub processor: OrganisationId,
    /// The affected controller, or the processor itself where the duty is owed once for the whole incident.
    pub party: OrganisationId,
    /// The agreement whose terms it carries and its version; none where it is owed once for the whole incident.
    pub agreement: Option<(AgreementId, i32)>,
    /// The row of the catalogue as it stood when the duty was born.
    pub obligation: Arc<FrozenRow>,
    /// Who owes it.
    pub debtor: OrganisationId,
    /// To whom: an organisation, or the code of a recipient that is none here, such as `supervisory_authority`.
    pub recipient: String,
    /// Article and clause.
    pub legal_basis: String,
    /// The terms it was born with.
    pub terms: FrozenTerms,
    /// What it is about, where the incident has several of its kind: the open item.
    pub about: Option<String>,
    /// The person who sees to it.
    pub owner: Option<String>,
    /// Where it stands.
    pub state: DutyState,
    /// Counts the clocks it had, from 1; the earlier ones are kept.
    pub clock_version: i32,
    /// The next alarm.
    pub next: Option<(Step, OffsetDateTime)>,
}

/// A clock that a duty had before, and why it was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EarlierClock {
    /// Counts from 1.
    pub version: i32,
    /// When it began; UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub start_at: OffsetDateTime,
    /// When its alarm would have come; UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub alarm_at: OffsetDateTime,
    /// When it would have been due by law; UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub legal_due_at: Option<OffsetDateTime>,
    /// When it was replaced; UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub replaced_at: OffsetDateTime,
    /// By whom.
    pub replaced_by: String,
    /// Why.
    pub reason: String,
}

/// Behind every duty whose clock runs; far beyond any due time.
const LAST: i64 = 253_402_300_799_000_000;

impl Duty {
    /// The place on the board, in microseconds since 1970 UTC: by alarm time, clocks that do not run yet last.
    pub fn urgency(&self) -> i64 {
        let due = self.state.due().and_then(|due| i64::try_from(due.alarm_at.unix_timestamp_nanos() / 1000).ok());
        due.unwrap_or(LAST)
    }

    /// Whether `milestone` starts its clock.
    pub fn starts_with(&self, milestone: &Milestone) -> bool {
        self.hangs_on(&self.obligation.start, milestone)
    }

    /// Whether `milestone` fulfils it.
    pub fn ends_with(&self, milestone: &Milestone) -> bool {
        self.hangs_on(&self.obligation.end, milestone)
    }

    /// The debtor is aware when the processor knows, or when the controller was informed, whoever it is.
    fn hangs_on(&self, wanted: &Milestone, milestone: &Milestone) -> bool {
        match wanted {
            Milestone::DebtorAware if self.debtor == self.processor => *milestone == Milestone::ProcessorAware,
            Milestone::DebtorAware => *milestone == Milestone::ControllerInformed,
            wanted => wanted == milestone,
        }
    }

    /// The clock begins at `at`, counted in `region`; `cap` is where the outer limit of the row ends, if it has one.
    pub fn start(
        self,
        at: OffsetDateTime,
        region: &Region,
        cap: Option<OffsetDateTime>,
    ) -> Result<Self, InvalidTransition> {
        let due = self.terms.due(at, region, cap);
        let state = self.state.clone().start(due)?;
        Ok(self.standing(state))
    }

    /// The debtor did at `at` what it owed; the first time counts.
    pub fn meet(self, at: OffsetDateTime) -> Result<Self, InvalidTransition> {
        let state = self.state.clone().meet(at)?;
        Ok(self.standing(state))
    }

    /// A named person decided that it is not owed.
    pub fn waive(self, closing: Closing) -> Result<Self, InvalidTransition> {
        let state = self.state.clone().waive(closing)?;
        Ok(self.standing(state))
    }

    /// That decision was taken back. What was overdue or breached meanwhile is told now; lower alarms are not made up for.
    pub fn reopen(self, now: OffsetDateTime) -> Result<Self, InvalidTransition> {
        let closed_at = self.state.closing().map(|closing| closing.at);
        let state = self.state.clone().reopen(now)?;
        let missed = |at: &OffsetDateTime| *at <= now && closed_at.is_some_and(|closed_at| *at > closed_at);
        let owed = |due: &Due| {
            let passed =
                [Step::Overdue, Step::Breach].into_iter().find(|step| due.at(*step).as_ref().is_some_and(missed));
            let ahead = || Step::ALL.into_iter().find_map(|step| Some((step, due.at(step).filter(|at| *at > now)?)));
            passed.map(|step| (step, now)).or_else(ahead)
        };
        let next = state.due().and_then(owed);
        Ok(Self { state, next, ..self })
    }

    /// What it came from was withdrawn.
    pub fn cancel(self, closing: Closing) -> Result<Self, InvalidTransition> {
        let state = self.state.clone().cancel(closing)?;
        Ok(self.standing(state))
    }

    /// The clock begins at another time, or its outer limit `cap` ends at another one; answers the duty and the clock that it had.
    pub fn reclock(
        self,
        at: OffsetDateTime,
        region: &Region,
        cap: Option<OffsetDateTime>,
        closing: &Closing,
    ) -> Result<(Self, EarlierClock), InvalidTransition> {
        let Some(had) = self.state.due().copied() else { return Err(InvalidTransition) };
        let state = self.state.clone().reclock(self.terms.due(at, region, cap), closing.at)?;
        let earlier = EarlierClock {
            version: self.clock_version,
            start_at: had.start_at,
            alarm_at: had.alarm_at,
            legal_due_at: had.legal_due_at,
            replaced_at: closing.at,
            replaced_by: closing.by.clone(),
            reason: closing.reason.clone(),
        };
        let clock_version = self.clock_version + 1;
        Ok((Self { clock_version, ..self.standing(state) }, earlier))
    }

    /// What the clock has to say at `now`: which steps have come since the last look.
    pub fn look(&self, now: OffsetDateTime) -> Option<super::duty::Fired> {
        let from = self.next.map_or(Step::Half, |(step, _)| step);
        self.state.look(from, now, self.obligation.on_expiry == Expiry::Lapse)
    }

    /// The same duty in another state, with the alarms that follow from it.
    #[must_use]
    pub fn standing(self, state: DutyState) -> Self {
        let running = state.is_open().then(|| state.due()).flatten();
        let next = running.and_then(|due: &Due| due.next(Some(Step::Half)));
        Self { state, next, ..self }
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    id: &'a DutyId,
    incident: &'a IncidentId,
    controller: Option<&'a OrganisationId>,
    obligation: &'a str,
    title: &'a super::catalogue::Titles,
    regime: &'a str,
    debtor: &'a OrganisationId,
    recipient: &'a str,
    about: Option<&'a str>,
    owner: Option<&'a str>,
    state: &'a str,
    start_event: String,
    end_event: String,
    #[serde(with = "time::serde::rfc3339::option")]
    start_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    alarm_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    legal_due_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    internal_target_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    met_at: Option<OffsetDateTime>,
    late: Option<bool>,
    #[serde(with = "time::serde::rfc3339::option")]
    closed_at: Option<OffsetDateTime>,
    closed_by: Option<&'a str>,
    closed_reason: Option<&'a str>,
    counting_rule: &'a str,
    span: &'a str,
    region: &'a str,
    legal_basis: &'a str,
    late_needs_reason: bool,
    announce_before_miss: bool,
    threshold: super::catalogue::Threshold,
    agreement: Option<&'a AgreementId>,
    agreement_version: Option<i32>,
    clock_version: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    next_alarm_at: Option<OffsetDateTime>,
}

impl Serialize for Duty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let due = self.state.due();
        let closing = self.state.closing();
        let met_at = match self.state {
            DutyState::Met { met_at, .. } => Some(met_at),
            _ => None,
        };
        Wire {
            id: &self.id,
            incident: &self.incident,
            controller: (self.party != self.processor).then_some(&self.party),
            obligation: &self.obligation.code,
            title: &self.obligation.title,
            regime: &self.obligation.regime,
            debtor: &self.debtor,
            recipient: &self.recipient,
            about: self.about.as_deref(),
            owner: self.owner.as_deref(),
            state: self.state.as_str(),
            start_event: self.obligation.start.to_string(),
            end_event: self.obligation.end.to_string(),
            start_at: due.map(|due| due.start_at),
            alarm_at: due.map(|due| due.alarm_at),
            legal_due_at: due.and_then(|due| due.legal_due_at),
            internal_target_at: due.and_then(|due| due.internal_target_at),
            met_at,
            late: self.state.late(),
            closed_at: closing.map(|closing| closing.at),
            closed_by: closing.map(|closing| closing.by.as_str()),
            closed_reason: closing.map(|closing| closing.reason.as_str()),
            counting_rule: self.terms.rule.as_str(),
            span: self.terms.span.as_str(),
            region: &self.terms.region,
            legal_basis: &self.legal_basis,
            late_needs_reason: self.obligation.late_needs_reason,
            announce_before_miss: self.obligation.announce_before_miss,
            threshold: self.obligation.threshold,
            agreement: self.agreement.as_ref().map(|(id, _)| id),
            agreement_version: self.agreement.as_ref().map(|(_, version)| *version),
            clock_version: self.clock_version,
            next_alarm_at: self.next.map(|(_, at)| at),
        }
        .serialize(serializer)
    }
}
