//! What was filed with authorities or told to the persons, and the answer to it.

use diesel::dsl::exists;
use diesel::prelude::*;

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::notices::is_out;
use super::row::{Door, micros};
use super::schema::{authority_filing, notice};
use crate::domain::authority_filing::{AuthorityAnswer, AuthorityFiling};
use crate::domain::id::{DutyId, FilingId, IncidentId, InstructionId, OrganisationId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::vocabulary::Stage;

batch::row! {
    NewFilingRow in "authority_filing" {
        id: &'a str,
        incident_id: &'a str,
        processor_id: &'a str,
        controller_id: &'a str,
        duty_id: &'a str,
        obligation: &'a str,
        authority: Option<&'a str>,
        stage: &'a str,
        filed_at: i64,
        by_name: &'a str,
        reference: Option<&'a str>,
        late: Option<bool>,
        delay_reason: Option<&'a str>,
        supplements: Option<&'a str>,
        instruction_id: Option<&'a str>,
        recorded_by: &'a str,
        recorded_at: i64,
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = authority_filing)]
struct FilingRow {
    id: String,
    incident_id: String,
    processor_id: String,
    controller_id: String,
    duty_id: String,
    obligation: String,
    authority: Option<String>,
    stage: String,
    filed_at: i64,
    by_name: String,
    reference: Option<String>,
    late: Option<bool>,
    delay_reason: Option<String>,
    supplements: Option<String>,
    instruction_id: Option<String>,
    answered_at: Option<i64>,
    answer_reference: Option<String>,
    answer: Option<String>,
    answered_by: Option<String>,
    recorded_by: String,
    recorded_at: i64,
}

/// A filing and the processor of its incident.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The processor of the incident.
    pub processor: OrganisationId,
    /// The filing.
    pub filing: AuthorityFiling,
}

impl TryFrom<FilingRow> for Kept {
    type Error = StoreError;

    fn try_from(row: FilingRow) -> Result<Self, StoreError> {
        let door = Door { table: "authority_filing", id: &row.id };
        let answer = match (row.answered_at, row.answer, row.answered_by) {
            (Some(at), Some(text), Some(by)) => Some(AuthorityAnswer {
                answered_at: door.instant("answered_at", at)?,
                reference: row.answer_reference,
                text,
                by,
            }),
            (None, None, None) => None,
            _ => return Err(door.corrupt("answered_at")),
        };
        let filing = AuthorityFiling {
            incident: door.parse("incident_id", &row.incident_id)?,
            party: door.parse("controller_id", &row.controller_id)?,
            duty: door.parse("duty_id", &row.duty_id)?,
            stage: Stage::from_code(&row.stage).ok_or_else(|| door.corrupt("stage"))?,
            filed_at: door.instant("filed_at", row.filed_at)?,
            supplements: row.supplements.as_deref().map(|id| door.parse("supplements", id)).transpose()?,
            instruction: row.instruction_id.as_deref().map(|id| door.parse("instruction_id", id)).transpose()?,
            recorded_by: door.parse("recorded_by", &row.recorded_by)?,
            recorded_at: door.instant("recorded_at", row.recorded_at)?,
            id: door.parse("id", &row.id)?,
            obligation: row.obligation,
            authority: row.authority,
            by: row.by_name,
            reference: row.reference,
            late: row.late,
            delay_reason: row.delay_reason,
            answer,
        };
        Ok(Self { processor: door.parse("processor_id", &row.processor_id)?, filing })
    }
}

/// Stores a filing about an incident of `processor`.
pub fn insert(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    filing: &AuthorityFiling,
) -> Result<(), StoreError> {
    let row = NewFilingRow {
        id: filing.id.as_str(),
        incident_id: filing.incident.as_str(),
        processor_id: processor.as_str(),
        controller_id: filing.party.as_str(),
        duty_id: filing.duty.as_str(),
        obligation: &filing.obligation,
        authority: filing.authority.as_deref(),
        stage: filing.stage.as_str(),
        filed_at: micros(filing.filed_at),
        by_name: &filing.by,
        reference: filing.reference.as_deref(),
        late: filing.late,
        delay_reason: filing.delay_reason.as_deref(),
        supplements: filing.supplements.as_ref().map(FilingId::as_str),
        instruction_id: filing.instruction.as_ref().map(InstructionId::as_str),
        recorded_by: filing.recorded_by.as_str(),
        recorded_at: micros(filing.recorded_at),
    };
    batch::insert(connection, &[row])?;
    Ok(())
}

/// The filing `id`, if `tenant` is its party or the processor of the incident.
pub fn find(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &FilingId,
) -> Result<Option<Kept>, StoreError> {
    let same = notice::incident_id
        .eq(authority_filing::incident_id)
        .and(notice::controller_id.eq(authority_filing::controller_id));
    // Until it was told of the incident, a controller learns nothing of what was filed for it either.
    let told = exists(notice::table.filter(same).filter(is_out()));
    let mine = authority_filing::processor_id
        .eq(tenant.as_str())
        .or(authority_filing::controller_id.eq(tenant.as_str()).and(told));
    let row: Option<FilingRow> = authority_filing::table
        .filter(authority_filing::id.eq(id.as_str()))
        .filter(mine)
        .select(FilingRow::as_select())
        .first(connection)
        .optional()?;
    row.map(TryInto::try_into).transpose()
}

/// One page of the filings about an incident that `tenant` can see, oldest first; `party` narrows it to one.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    incident: &IncidentId,
    party: Option<&OrganisationId>,
    page: &PageRequest,
) -> Result<Page<AuthorityFiling>, StoreError> {
    let mine =
        authority_filing::processor_id.eq(tenant.as_str()).or(authority_filing::controller_id.eq(tenant.as_str()));
    let mut query =
        authority_filing::table.filter(authority_filing::incident_id.eq(incident.as_str())).filter(mine).into_boxed();
    if let Some(party) = party {
        query = query.filter(authority_filing::controller_id.eq(party.as_str()));
    }
    if let Some(after) = &page.after {
        query = query.filter(authority_filing::id.gt(after.as_str()));
    }
    let rows: Vec<FilingRow> =
        query.order(authority_filing::id).limit(page.limit + 1).select(FilingRow::as_select()).load(connection)?;
    let items = rows.into_iter().map(|row| Ok(Kept::try_from(row)?.filing));
    Ok(Page::cut(items.collect::<Result<_, StoreError>>()?, page.limit, |item| item.id.to_string()))
}

/// The first filing that was recorded for a duty.
pub fn first_of(connection: &mut AnyConnection, duty: &DutyId) -> Result<Option<FilingId>, StoreError> {
    let found: Option<String> = authority_filing::table
        .filter(authority_filing::duty_id.eq(duty.as_str()))
        .order(authority_filing::id)
        .select(authority_filing::id)
        .first(connection)
        .optional()?;
    found.map(|id| Door { table: "authority_filing", id: &id }.parse("id", &id)).transpose()
}

/// Keeps the authority's answer to a filing; `false` if there is one already, which then stays as it is.
pub fn answer(connection: &mut AnyConnection, id: &FilingId, answer: &AuthorityAnswer) -> Result<bool, StoreError> {
    let open = authority_filing::table.find(id.as_str()).filter(authority_filing::answered_at.is_null());
    let changed = diesel::update(open)
        .set((
            authority_filing::answered_at.eq(micros(answer.answered_at)),
            authority_filing::answer_reference.eq(answer.reference.as_deref()),
            authority_filing::answer.eq(answer.text.as_str()),
            authority_filing::answered_by.eq(answer.by.as_str()),
        ))
        .execute(connection)?;
    Ok(changed == 1)
}
