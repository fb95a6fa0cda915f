//! Duties and their clocks. The timer is part of the row: `next_step` and `next_alarm_at`.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::obligations::Known;
use super::row::{Door, micros};
use super::schema::{duty, duty_clock, notice};
use crate::domain::counting::CountingRule;
use crate::domain::duty::{Closing, Due, DutyState, FrozenTerms, Step};
use crate::domain::duty_record::{Duty, EarlierClock};
use crate::domain::id::{DutyId, IncidentId, OrganisationId};
use crate::domain::page::{Page, PageRequest};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = duty)]
struct DutyRow {
    id: String,
    incident_id: String,
    processor_id: String,
    party_id: String,
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

batch::row! {
    ClockRow in "duty_clock" {
        duty_id: &'a str,
        version: i32,
        start_at: i64,
        alarm_at: i64,
        legal_due_at: Option<i64>,
        replaced_at: i64,
        replaced_by: &'a str,
        reason: &'a str,
    }
}

fn to_row(duty: &Duty) -> NewDutyRow<'_> {
    let due = duty.state.due();
    let closing = duty.state.closing();
    let (met_at, late) = match duty.state {
        DutyState::Met { met_at, late, .. } => (Some(micros(met_at)), late),
        _ => (None, None),
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
        late,
        closed_at: closing.map(|closing| micros(closing.at)),
        closed_by: closing.map(|closing| closing.by.as_str()),
        closed_reason: closing.map(|closing| closing.reason.as_str()),
        urgency_at: duty.urgency(),
        next_step: duty.next.map_or(-1, |(step, _)| step.index()),
        next_alarm_at: duty.next.map(|(_, at)| micros(at)),
    }
}

/// Loads rows and keeps them locked until the transaction ends; the one writer of the embedded database needs no lock.
macro_rules! load_locked {
    ($connection:expr, $query:expr) => {
        match $connection {
            AnyConnection::Sqlite(inner) => $query.load::<DutyRow>(inner)?,
            #[cfg(feature = "postgres")]
            AnyConnection::Postgres(inner) => $query.for_update().load::<DutyRow>(inner)?,
        }
    };
}

/// Duties from their rows, and the words of the catalogue that they were born from with one more statement.
fn read(connection: &mut AnyConnection, rows: Vec<DutyRow>) -> Result<Vec<Duty>, StoreError> {
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
        "is_open",
        "clock_version",
        "start_at",
        "alarm_at",
        "legal_due_at",
        "internal_target_at",
        "met_at",
        "late",
        "closed_at",
        "closed_by",
        "closed_reason",
        "urgency_at",
        "next_step",
        "next_alarm_at",
    ];
    let rows: Vec<_> = duties.iter().map(to_row).collect();
    batch::update(connection, "duty", &["id"], SET, &rows)?;
    Ok(())
}

/// The states of the partial indexes of the board.
const OPEN: [&str; 3] = ["not_started", "running", "breached"];

