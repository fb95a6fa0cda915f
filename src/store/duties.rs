//! Duties and their clocks. The timer is part of the row: `next_step` and `next_alarm_at`.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{duty, notice};
use crate::domain::counting::CountingRule;
use crate::domain::duty::{Due, DutyState, FrozenTerms, Step};
use crate::domain::duty_record::Duty;
use crate::domain::id::{IncidentId, OrganisationId};
use crate::domain::obligation::Obligation;
use crate::domain::page::{Page, PageRequest};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = duty)]
struct DutyRow {
    id: String,
    incident_id: String,
    processor_id: String,
    controller_id: String,
    agreement_id: String,
    agreement_version: i32,
    obligation: String,
    debtor: String,
    recipient: String,
    state: String,
    span: String,
    counting_rule: String,
    legal_basis: String,
    start_at: Option<i64>,
    alarm_at: Option<i64>,
    legal_due_at: Option<i64>,
    internal_target_at: Option<i64>,
    met_at: Option<i64>,
    late: Option<bool>,
    next_step: i32,
    next_alarm_at: Option<i64>,
}

batch::row! {
    NewDutyRow in "duty" {
        id: &'a str,
        incident_id: &'a str,
        processor_id: &'a str,
        controller_id: &'a str,
        agreement_id: &'a str,
        agreement_version: i32,
        obligation: &'a str,
        debtor: &'a str,
        recipient: &'a str,
        state: &'a str,
        span: &'a str,
        counting_rule: &'a str,
        legal_basis: &'a str,
        start_event: &'a str,
        start_at: Option<i64>,
        alarm_at: Option<i64>,
        legal_due_at: Option<i64>,
        internal_target_at: Option<i64>,
        met_at: Option<i64>,
        late: Option<bool>,
        urgency_at: i64,
        next_step: i32,
        next_alarm_at: Option<i64>,
    }
}

fn to_row(duty: &Duty) -> NewDutyRow<'_> {
    let due = duty.state.due();
    let (met_at, late) = match duty.state {
        DutyState::Met { met_at, late, .. } => (Some(micros(met_at)), late),
        _ => (None, None),
    };
    NewDutyRow {
        id: duty.id.as_str(),
        incident_id: duty.incident.as_str(),
        processor_id: duty.processor.as_str(),
        controller_id: duty.controller.as_str(),
        agreement_id: duty.agreement.as_str(),
        agreement_version: duty.agreement_version,
        obligation: duty.obligation.code,
        debtor: duty.debtor.as_str(),
        recipient: &duty.recipient,
        state: duty.state.as_str(),
        span: duty.terms.span.as_str(),
        counting_rule: duty.terms.rule.as_str(),
        legal_basis: &duty.legal_basis,
        start_event: duty.obligation.start.as_str(),
        start_at: due.map(|due| micros(due.start_at)),
        alarm_at: due.map(|due| micros(due.alarm_at)),
        legal_due_at: due.and_then(|due| due.legal_due_at).map(micros),
        internal_target_at: due.and_then(|due| due.internal_target_at).map(micros),
        met_at,
        late,
        urgency_at: duty.urgency(),
        next_step: duty.next.map_or(-1, |(step, _)| step.index()),
        next_alarm_at: duty.next.map(|(_, at)| micros(at)),
    }
}

impl TryFrom<DutyRow> for Duty {
    type Error = StoreError;

