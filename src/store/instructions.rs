//! Instructions of controllers. Columns become the states of the domain here; an impossible mix of them is loud.

use diesel::dsl::exists;
use diesel::prelude::*;
use time::OffsetDateTime;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::notices::is_out;
use super::row::{Door, micros};
use super::schema::{instruction, notice};
use crate::domain::id::{IncidentId, InstructionId, OrganisationId};
use crate::domain::instruction::{
    Confirmation, Instruction, InstructionForm, InstructionKind, InstructionState, Objection,
};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = instruction)]
struct InstructionRow {
    id: String,
    incident_id: String,
    processor_id: String,
    controller_id: String,
    kind: String,
    scope: String,
    form: String,
    given_by: String,
    given_at: i64,
    replaces: Option<String>,
    state: String,
    confirmed_by: Option<String>,
    confirmed_form: Option<String>,
    confirmed_at: Option<i64>,
    objected_by: Option<String>,
    objection_reason: Option<String>,
    objected_at: Option<i64>,
    upheld_by: Option<String>,
    upheld_form: Option<String>,
    upheld_at: Option<i64>,
    replaced_by: Option<String>,
    replaced_at: Option<i64>,
    recorded_by: String,
    recorded_at: i64,
}

batch::row! {
    NewInstructionRow in "instruction" {
        id: &'a str,
        incident_id: &'a str,
        processor_id: &'a str,
        controller_id: &'a str,
        kind: &'a str,
        scope: &'a str,
        form: &'a str,
        given_by: &'a str,
        given_at: i64,
        replaces: Option<&'a str>,
        state: &'a str,
        recorded_by: &'a str,
        recorded_at: i64,
    }
}

/// Stores a new instruction, which nobody has confirmed, objected to or replaced yet.
pub fn insert(connection: &mut AnyConnection, new: &Instruction) -> Result<(), StoreError> {
    let row = NewInstructionRow {
        id: new.id.as_str(),
        incident_id: new.incident.as_str(),
        processor_id: new.processor.as_str(),
        controller_id: new.controller.as_str(),
        kind: new.kind.as_str(),
        scope: &new.scope,
        form: new.form.as_str(),
        given_by: &new.given_by,
        given_at: micros(new.given_at),
        replaces: new.replaces.as_ref().map(InstructionId::as_str),
        state: new.state.as_str(),
        recorded_by: new.recorded_by.as_str(),
        recorded_at: micros(new.recorded_at),
    };
    batch::insert(connection, &[row])?;
    Ok(())
}

/// Stores the state of an instruction that stood at `before`; `false` if somebody else moved it meanwhile.
pub fn advance(
    connection: &mut AnyConnection,
    id: &InstructionId,
    before: &InstructionState,
    after: &InstructionState,
) -> Result<bool, StoreError> {
    let (confirmed, objection, upheld) = (after.confirmed(), after.objection(), after.upheld());
    let changed = diesel::update(instruction::table.find(id.as_str()).filter(instruction::state.eq(before.as_str())))
        .set((
            instruction::state.eq(after.as_str()),
            instruction::confirmed_by.eq(confirmed.map(|one| one.by.as_str())),
            instruction::confirmed_form.eq(confirmed.map(|one| one.form.as_str())),
            instruction::confirmed_at.eq(confirmed.map(|one| micros(one.at))),
            instruction::objected_by.eq(objection.map(|one| one.by.as_str())),
            instruction::objection_reason.eq(objection.map(|one| one.reason.as_str())),
            instruction::objected_at.eq(objection.map(|one| micros(one.at))),
            instruction::upheld_by.eq(upheld.map(|one| one.by.as_str())),
            instruction::upheld_form.eq(upheld.map(|one| one.form.as_str())),
            instruction::upheld_at.eq(upheld.map(|one| micros(one.at))),
            instruction::replaced_by.eq(after.replaced().map(|(by, _)| by.as_str())),
            instruction::replaced_at.eq(after.replaced().map(|(_, at)| micros(at))),
        ))
        .execute(connection)?;
    Ok(changed == 1)
}

type Sieve<'a> = Box<
    dyn BoxableExpression<
            instruction::table,
            <AnyConnection as diesel::Connection>::Backend,
            SqlType = diesel::sql_types::Bool,
        > + 'a,
>;

/// Instructions that `tenant` gave or is bound by; until its controller was told of the incident, the processor alone sees one.
fn readable(tenant: &OrganisationId) -> Sieve<'_> {
    let same =
        notice::incident_id.eq(instruction::incident_id).and(notice::controller_id.eq(instruction::controller_id));
    let told = exists(notice::table.filter(same).filter(is_out()));
    Box::new(instruction::processor_id.eq(tenant.as_str()).or(instruction::controller_id.eq(tenant.as_str()).and(told)))
}

/// The instruction `id`, if `tenant` gave it or is bound by it.
pub fn find(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &InstructionId,
) -> Result<Option<Instruction>, StoreError> {
    let row: Option<InstructionRow> = instruction::table
        .filter(instruction::id.eq(id.as_str()))
        .filter(readable(tenant))
        .select(InstructionRow::as_select())
        .first(connection)
        .optional()?;
    row.map(Instruction::try_from).transpose()
}

