//! Duties as rows: what stands in the columns, and the fallible way back.

use diesel::prelude::*;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::obligations::Known;
use super::row::{Door, micros};
use super::schema::duty;
use crate::domain::counting::CountingRule;
use crate::domain::duty::{Closing, Due, DutyState, FrozenTerms, Step};
use crate::domain::duty_record::Duty;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = duty)]
pub(super) struct DutyRow {
    pub(super) id: String,
    pub(super) incident_id: String,
    processor_id: String,
    pub(super) party_id: String,
    agreement_id: Option<String>,
    agreement_version: Option<i32>,
    obligation_id: String,
    debtor: String,
    recipient: String,
    state: String,
    span: String,
    counting_rule: String,
    region: String,
    legal_basis: String,
    about: Option<String>,
    owner: Option<String>,
    clock_version: i32,
    start_at: Option<i64>,
    alarm_at: Option<i64>,
    legal_due_at: Option<i64>,
    internal_target_at: Option<i64>,
    met_at: Option<i64>,
    late: Option<bool>,
    closed_at: Option<i64>,
    closed_by: Option<String>,
    closed_reason: Option<String>,
    next_step: i32,
    next_alarm_at: Option<i64>,
}

batch::row! {
    NewDutyRow in "duty" {
        id: &'a str,
        incident_id: &'a str,
        processor_id: &'a str,
        party_id: &'a str,
        agreement_id: Option<&'a str>,
        agreement_version: Option<i32>,
        obligation: &'a str,
        obligation_id: &'a str,
        debtor: &'a str,
        recipient: &'a str,
        state: &'a str,
        is_open: bool,
        span: &'a str,
        counting_rule: &'a str,
        region: &'a str,
        legal_basis: &'a str,
        about: Option<&'a str>,
        owner: Option<&'a str>,
        clock_version: i32,
        start_at: Option<i64>,
        alarm_at: Option<i64>,
        legal_due_at: Option<i64>,
        internal_target_at: Option<i64>,
        met_at: Option<i64>,
        late: Option<bool>,
        closed_at: Option<i64>,
        closed_by: Option<&'a str>,
        closed_reason: Option<&'a str>,
        urgency_at: i64,
        next_step: i32,
        next_alarm_at: Option<i64>,
    }
}

pub(super) fn to_row(duty: &Duty) -> NewDutyRow<'_> {
    let due = duty.state.due();
    let closing = duty.state.closing();
    let met_at = match duty.state {
        DutyState::Met { met_at, .. } => Some(micros(met_at)),
        _ => None,
    };
    NewDutyRow {
        id: duty.id.as_str(),
        incident_id: duty.incident.as_str(),
        processor_id: duty.processor.as_str(),
        party_id: duty.party.as_str(),
        agreement_id: duty.agreement.as_ref().map(|(id, _)| id.as_str()),
        agreement_version: duty.agreement.as_ref().map(|(_, version)| *version),
        obligation: &duty.obligation.code,
        obligation_id: &duty.obligation.id,
        debtor: duty.debtor.as_str(),
        recipient: &duty.recipient,
        state: duty.state.as_str(),
        is_open: duty.state.is_open(),
        span: duty.terms.span.as_str(),
        counting_rule: duty.terms.rule.as_str(),
        region: &duty.terms.region,
        legal_basis: &duty.legal_basis,
        about: duty.about.as_deref(),
        owner: duty.owner.as_deref(),
        clock_version: duty.clock_version,
        start_at: due.map(|due| micros(due.start_at)),
        alarm_at: due.map(|due| micros(due.alarm_at)),
        legal_due_at: due.and_then(|due| due.legal_due_at).map(micros),
        internal_target_at: due.and_then(|due| due.internal_target_at).map(micros),
        met_at,
        late: duty.state.late(),
        closed_at: closing.map(|closing| micros(closing.at)),
        closed_by: closing.map(|closing| closing.by.as_str()),
        closed_reason: closing.map(|closing| closing.reason.as_str()),
        urgency_at: duty.urgency(),
        next_step: duty.next.map_or(-1, |(step, _)| step.index()),
        next_alarm_at: duty.next.map(|(_, at)| micros(at)),
    }
}