    fn try_from(row: DutyRow) -> Result<Self, StoreError> {
        let door = Door { table: "duty", id: &row.id };
        let state = state(&row, &door)?;
        let target = state.due().and_then(|due| Some(due.internal_target_at? - due.start_at));
        let next = door.instant_option("next_alarm_at", row.next_alarm_at)?;
        let step = || Step::from_index(row.next_step).ok_or_else(|| door.corrupt("next_step"));
        let next = next.map(|at| step().map(|step| (step, at))).transpose()?;
        Ok(Self {
            state,
            incident: door.parse("incident_id", &row.incident_id)?,
            processor: door.parse("processor_id", &row.processor_id)?,
            controller: door.parse("controller_id", &row.controller_id)?,
            agreement: door.parse("agreement_id", &row.agreement_id)?,
            agreement_version: row.agreement_version,
            obligation: Obligation::from_code(&row.obligation).ok_or_else(|| door.corrupt("obligation"))?,
            debtor: door.parse("debtor", &row.debtor)?,
            terms: FrozenTerms {
                span: door.parse("span", &row.span)?,
                rule: CountingRule::from_code(&row.counting_rule).ok_or_else(|| door.corrupt("counting_rule"))?,
                internal_target: target,
            },
            next,
            id: door.parse("id", &row.id)?,
            recipient: row.recipient,
            legal_basis: row.legal_basis,
        })
    }
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
    match (row.state.as_str(), due, row.met_at) {
        ("not_started", None, None) => Ok(DutyState::NotStarted),
        ("running", Some(due), None) => Ok(DutyState::Running(due)),
        ("breached", Some(due), None) => Ok(DutyState::Breached(due)),
        ("met", Some(due), Some(met)) => {
            Ok(DutyState::Met { due, met_at: door.instant("met_at", met)?, late: row.late })
        }
        _ => Err(door.corrupt("state")),
    }
}

/// Stores new duties in one statement.
pub fn insert(connection: &mut AnyConnection, duties: &[Duty]) -> Result<(), StoreError> {
    let rows: Vec<_> = duties.iter().map(to_row).collect();
    batch::insert(connection, &rows)?;
    Ok(())
}

/// Stores where duties stand now, in one statement.
pub fn update(connection: &mut AnyConnection, duties: &[Duty]) -> Result<(), StoreError> {
    const SET: &[&str] = &[
        "state",
        "start_at",
        "alarm_at",
        "legal_due_at",
        "internal_target_at",
        "met_at",
        "late",
        "urgency_at",
        "next_step",
        "next_alarm_at",
    ];
    let rows: Vec<_> = duties.iter().map(to_row).collect();
    batch::update(connection, "duty", &["id"], SET, &rows)?;
    Ok(())
}

/// Which duties the board shows.
#[derive(Debug, Clone, Default)]
pub struct DutyFilter {
    /// Only in this state; without it all but those met.
    pub state: Option<String>,
    /// Only with an alarm before this time.
    pub due_before: Option<OffsetDateTime>,
    /// Only of this incident, those met included.
    pub incident: Option<IncidentId>,
}

/// The key of a duty on the board.
pub fn key(duty: &Duty) -> String {
    format!("{}:{}", duty.urgency(), duty.id)
}

/// On which side of the duties an organisation stands; one side is served by an index of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Its own incidents.
    Processor,
    /// Incidents that affect it.
    Controller,
    /// Either: a sub-processor is a processor whose controller is a processor.
    Both,
}

/// One page of the board of `tenant`, most urgent first.
pub fn board(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    side: Side,
    filter: &DutyFilter,
    page: &PageRequest,
) -> Result<Page<Duty>, StoreError> {
    let mut query = duty::table.into_boxed();
    let (filed, affected) = (duty::processor_id.eq(tenant.as_str()), duty::controller_id.eq(tenant.as_str()));
    query = match side {
        Side::Processor => query.filter(filed),
        Side::Controller => query.filter(affected),
        Side::Both => query.filter(filed.or(affected)),
    };
    match (&filter.state, &filter.incident) {
        (Some(state), _) if state == "met" => query = query.filter(duty::state.eq("met")),
        // Named beside the wanted state, so that the partial index of the board applies.
        (Some(state), _) => query = query.filter(duty::state.eq(state.clone())).filter(duty::state.ne("met")),
        (None, Some(_)) => {}
        (None, None) => query = query.filter(duty::state.ne("met")),
    }
    if let Some(incident) = &filter.incident {
        query = query.filter(duty::incident_id.eq(incident.as_str().to_owned()));
    }
    if let Some(before) = filter.due_before {
        query = query.filter(duty::urgency_at.lt(micros(before)));
    }
    if let Some((urgency, id)) = page.after.as_deref().and_then(|after| after.split_once(':')) {
        let urgency: i64 = urgency.parse().unwrap_or(i64::MAX);
        let later = duty::urgency_at.gt(urgency).or(duty::urgency_at.eq(urgency).and(duty::id.gt(id.to_owned())));
        query = query.filter(duty::urgency_at.ge(urgency)).filter(later);
    }
    let rows: Vec<DutyRow> = query
        .order((duty::urgency_at, duty::id))
        .limit(page.limit + 1)
        .select(DutyRow::as_select())
        .load(connection)?;
    let duties = rows.into_iter().map(Duty::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut(duties, page.limit, key))
}

