//! Tasks for persons and what came of them. Results are only added.

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use time::OffsetDateTime;

use super::among::among;
use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{escalation, notice, task, task_result};
use crate::domain::actor::Actor;
use crate::domain::id::{IncidentId, NoticeId, OrganisationId, TaskId};
use crate::domain::ladder::StepOutcome;
use crate::domain::page::{Page, PageRequest};
use crate::domain::task::{Means, Task, TaskOutcome, TaskResult, TaskState};
use crate::domain::terms::Ladder;

batch::row! {
    NewTaskRow in "task" {
        id: &'a str,
        notice_id: &'a str,
        ladder: &'a str,
        step: Option<i32>,
        processor_id: &'a str,
        controller_id: &'a str,
        means: &'a str,
        role: &'a str,
        address: &'a str,
        state: &'a str,
        due_at: i64,
        created_at: i64,
    }
}

/// A task as it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// The notice that has to get through.
    pub notice: NoticeId,
    /// The ladder that asks for it.
    pub ladder: Ladder,
    /// Its step, from 0; none where a dispute asks for it.
    pub step: Option<i32>,
    /// Whose task it is.
    pub processor: OrganisationId,
    /// Who has to be told.
    pub controller: OrganisationId,
    /// How.
    pub means: Means,
    /// What the person to be reached is; empty where nobody is named.
    pub role: String,
    /// How to reach it; empty where that has to be found out.
    pub address: String,
    /// When it should be done, UTC.
    pub due_at: OffsetDateTime,
}

/// Stores tasks.
pub fn insert(connection: &mut AnyConnection, new: &[NewTask], now: OffsetDateTime) -> Result<(), StoreError> {
    let row = |new| {
        let NewTask { id, notice, ladder, step, processor, controller, .. }: &NewTask = new;
        let NewTask { means, role, address, due_at, .. } = new;
        NewTaskRow {
            id: id.as_str(),
            notice_id: notice.as_str(),
            ladder: ladder.as_str(),
            step: *step,
            processor_id: processor.as_str(),
            controller_id: controller.as_str(),
            means: means.as_str(),
            role,
            address,
            state: TaskState::Open.as_str(),
            due_at: micros(*due_at),
            created_at: micros(now),
        }
    };
    let rows: Vec<_> = new.iter().map(row).collect();
    batch::insert(connection, &rows)?;
    Ok(())
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = task)]
struct TaskRow {
    id: String,
    notice_id: String,
    ladder: String,
    step: Option<i32>,
    controller_id: String,
    means: String,
    role: String,
    address: String,
    state: String,
    due_at: i64,
    created_at: i64,
    closed_at: Option<i64>,
}

fn read((row, incident): (TaskRow, String)) -> Result<Task, StoreError> {
    let door = Door { table: "task", id: &row.id };
    let known = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Task {
        id: door.parse("id", &row.id)?,
        notice: door.parse("notice_id", &row.notice_id)?,
        incident: door.parse("incident_id", &incident)?,
        controller: door.parse("controller_id", &row.controller_id)?,
        ladder: Ladder::from_code(&row.ladder).ok_or_else(|| door.corrupt("ladder"))?,
        step: row.step.map(|step| step + 1),
        means: Means::from_code(&row.means).ok_or_else(|| door.corrupt("means"))?,
        state: TaskState::from_code(&row.state).ok_or_else(|| door.corrupt("state"))?,
        due_at: door.instant("due_at", row.due_at)?,
        created_at: door.instant("created_at", row.created_at)?,
        closed_at: door.instant_option("closed_at", row.closed_at)?,
        role: known(row.role),
        address: known(row.address),
    })
}

/// Which tasks a list shows.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Only those that stand there.
    pub state: Option<TaskState>,
    /// Only of this incident.
    pub incident: Option<IncidentId>,
}

/// One page of the tasks of the processor `tenant`, those that are due first at the top.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    filter: &TaskFilter,
    page: &PageRequest,
) -> Result<Page<Task>, StoreError> {
    let mut query = task::table
        .inner_join(notice::table.on(notice::id.eq(task::notice_id)))
        .filter(task::processor_id.eq(tenant.as_str()))
        .into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(task::state.eq(state.as_str()));
    }
    if let Some(incident) = &filter.incident {
        query = query.filter(notice::incident_id.eq(incident.as_str()));
    }
    if let Some((due, id)) = page.after.as_deref().and_then(|after| after.split_once(':')) {
        let due: i64 = due.parse().unwrap_or(i64::MAX);
        query = query.filter(task::due_at.gt(due).or(task::due_at.eq(due).and(task::id.gt(id.to_owned()))));
    }
    let rows: Vec<(TaskRow, String)> = query
        .order((task::due_at, task::id))
        .limit(page.limit + 1)
        .select((TaskRow::as_select(), notice::incident_id))
        .load(connection)?;
    let tasks = rows.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page::cut(tasks, page.limit, |task: &Task| format!("{}:{}", micros(task.due_at), task.id)))
}

/// The task `id`, if it is one of the processor `tenant`.
pub fn find(connection: &mut AnyConnection, tenant: &OrganisationId, id: &TaskId) -> Result<Option<Task>, StoreError> {
    let row: Option<(TaskRow, String)> = task::table
        .inner_join(notice::table.on(notice::id.eq(task::notice_id)))
        .filter(task::id.eq(id.as_str()).and(task::processor_id.eq(tenant.as_str())))
        .select((TaskRow::as_select(), notice::incident_id))
        .first(connection)
        .optional()?;
    row.map(read).transpose()
}