/// Duties from their rows, and the words of the catalogue that they were born from with one more statement.
pub(super) fn read(connection: &mut AnyConnection, rows: Vec<DutyRow>) -> Result<Vec<Duty>, StoreError> {
    let known = Known::read(connection, rows.iter().map(|row| row.obligation_id.as_str()))?;
    rows.into_iter().map(|row| duty(row, &known)).collect()
}

fn duty(row: DutyRow, known: &Known) -> Result<Duty, StoreError> {
    let door = Door { table: "duty", id: &row.id };
    let state = state(&row, &door)?;
    let target = state.due().and_then(|due| Some(due.internal_target_at? - due.start_at));
    let next = door.instant_option("next_alarm_at", row.next_alarm_at)?;
    let step = || Step::from_index(row.next_step).ok_or_else(|| door.corrupt("next_step"));
    let next = next.map(|at| step().map(|step| (step, at))).transpose()?;
    let agreement = match (row.agreement_id.as_deref(), row.agreement_version) {
        (Some(id), Some(version)) => Some((door.parse("agreement_id", id)?, version)),
        (None, None) => None,
        _ => return Err(door.corrupt("agreement_version")),
    };
    Ok(Duty {
        state,
        agreement,
        incident: door.parse("incident_id", &row.incident_id)?,
        processor: door.parse("processor_id", &row.processor_id)?,
        party: door.parse("party_id", &row.party_id)?,
        obligation: known.row(&row.obligation_id).ok_or_else(|| door.corrupt("obligation_id"))?,
        debtor: door.parse("debtor", &row.debtor)?,
        terms: FrozenTerms {
            span: door.parse("span", &row.span)?,
            rule: CountingRule::from_code(&row.counting_rule).ok_or_else(|| door.corrupt("counting_rule"))?,
            region: row.region,
            internal_target: target,
        },
        next,
        id: door.parse("id", &row.id)?,
        recipient: row.recipient,
        legal_basis: row.legal_basis,
        about: row.about,
        owner: row.owner,
        clock_version: row.clock_version,
    })
}

/// The state that the nullable columns describe; any other mix of them is corrupt.
fn state(row: &DutyRow, door: &Door<'_>) -> Result<DutyState, StoreError> {
    let due = match (row.start_at, row.alarm_at) {
        (Some(start), Some(alarm)) => Some(Due {
            start_at: door.instant("start_at", start)?,
            alarm_at: door.instant("alarm_at", alarm)?,
            legal_due_at: door.instant_option("legal_due_at", row.legal_due_at)?,
            internal_target_at: door.instant_option("internal_target_at", row.internal_target_at)?,
        }),
        (None, None) => None,
        _ => return Err(door.corrupt("alarm_at")),
    };
    let closing = match (row.closed_at, &row.closed_by, &row.closed_reason) {
        (Some(at), Some(by), Some(reason)) => {
            Some(Closing { at: door.instant("closed_at", at)?, by: by.clone(), reason: reason.clone() })
        }
        (None, None, None) => None,
        _ => return Err(door.corrupt("closed_at")),
    };
    match (row.state.as_str(), due, row.met_at, closing) {
        ("not_started", None, None, None) => Ok(DutyState::NotStarted),
        ("running", Some(due), None, None) => Ok(DutyState::Running(due)),
        ("breached", Some(due), None, None) => Ok(DutyState::Breached(due)),
        ("met", Some(due), Some(met), None) => {
            Ok(DutyState::Met { due, met_at: door.instant("met_at", met)?, late: row.late })
        }
        ("not_required", due, None, Some(closing)) => Ok(DutyState::NotRequired(due, closing)),
        ("cancelled", due, None, Some(closing)) => Ok(DutyState::Cancelled(due, closing)),
        ("lapsed", Some(due), None, None) => Ok(DutyState::Lapsed(due)),
        ("drill", due, None, None) => Ok(DutyState::Drill(due)),
        _ => Err(door.corrupt("state")),
    }
}