/// The duties of one controller in one incident, oldest obligation first; `tenant` is the processor or that controller.
pub fn of_party(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    incident: &IncidentId,
    controller: &OrganisationId,
) -> Result<Vec<Duty>, StoreError> {
    let mine = duty::processor_id.eq(tenant.as_str()).or(duty::controller_id.eq(tenant.as_str()));
    let rows: Vec<DutyRow> = duty::table
        .filter(duty::incident_id.eq(incident.as_str()).and(duty::controller_id.eq(controller.as_str())))
        .filter(mine)
        .order(duty::urgency_at)
        .select(DutyRow::as_select())
        .load(connection)?;
    rows.into_iter().map(Duty::try_from).collect()
}

/// The duties that the notices `ids` bear on, for the service's own bookkeeping.
pub fn of_notices(connection: &mut AnyConnection, ids: &[&str]) -> Result<Vec<(String, Duty)>, StoreError> {
    let rows: Vec<(String, DutyRow)> = duty::table
        .inner_join(
            notice::table
                .on(notice::incident_id.eq(duty::incident_id).and(notice::controller_id.eq(duty::controller_id))),
        )
        .filter(notice::id.eq_any(ids))
        .select((notice::id, DutyRow::as_select()))
        .load(connection)?;
    rows.into_iter().map(|(notice, row)| Ok((notice, Duty::try_from(row)?))).collect()
}

/// Up to `limit` duties whose next alarm has come at `now`, the oldest first, for the service's own clock.
pub fn alarmed(connection: &mut AnyConnection, now: OffsetDateTime, limit: i64) -> Result<Vec<Duty>, StoreError> {
    let due = duty::next_alarm_at.le(micros(now));
    let rows: Vec<DutyRow> = match connection {
        AnyConnection::Sqlite(inner) => {
            duty::table.filter(due).order(duty::next_alarm_at).limit(limit).select(DutyRow::as_select()).load(inner)?
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => duty::table
            .filter(due)
            .order(duty::next_alarm_at)
            .limit(limit)
            .select(DutyRow::as_select())
            .for_update()
            .skip_locked()
            .load(inner)?,
    };
    rows.into_iter().map(Duty::try_from).collect()
}

/// When the next alarm of any duty comes.
pub fn next_alarm(connection: &mut AnyConnection) -> Result<Option<i64>, StoreError> {
    Ok(duty::table
        .filter(duty::next_alarm_at.is_not_null())
        .select(diesel::dsl::min(duty::next_alarm_at))
        .first(connection)?)
}

/// The duties `ids`, for rendering events about them.
pub fn by_ids(connection: &mut AnyConnection, ids: &[&str]) -> Result<Vec<Duty>, StoreError> {
    let rows: Vec<DutyRow> = duty::table.filter(duty::id.eq_any(ids)).select(DutyRow::as_select()).load(connection)?;
    rows.into_iter().map(Duty::try_from).collect()
}

/// How many duties stand in each state but `met`.
pub fn count_by_state(connection: &mut AnyConnection) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(duty::table
        .filter(duty::state.ne("met"))
        .group_by(duty::state)
        .select((duty::state, diesel::dsl::count_star()))
        .load(connection)?)
}
