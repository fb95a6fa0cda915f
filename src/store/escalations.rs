//! The steps of the ladders of notices. A step is a row, and fires once. Decides nothing about what a step does.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::micros;
use super::schema_of_delivery::escalation;
use crate::domain::id::NoticeId;
use crate::domain::terms::{Ladder, Ladders};

batch::row! {
    /// A step that will come.
    NewStepRow in "escalation" {
        notice_id: &'a str,
        ladder: &'a str,
        step: i32,
        action: &'a str,
        due_at: i64,
        state: &'a str,
    }
}

/// The ladders of a notice at their beginning.
#[derive(Debug, Clone, Copy)]
pub struct FirstSteps<'a> {
    /// The notice.
    pub notice: &'a NoticeId,
    /// The ladders of its agreement.
    pub ladders: &'a Ladders,
    /// When it left, UTC.
    pub made: OffsetDateTime,
    /// When it must be there, UTC.
    pub deadline: OffsetDateTime,
    /// Whether it was sent anywhere at once; otherwise the first step is due at once.
    pub reached: bool,
}

/// Stores the first step of each ladder of notices, in one statement.
pub fn begin(connection: &mut AnyConnection, notices: &[FirstSteps<'_>]) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(notices.len() * 2);
    for one in notices {
        for (_, ladder) in Ladder::CODES {
            let Some(step) = one.ladders.of(*ladder).first() else { continue };
            let at_once = !one.reached && *ladder == Ladder::Delivered;
            rows.push(NewStepRow {
                notice_id: one.notice.as_str(),
                ladder: ladder.as_str(),
                step: 0,
                action: step.action.as_str(),
                due_at: micros(if at_once { one.made } else { step.due_at(one.made, one.deadline) }),
                state: "open",
            });
        }
    }
    batch::insert(connection, &rows)?;
    Ok(())
}

/// Ends the ladder of a notice whose next step has nothing to do any more; what has fired stays.
pub fn end(connection: &mut AnyConnection, notice: &NoticeId, ladder: Ladder) -> Result<(), StoreError> {
    let open = escalation::table.filter(
        escalation::notice_id
            .eq(notice.as_str())
            .and(escalation::ladder.eq(ladder.as_str()))
            .and(escalation::state.eq("open")),
    );
    diesel::update(open).set(escalation::state.eq("not_needed")).execute(connection)?;
    Ok(())
}