/// Which duties the board shows.
#[derive(Debug, Clone, Default)]
pub struct DutyFilter {
    /// Only in this state; without it all that are open.
    pub state: Option<String>,
    /// Only with an alarm before this time.
    pub due_before: Option<OffsetDateTime>,
    /// Only of this incident, closed ones included.
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
    let (filed, affected) = (duty::processor_id.eq(tenant.as_str()), duty::party_id.eq(tenant.as_str()));
    query = match side {
        Side::Processor => query.filter(filed),
        Side::Controller => query.filter(affected),
        Side::Both => query.filter(filed.or(affected)),
    };
    match (&filter.state, &filter.incident) {
        // Named beside the wanted state, so that the partial index of the board applies.
        (Some(state), _) if OPEN.contains(&state.as_str()) => {
            query = query.filter(duty::state.eq(state.clone())).filter(duty::is_open);
        }
        (Some(state), _) => query = query.filter(duty::state.eq(state.clone())),
        (None, Some(_)) => {}
        (None, None) => query = query.filter(duty::is_open),
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
    Ok(Page::cut(read(connection, rows)?, page.limit, key))
}

/// The duties of one party in one incident, most urgent first; `tenant` is the processor or that party.
pub fn of_party(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    incident: &IncidentId,
    party: &OrganisationId,
) -> Result<Vec<Duty>, StoreError> {
    let mine = duty::processor_id.eq(tenant.as_str()).or(duty::party_id.eq(tenant.as_str()));
    let rows: Vec<DutyRow> = duty::table
        .filter(duty::incident_id.eq(incident.as_str()).and(duty::party_id.eq(party.as_str())))
        .filter(mine)
        .order((duty::urgency_at, duty::id))
        .select(DutyRow::as_select())
        .load(connection)?;
    read(connection, rows)
}

/// The duty `id`, if `tenant` is the processor of its incident or the party that it concerns.
pub fn find(connection: &mut AnyConnection, tenant: &OrganisationId, id: &DutyId) -> Result<Option<Duty>, StoreError> {
    let mine = duty::processor_id.eq(tenant.as_str()).or(duty::party_id.eq(tenant.as_str()));
    let row: Option<DutyRow> =
        duty::table.find(id.as_str()).filter(mine).select(DutyRow::as_select()).first(connection).optional()?;
    Ok(read(connection, row.into_iter().collect())?.pop())
}

/// The duties of these parties in one incident, locked until the transaction ends, for the service's own bookkeeping.
pub fn of_parties(
    connection: &mut AnyConnection,
    incident: &IncidentId,
    parties: &[&str],
) -> Result<Vec<Duty>, StoreError> {
    let rows = load_locked!(
        connection,
        duty::table
            .filter(duty::incident_id.eq(incident.as_str()).and(duty::party_id.eq_any(parties)))
            .order(duty::id)
            .select(DutyRow::as_select())
    );
    read(connection, rows)
}

/// All duties of one incident, locked until the transaction ends, for the service's own bookkeeping.
pub fn of_incident(connection: &mut AnyConnection, incident: &IncidentId) -> Result<Vec<Duty>, StoreError> {
    let of_it = duty::incident_id.eq(incident.as_str());
    let rows = load_locked!(connection, duty::table.filter(of_it).order(duty::id).select(DutyRow::as_select()));
    read(connection, rows)
}

/// The duties that the notices `ids` bear on, with those notices locked until the transaction ends, for the service's own
/// bookkeeping.
pub fn of_notices(connection: &mut AnyConnection, ids: &[&str]) -> Result<Vec<Duty>, StoreError> {
    let concerned = notice::incident_id.eq(duty::incident_id).and(notice::controller_id.eq(duty::party_id));
    let rows = load_locked!(
        connection,
        duty::table
            .inner_join(notice::table.on(concerned))
            .filter(notice::id.eq_any(ids))
            .order(duty::id)
            .select(DutyRow::as_select())
    );
    read(connection, rows)
}

/// The same without a lock, for what only reads them.
pub fn of_notices_unlocked(connection: &mut AnyConnection, ids: &[&str]) -> Result<Vec<Duty>, StoreError> {
    let concerned = notice::incident_id.eq(duty::incident_id).and(notice::controller_id.eq(duty::party_id));
    let rows: Vec<DutyRow> = duty::table
        .inner_join(notice::table.on(concerned))
        .filter(notice::id.eq_any(ids))
        .select(DutyRow::as_select())
        .load(connection)?;
    read(connection, rows)
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
    read(connection, rows)
}

/// Keeps clocks that duties had before, in one statement.
pub fn keep_clocks(connection: &mut AnyConnection, clocks: &[(DutyId, EarlierClock)]) -> Result<(), StoreError> {
    let row = |(duty, clock)| {
        let (duty, clock): (&DutyId, &EarlierClock) = (duty, clock);
        ClockRow {
            duty_id: duty.as_str(),
            version: clock.version,
            start_at: micros(clock.start_at),
            alarm_at: micros(clock.alarm_at),
            legal_due_at: clock.legal_due_at.map(micros),
            replaced_at: micros(clock.replaced_at),
            replaced_by: &clock.replaced_by,
            reason: &clock.reason,
        }
    };
    let rows: Vec<_> = clocks.iter().map(|(duty, clock)| row((duty, clock))).collect();
    batch::insert(connection, &rows)?;
    Ok(())
}

/// The clocks that a duty had before its present one, oldest first.
pub fn clocks(connection: &mut AnyConnection, id: &DutyId) -> Result<Vec<EarlierClock>, StoreError> {
    type Kept = (i32, i64, i64, Option<i64>, i64, String, String);
    let rows: Vec<Kept> = duty_clock::table
        .filter(duty_clock::duty_id.eq(id.as_str()))
        .order(duty_clock::version)
        .select((
            duty_clock::version,
            duty_clock::start_at,
            duty_clock::alarm_at,
            duty_clock::legal_due_at,
            duty_clock::replaced_at,
            duty_clock::replaced_by,
            duty_clock::reason,
        ))
        .load(connection)?;
    let door = Door { table: "duty_clock", id: id.as_str() };
    rows.into_iter()
        .map(|(version, start, alarm, legal, replaced, replaced_by, reason)| {
            Ok(EarlierClock {
                version,
                start_at: door.instant("start_at", start)?,
                alarm_at: door.instant("alarm_at", alarm)?,
                legal_due_at: door.instant_option("legal_due_at", legal)?,
                replaced_at: door.instant("replaced_at", replaced)?,
                replaced_by,
                reason,
            })
        })
        .collect()
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
    read(connection, rows)
}

/// How many open duties stand in each state.
pub fn count_by_state(connection: &mut AnyConnection) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(duty::table
        .filter(duty::is_open)
        .group_by(duty::state)
        .select((duty::state, diesel::dsl::count_star()))
        .load(connection)?)
}