/// A task that a notice has, as far as its ladders ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The notice.
    pub notice: String,
    /// How.
    pub means: Means,
    /// Whether it is still to be done.
    pub is_open: bool,
}

/// The tasks of `notices`. For the service's own bookkeeping.
pub fn of_notices(connection: &mut AnyConnection, notices: &[String]) -> Result<Vec<Known>, StoreError> {
    let rows: Vec<(String, String, String, String)> = task::table
        .filter(among(connection, task::notice_id, notices)?)
        .select((task::id, task::notice_id, task::means, task::state))
        .load(connection)?;
    let known = rows.into_iter().map(|(id, notice, means, state)| {
        let means = Means::from_code(&means).ok_or_else(|| Door { table: "task", id: &id }.corrupt("means"))?;
        Ok(Known { notice, means, is_open: state == TaskState::Open.as_str() })
    });
    known.collect()
}

/// The tasks of `notices` that are still to be done, oldest first.
pub fn open_of(connection: &mut AnyConnection, notices: &[&str]) -> Result<Vec<Task>, StoreError> {
    let rows: Vec<(TaskRow, String)> = task::table
        .inner_join(notice::table.on(notice::id.eq(task::notice_id)))
        .filter(among(connection, task::notice_id, notices)?)
        .filter(task::state.eq(TaskState::Open.as_str()))
        .order(task::id)
        .select((TaskRow::as_select(), notice::incident_id))
        .load(connection)?;
    rows.into_iter().map(read).collect()
}

/// Closes what `ladders` of `notices` have asked for and nobody has done: those ladders are over.
///
/// A task that a step of another ladder found open, and so made none itself, stays, and so does what a dispute asks for.
pub fn close(
    connection: &mut AnyConnection,
    notices: &[&str],
    ladders: &[Ladder],
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    if notices.is_empty() {
        return Ok(());
    }
    let codes: Vec<&str> = ladders.iter().map(|ladder| ladder.as_str()).collect();
    let relied_on = escalation::table
        .filter(escalation::notice_id.eq(task::notice_id).and(escalation::ladder.ne_all(codes.clone())))
        .filter(escalation::action.eq(task::means).and(escalation::outcome.eq(StepOutcome::TaskOpen.as_str())));
    let open = task::table
        .filter(among(connection, task::notice_id, notices)?)
        .filter(task::state.eq(TaskState::Open.as_str()).and(task::step.is_not_null()))
        .filter(task::ladder.eq_any(codes))
        .filter(not(exists(relied_on)));
    diesel::update(open)
        .set((task::state.eq(TaskState::Closed.as_str()), task::closed_at.eq(micros(now))))
        .execute(connection)?;
    Ok(())
}

/// Ends one open task.
pub fn finish(
    connection: &mut AnyConnection,
    id: &TaskId,
    state: TaskState,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    diesel::update(task::table.find(id.as_str()))
        .set((task::state.eq(state.as_str()), task::closed_at.eq(micros(now))))
        .execute(connection)?;
    Ok(())
}

batch::row! {
    NewResultRow in "task_result" {
        task_id: &'a str,
        number: i32,
        outcome: &'a str,
        at: i64,
        by_name: &'a str,
        spoke_to: Option<&'a str>,
        note: Option<&'a str>,
        recorded_at: i64,
        recorded_by: &'a str,
    }
}

/// Adds a result to a task; answers its number. The caller holds the notice.
pub fn add_result(
    connection: &mut AnyConnection,
    id: &TaskId,
    result: &TaskResult,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<i32, StoreError> {
    let last: Option<i32> = task_result::table
        .filter(task_result::task_id.eq(id.as_str()))
        .select(diesel::dsl::max(task_result::number))
        .first(connection)?;
    let number = last.unwrap_or(0) + 1;
    let row = NewResultRow {
        task_id: id.as_str(),
        number,
        outcome: result.outcome.as_str(),
        at: micros(result.at),
        by_name: &result.by,
        spoke_to: result.spoke_to.as_deref(),
        note: result.note.as_deref(),
        recorded_at: micros(now),
        recorded_by: &actor.subject,
    };
    batch::insert(connection, &[row])?;
    Ok(number)
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = task_result)]
struct ResultRow {
    outcome: String,
    at: i64,
    by_name: String,
    spoke_to: Option<String>,
    note: Option<String>,
}

/// What came of a task so far, oldest first. The caller has checked who may ask.
pub fn results(connection: &mut AnyConnection, id: &TaskId) -> Result<Vec<TaskResult>, StoreError> {
    let rows: Vec<ResultRow> = task_result::table
        .filter(task_result::task_id.eq(id.as_str()))
        .order(task_result::number)
        .select(ResultRow::as_select())
        .load(connection)?;
    let door = Door { table: "task_result", id: id.as_str() };
    let results = rows.into_iter().map(|row| {
        Ok(TaskResult {
            outcome: TaskOutcome::from_code(&row.outcome).ok_or_else(|| door.corrupt("outcome"))?,
            at: door.instant("at", row.at)?,
            by: row.by_name,
            spoke_to: row.spoke_to,
            note: row.note,
        })
    });
    results.collect()
}
