//! Notices as their ladders see them: where they stand, and the terms under which they were made.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use time::OffsetDateTime;

use super::among::among;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::parties::{self, InForce};
use super::row::Door;
use super::schema::{incident, notice};
use crate::domain::event::EventType;
use crate::domain::id::{IncidentId, NoticeId, OrganisationId};
use crate::domain::ladder::Standing;
use crate::domain::receipt::DisputeReason;

/// A notice as its ladders see it.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The notice.
    pub notice: NoticeId,
    /// Its incident.
    pub incident: IncidentId,
    /// Who tells.
    pub processor: OrganisationId,
    /// What tells it.
    pub event: EventType,
    /// Whether it belongs to a drill.
    pub drill: bool,
    /// When it was made, UTC.
    pub created_at: OffsetDateTime,
    /// Until when it is tried densely, UTC.
    pub deadline_at: OffsetDateTime,
    /// When it arrived, UTC.
    pub delivered_at: Option<OffsetDateTime>,
    /// When and why its controller has disputed it, UTC.
    pub dispute: Option<(OffsetDateTime, DisputeReason)>,
    /// Where it stands.
    pub standing: Standing,
    /// The agreement under which it was made, in the version of that time.
    pub agreement: InForce,
}

/// Holds those of `notices` that nobody else is at until the transaction ends; answers them.
pub fn hold(connection: &mut AnyConnection, notices: Vec<String>) -> Result<Vec<String>, StoreError> {
    match connection {
        // The one writer holds everything.
        AnyConnection::Sqlite(_) => Ok(notices),
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => {
            let wanted = notice::table.filter(notice::id.eq_any(&notices)).order(notice::id).select(notice::id);
            Ok(wanted.for_update().skip_locked().load(inner)?)
        }
    }
}

/// A later notice to the same controller has left the house.
pub(super) const SUPERSEDED: &str = "EXISTS (SELECT 1 FROM notice AS later JOIN incident_version AS its \
     ON its.incident_id = later.incident_id AND its.version = later.incident_version \
     WHERE later.incident_id = notice.incident_id AND later.controller_id = notice.controller_id \
     AND later.sequence > notice.sequence AND its.release_state <> 'awaited')";

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = notice)]
struct WatchedRow {
    id: String,
    incident_id: String,
    processor_id: String,
    type_: String,
    drill: bool,
    created_at: i64,
    deadline_at: i64,
    delivered_at: Option<i64>,
    acknowledged_at: Option<i64>,
    disputed_at: Option<i64>,
    dispute_reason: Option<String>,
}

/// The notices `ids`, in no order.
pub fn of(connection: &mut AnyConnection, ids: &[String]) -> Result<Vec<Watched>, StoreError> {
    let rows: Vec<(WatchedRow, bool, bool)> = notice::table
        .inner_join(incident::table.on(incident::id.eq(notice::incident_id)))
        .filter(among(connection, notice::id, ids)?)
        .select((WatchedRow::as_select(), incident::withdrawn_at.is_not_null(), sql::<Bool>(SUPERSEDED)))
        .load(connection)?;
    let mut agreements = parties::of_notices(connection, ids)?;
    let watched = rows.into_iter().map(|(row, is_withdrawn, superseded)| {
        let door = Door { table: "notice", id: &row.id };
        let event = EventType::from_code(&row.type_).ok_or_else(|| door.corrupt("type"))?;
        let reason = |code: &str| DisputeReason::from_code(code).ok_or_else(|| door.corrupt("dispute_reason"));
        let reason = row.dispute_reason.as_deref().map(reason).transpose()?;
        Ok(Watched {
            notice: door.parse("id", &row.id)?,
            incident: door.parse("incident_id", &row.incident_id)?,
            processor: door.parse("processor_id", &row.processor_id)?,
            event,
            drill: row.drill,
            created_at: door.instant("created_at", row.created_at)?,
            deadline_at: door.instant("deadline_at", row.deadline_at)?,
            delivered_at: door.instant_option("delivered_at", row.delivered_at)?,
            dispute: door.instant_option("disputed_at", row.disputed_at)?.zip(reason),
            standing: Standing {
                delivered: row.delivered_at.is_some(),
                acknowledged: row.acknowledged_at.is_some(),
                disputed: reason == Some(DisputeReason::NotOurs),
                superseded,
                withdrawn: is_withdrawn && event != EventType::NoticeWithdrawal,
            },
            agreement: agreements.remove(&row.id).ok_or_else(|| door.corrupt("agreement_version"))?,
        })
    });
    watched.collect()
}

/// The notices of one version of an incident, drills left out.
pub fn of_version(
    connection: &mut AnyConnection,
    incident: &IncidentId,
    version: i32,
) -> Result<Vec<Watched>, StoreError> {
    let ids: Vec<String> = notice::table
        .filter(notice::incident_id.eq(incident.as_str()).and(notice::incident_version.eq(version)))
        .filter(notice::drill.eq(false))
        .select(notice::id)
        .load(connection)?;
    of(connection, &ids)
}