/// The instructions of one controller in an incident, oldest first. The caller has checked who may ask.
pub fn of_party(
    connection: &mut AnyConnection,
    incident: &IncidentId,
    controller: &OrganisationId,
) -> Result<Vec<Instruction>, StoreError> {
    let rows: Vec<InstructionRow> = instruction::table
        .filter(instruction::incident_id.eq(incident.as_str()))
        .filter(instruction::controller_id.eq(controller.as_str()))
        .order(instruction::id)
        .select(InstructionRow::as_select())
        .load(connection)?;
    rows.into_iter().map(Instruction::try_from).collect()
}

/// Up to `limit` + 1 instructions in an incident that `tenant` gave or is bound by, oldest first.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    incident: &IncidentId,
    page: &crate::domain::page::PageRequest,
) -> Result<Vec<Instruction>, StoreError> {
    let mut query =
        instruction::table.filter(instruction::incident_id.eq(incident.as_str())).filter(readable(tenant)).into_boxed();
    if let Some(after) = &page.after {
        query = query.filter(instruction::id.gt(after.clone()));
    }
    let rows: Vec<InstructionRow> =
        query.order(instruction::id).limit(page.limit + 1).select(InstructionRow::as_select()).load(connection)?;
    rows.into_iter().map(Instruction::try_from).collect()
}

impl TryFrom<InstructionRow> for Instruction {
    type Error = StoreError;

    fn try_from(row: InstructionRow) -> Result<Self, StoreError> {
        let door = Door { table: "instruction", id: &row.id };
        let form = InstructionForm::from_code(&row.form).ok_or_else(|| door.corrupt("form"))?;
        let state = state(&door, &row, form)?;
        if state.as_str() != row.state {
            return Err(door.corrupt("state"));
        }
        Ok(Self {
            id: door.parse("id", &row.id)?,
            incident: door.parse("incident_id", &row.incident_id)?,
            processor: door.parse("processor_id", &row.processor_id)?,
            controller: door.parse("controller_id", &row.controller_id)?,
            kind: InstructionKind::from_code(&row.kind).ok_or_else(|| door.corrupt("kind"))?,
            given_at: door.instant("given_at", row.given_at)?,
            replaces: row.replaces.as_deref().map(|id| door.parse("replaces", id)).transpose()?,
            recorded_by: door.parse("recorded_by", &row.recorded_by)?,
            recorded_at: door.instant("recorded_at", row.recorded_at)?,
            form,
            scope: row.scope,
            given_by: row.given_by,
            state,
        })
    }
}

fn state(door: &Door<'_>, row: &InstructionRow, form: InstructionForm) -> Result<InstructionState, StoreError> {
    let confirmed = confirmation(door, "confirmed_at", (&row.confirmed_by, &row.confirmed_form, row.confirmed_at))?;
    let upheld = confirmation(door, "upheld_at", (&row.upheld_by, &row.upheld_form, row.upheld_at))?;
    let objection = match (&row.objected_by, &row.objection_reason, row.objected_at) {
        (None, None, None) => None,
        (Some(by), Some(reason), Some(at)) => {
            Some(Objection { by: by.clone(), reason: reason.clone(), at: door.instant("objected_at", at)? })
        }
        _ => return Err(door.corrupt("objected_at")),
    };
    let oral = form == InstructionForm::Oral;
    let standing = match (objection, upheld) {
        (None, None) if oral && confirmed.is_none() => InstructionState::Unconfirmed,
        (None, None) => InstructionState::InForce { confirmed, upheld: None },
        (Some(objection), None) => InstructionState::Suspended { confirmed, objection },
        (Some(objection), Some(answer)) => InstructionState::InForce { confirmed, upheld: Some((objection, answer)) },
        (None, Some(_)) => return Err(door.corrupt("upheld_at")),
    };
    match (&row.replaced_by, row.replaced_at) {
        (None, None) => Ok(standing),
        (Some(by), Some(at)) => Ok(InstructionState::Replaced {
            before: Box::new(standing),
            by: door.parse("replaced_by", by)?,
            at: door.instant("replaced_at", at)?,
        }),
        _ => Err(door.corrupt("replaced_at")),
    }
}

fn confirmation(
    door: &Door<'_>,
    column: &'static str,
    stored: (&Option<String>, &Option<String>, Option<i64>),
) -> Result<Option<Confirmation>, StoreError> {
    let (by, form, at): (_, _, Option<i64>) = stored;
    let at: Option<OffsetDateTime> = door.instant_option(column, at)?;
    match (by, form.as_deref().map(InstructionForm::from_code), at) {
        (None, None, None) => Ok(None),
        (Some(by), Some(Some(form)), Some(at)) => Ok(Some(Confirmation { by: by.clone(), form, at })),
        _ => Err(door.corrupt(column)),
    }
}
