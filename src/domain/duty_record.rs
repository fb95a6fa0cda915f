//! A duty with everything that identifies it: incident, parties, the obligation it comes from and its frozen terms.

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::duty::{DutyState, FrozenTerms, Step};
use super::id::{AgreementId, DutyId, IncidentId, OrganisationId};
use super::obligation::Obligation;

/// One duty.
#[derive(Debug, Clone)]
pub struct Duty {
    /// The id.
    pub id: DutyId,
    /// The incident that it follows from.
    pub incident: IncidentId,
    /// The processor of the incident.
    pub processor: OrganisationId,
    /// The affected controller.
    pub controller: OrganisationId,
    /// The agreement whose terms it carries.
    pub agreement: AgreementId,
    /// The version of the agreement.
    pub agreement_version: i32,
    /// The row of the catalogue.
    pub obligation: &'static Obligation,
    /// Who owes it.
    pub debtor: OrganisationId,
    /// To whom: an organisation or `supervisory_authority`.
    pub recipient: String,
    /// Article and clause.
    pub legal_basis: String,
    /// The terms it was born with.
    pub terms: FrozenTerms,
    /// Where it stands.
    pub state: DutyState,
    /// The next alarm.
    pub next: Option<(Step, OffsetDateTime)>,
}

/// What stands for a recipient that is no organisation here.
pub const SUPERVISORY_AUTHORITY: &str = "supervisory_authority";

/// Behind every duty whose clock runs; far beyond any due time.
const LAST: i64 = 253_402_300_799_000_000;

impl Duty {
    /// The place on the board, in microseconds since 1970 UTC: by alarm time, clocks that do not run yet last.
    pub fn urgency(&self) -> i64 {
        let due = self.state.due().and_then(|due| i64::try_from(due.alarm_at.unix_timestamp_nanos() / 1000).ok());
        due.unwrap_or(LAST)
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    id: &'a DutyId,
    incident: &'a IncidentId,
    controller: &'a OrganisationId,
    obligation: &'a str,
    debtor: &'a OrganisationId,
    recipient: &'a str,
    state: &'a str,
    start_event: &'a str,
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
    counting_rule: &'a str,
    span: &'a str,
    legal_basis: &'a str,
    agreement: &'a AgreementId,
    agreement_version: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    next_alarm_at: Option<OffsetDateTime>,
}

impl Serialize for Duty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let due = self.state.due();
        let (met_at, late) = match self.state {
            DutyState::Met { met_at, late, .. } => (Some(met_at), late),
            _ => (None, None),
        };
        Wire {
            id: &self.id,
            incident: &self.incident,
            controller: &self.controller,
            obligation: self.obligation.code,
            debtor: &self.debtor,
            recipient: &self.recipient,
            state: self.state.as_str(),
            start_event: self.obligation.start.as_str(),
            start_at: due.map(|due| due.start_at),
            alarm_at: due.map(|due| due.alarm_at),
            legal_due_at: due.and_then(|due| due.legal_due_at),
            internal_target_at: due.and_then(|due| due.internal_target_at),
            met_at,
            late,
            counting_rule: self.terms.rule.as_str(),
            span: self.terms.span.as_str(),
            legal_basis: &self.legal_basis,
            agreement: &self.agreement,
            agreement_version: self.agreement_version,
            next_alarm_at: self.next.map(|(_, at)| at),
        }
        .serialize(serializer)
    }
}
