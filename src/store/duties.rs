//! Duties and their clocks. The timer is part of the row: `next_step` and `next_alarm_at`.

use std::collections::{BTreeSet, HashSet};

use diesel::prelude::*;
use time::OffsetDateTime;

use super::among::{Among, among};
use super::batch;
use super::connection::AnyConnection;
use super::duty_rows::{DutyRow, read, to_row};
use super::error::StoreError;
use super::notices::is_out;
use super::row::{Door, micros};
use super::schema::{duty, duty_clock, notice};
use crate::domain::catalogue::Recipient;
use crate::domain::duty_record::{Duty, EarlierClock};
use crate::domain::id::{DutyId, IncidentId, OrganisationId};
use crate::domain::page::{Page, PageRequest};

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

/// Of how many duties the rows lie in memory beside them while they are stored.
const PART: usize = 4096;

/// Stores new duties.
pub fn insert(connection: &mut AnyConnection, duties: &[Duty]) -> Result<(), StoreError> {
    for part in duties.chunks(PART) {
        let rows: Vec<_> = part.iter().map(to_row).collect();
        batch::insert(connection, &rows)?;
    }
    Ok(())
}

/// Stores where duties stand now.
pub fn update(connection: &mut AnyConnection, duties: &[Duty]) -> Result<(), StoreError> {
    const SET: &[&str] = &[
        "state",
        "owner",
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
    batch::update(connection, &["id"], SET, &rows)?;
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

/// Duties of the share that `tenant` has as a controller, once a notice has left the house: before, it learns of none.
#[diesel::dsl::auto_type(no_type_alias)]
fn concerns<'t>(tenant: &'t OrganisationId) -> _ {
    let tenant: &'t str = tenant.as_str();
    let told = notice::table
        .filter(notice::incident_id.eq(duty::incident_id).and(notice::controller_id.eq(duty::party_id)))
        .filter(is_out());
    duty::party_id.eq(tenant).and(diesel::dsl::exists(told))
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
    let (filed, affected) = (duty::processor_id.eq(tenant.as_str()), concerns(tenant));
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
    let mine = duty::processor_id.eq(tenant.as_str()).or(concerns(tenant));
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

/// The share of one controller in one incident.
pub type Part<'a> = (&'a IncidentId, &'a OrganisationId);

/// The duties of `parts`, locked until the transaction ends, for the service's own bookkeeping.
pub fn of_parts(connection: &mut AnyConnection, parts: &[Part<'_>]) -> Result<Vec<Duty>, StoreError> {
    let wanted = of_either(connection, parts)?;
    let rows = load_locked!(connection, wanted.order(duty::id).select(DutyRow::as_select()));
    read(connection, own(rows, parts))
}

/// Those of them that are open although their limit by law or contract has passed at `now`, without a lock, for what only reads them.
pub fn past_limit(
    connection: &mut AnyConnection,
    parts: &[Part<'_>],
    now: OffsetDateTime,
) -> Result<Vec<Duty>, StoreError> {
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let late = duty::is_open.and(duty::legal_due_at.le(micros(now)));
    let late = of_either(connection, parts)?.filter(late).order(duty::id).select(DutyRow::as_select());
    let rows = late.load(connection)?;
    read(connection, own(rows, parts))
}

/// Those of them that are owed to an authority, without a lock, for what only reads them.
pub fn to_authorities(connection: &mut AnyConnection, parts: &[Part<'_>]) -> Result<Vec<Duty>, StoreError> {
    let owed = duty::is_open.and(duty::recipient.eq(Recipient::SupervisoryAuthority.as_str()));
    let owed = of_either(connection, parts)?.filter(owed).order(duty::id).select(DutyRow::as_select());
    let rows = owed.load(connection)?;
    read(connection, own(rows, parts))
}

/// Duties of some incidents and of some parties.
type OfEither = diesel::dsl::Filter<duty::table, diesel::dsl::And<Among<duty::incident_id>, Among<duty::party_id>>>;

/// The duties of `parts`, and those of the same parties in others of the same incidents.
///
/// Not by a join with the notices: a server that has planned while its tables were empty would begin with the duties, and read them
/// all for each batch of the first great filing.
fn of_either(connection: &AnyConnection, parts: &[Part<'_>]) -> Result<OfEither, StoreError> {
    let (incidents, parties): (BTreeSet<&str>, BTreeSet<&str>) =
        parts.iter().map(|(incident, party)| (incident.as_str(), party.as_str())).unzip();
    let incidents = among(connection, duty::incident_id, &Vec::from_iter(incidents))?;
    let parties = among(connection, duty::party_id, &Vec::from_iter(parties))?;
    Ok(duty::table.filter(incidents.and(parties)))
}

/// Without those of others.
fn own(mut rows: Vec<DutyRow>, parts: &[Part<'_>]) -> Vec<DutyRow> {
    let parts: HashSet<(&str, &str)> =
        parts.iter().map(|(incident, party)| (incident.as_str(), party.as_str())).collect();
    rows.retain(|row| parts.contains(&(row.incident_id.as_str(), row.party_id.as_str())));
    rows
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

/// Keeps clocks that duties had before.
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
