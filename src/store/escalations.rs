//! The steps of the ladders of notices. A step is a row, and fires once. Decides nothing about what a step does.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use time::OffsetDateTime;

use super::among::among;
use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::escalation;
use crate::domain::id::NoticeId;
use crate::domain::ladder::{End, StepState, Window};
use crate::domain::terms::{Action, Ladder, Ladders};

/// Written out, so that the partial index of what is open applies.
const IS_OPEN: &str = "escalation.state = 'open'";

batch::row! {
    StepRow in "escalation" {
        notice_id: &'a str,
        ladder: &'a str,
        step: i32,
        action: &'a str,
        due_at: i64,
        state: &'a str,
        fired_at: Option<i64>,
        late_ms: Option<i64>,
        outcome: Option<&'a str>,
        begun_at: i64,
        deadline_at: i64,
    }
}

/// A step of one ladder of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The notice.
    pub notice: NoticeId,
    /// Which ladder.
    pub ladder: Ladder,
    /// Counts from 0.
    pub step: i32,
    /// What happens.
    pub action: Action,
    /// When it comes, UTC.
    pub due_at: OffsetDateTime,
    /// Where it stands.
    pub state: StepState,
    /// When it fired, UTC.
    pub fired_at: Option<OffsetDateTime>,
    /// How much later than it came, in milliseconds.
    pub late_ms: Option<i64>,
    /// What came of it, a code.
    pub outcome: Option<String>,
    /// The time that its ladder has.
    pub window: Window,
}

impl Step {
    fn row(&self) -> StepRow<'_> {
        StepRow {
            notice_id: self.notice.as_str(),
            ladder: self.ladder.as_str(),
            step: self.step,
            action: self.action.as_str(),
            due_at: micros(self.due_at),
            state: self.state.as_str(),
            fired_at: self.fired_at.map(micros),
            late_ms: self.late_ms,
            outcome: self.outcome.as_deref(),
            begun_at: micros(self.window.begun),
            deadline_at: micros(self.window.deadline),
        }
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = escalation)]
struct FoundRow {
    notice_id: String,
    ladder: String,
    step: i32,
    action: String,
    due_at: i64,
    state: String,
    fired_at: Option<i64>,
    late_ms: Option<i64>,
    outcome: Option<String>,
    begun_at: i64,
    deadline_at: i64,
}

impl TryFrom<FoundRow> for Step {
    type Error = StoreError;

    fn try_from(row: FoundRow) -> Result<Self, StoreError> {
        let door = Door { table: "escalation", id: &row.notice_id };
        Ok(Self {
            notice: door.parse("notice_id", &row.notice_id)?,
            ladder: Ladder::from_code(&row.ladder).ok_or_else(|| door.corrupt("ladder"))?,
            step: row.step,
            action: Action::from_code(&row.action).ok_or_else(|| door.corrupt("action"))?,
            due_at: door.instant("due_at", row.due_at)?,
            state: StepState::from_code(&row.state).ok_or_else(|| door.corrupt("state"))?,
            fired_at: door.instant_option("fired_at", row.fired_at)?,
            late_ms: row.late_ms,
            window: Window {
                begun: door.instant("begun_at", row.begun_at)?,
                deadline: door.instant("deadline_at", row.deadline_at)?,
            },
            outcome: row.outcome,
        })
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
    /// What is left of the ladder until delivery of the notice before, if that never arrived: it goes on in its place.
    pub rest: Option<Rest>,
}

/// What is left of a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// The time that it has.
    pub window: Window,
    /// The first step that has not come; counts from 0.
    pub step: usize,
}

/// Stores the first step of each ladder of notices.
pub fn begin(connection: &mut AnyConnection, notices: &[FirstSteps<'_>]) -> Result<(), StoreError> {
    let rows: Vec<_> =
        notices.iter().flat_map(|one| Ladder::CODES.iter().filter_map(|(_, ladder)| first(one, *ladder))).collect();
    batch::insert(connection, &rows)?;
    Ok(())
}

/// The first step of one ladder; none where no step is left.
fn first<'a>(one: &FirstSteps<'a>, ladder: Ladder) -> Option<StepRow<'a>> {
    let rest = one.rest.filter(|_| ladder == Ladder::Delivered);
    let begun = Rest { window: Window { begun: one.made, deadline: one.deadline }, step: 0 };
    let Rest { window, step } = rest.unwrap_or(begun);
    let steps = one.ladders.of(ladder);
    let planned = *window.plan(steps).get(step)?;
    let at_once = rest.is_none() && !one.reached && ladder == Ladder::Delivered;
    Some(StepRow {
        notice_id: one.notice.as_str(),
        ladder: ladder.as_str(),
        step: i32::try_from(step).ok()?,
        action: steps.get(step)?.action.as_str(),
        due_at: micros(if at_once { one.made } else { planned }),
        state: StepState::Open.as_str(),
        fired_at: None,
        late_ms: None,
        outcome: None,
        begun_at: micros(window.begun),
        deadline_at: micros(window.deadline),
    })
}

/// The notices with a step that has come at `now`, those that wait longest first, up to `limit` steps.
pub fn due_notices(connection: &mut AnyConnection, now: OffsetDateTime, limit: i64) -> Result<Vec<String>, StoreError> {
    let mut ids: Vec<String> = escalation::table
        .filter(sql::<Bool>(IS_OPEN))
        .filter(escalation::due_at.le(micros(now)))
        .order(escalation::due_at)
        .limit(limit)
        .select(escalation::notice_id)
        .load(connection)?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// The open steps of `notices` that have come at `now`. The caller holds the notices.
pub fn due(connection: &mut AnyConnection, notices: &[String], now: OffsetDateTime) -> Result<Vec<Step>, StoreError> {
    let rows: Vec<FoundRow> = escalation::table
        .filter(among(connection, escalation::notice_id, notices)?)
        .filter(sql::<Bool>(IS_OPEN))
        .filter(escalation::due_at.le(micros(now)))
        .order((escalation::notice_id, escalation::ladder.desc(), escalation::step))
        .select(FoundRow::as_select())
        .load(connection)?;
    rows.into_iter().map(Step::try_from).collect()
}

/// When the next step comes, in microseconds; one look into the index.
pub fn next_due(connection: &mut AnyConnection) -> Result<Option<i64>, StoreError> {
    Ok(escalation::table
        .filter(sql::<Bool>(IS_OPEN))
        .order(escalation::due_at)
        .select(escalation::due_at)
        .first(connection)
        .optional()?)
}

/// Writes steps as they stand now, known ones and new ones. The caller holds their notices.
pub fn write(connection: &mut AnyConnection, steps: &[Step]) -> Result<(), StoreError> {
    let rows: Vec<_> = steps.iter().map(Step::row).collect();
    batch::upsert(connection, &["notice_id", "ladder", "step"], &rows)?;
    Ok(())
}

/// Every step of a notice that is a row, by ladder and step.
pub fn of_notice(connection: &mut AnyConnection, notice: &NoticeId) -> Result<Vec<Step>, StoreError> {
    of_notices(connection, &[notice.as_str()])
}

/// Every step of `notices` that is a row, by ladder and step.
pub fn of_notices(connection: &mut AnyConnection, notices: &[&str]) -> Result<Vec<Step>, StoreError> {
    let rows: Vec<FoundRow> = escalation::table
        .filter(among(connection, escalation::notice_id, notices)?)
        .order((escalation::notice_id, escalation::ladder, escalation::step))
        .select(FoundRow::as_select())
        .load(connection)?;
    rows.into_iter().map(Step::try_from).collect()
}

/// Makes the open step of one ladder due at once, whatever it does.
pub fn hasten_ladder(
    connection: &mut AnyConnection,
    notice: &NoticeId,
    ladder: Ladder,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let later = escalation::table
        .filter(escalation::notice_id.eq(notice.as_str()).and(escalation::ladder.eq(ladder.as_str())))
        .filter(sql::<Bool>(IS_OPEN))
        .filter(escalation::due_at.gt(micros(now)));
    diesel::update(later).set(escalation::due_at.eq(micros(now))).execute(connection)?;
    Ok(())
}

/// Ends `ladders` of a notice: what is open of them is not needed any more.
pub fn end(connection: &mut AnyConnection, notice: &NoticeId, ladders: &[Ladder], end: End) -> Result<(), StoreError> {
    let codes: Vec<&str> = ladders.iter().map(|ladder| ladder.as_str()).collect();
    let open = escalation::table
        .filter(escalation::notice_id.eq(notice.as_str()).and(escalation::ladder.eq_any(codes)))
        .filter(sql::<Bool>(IS_OPEN));
    diesel::update(open)
        .set((escalation::state.eq(StepState::NotNeeded.as_str()), escalation::outcome.eq(end.as_str())))
        .execute(connection)?;
    Ok(())
}
