//! Who has to be told: the processor's agreements in force, read set-based for one filing.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;
use serde_json::Value;

use super::among::among;
use super::connection::{AnyConnection, on_each, row_by_row};
use super::error::StoreError;
use super::organisations::SeatRow;
use super::row::Door;
use super::schema::{agreement, agreement_product, agreement_version, notice, organisation};
use crate::domain::fault::Faults;
use crate::domain::id::{AgreementId, IncidentId, NoticeId, OrganisationId};
use crate::domain::organisation::Seat;
use crate::domain::parse::Place;
use crate::domain::terms::Terms;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = agreement)]
struct AgreementRow {
    id: String,
    version: i32,
    controller_id: String,
    reference: String,
    terms: String,
}

/// The processor as the filing sees it.
#[derive(Debug, Clone)]
pub struct Processor {
    /// Where it sits and which regimes bind it.
    pub seat: Seat,
    /// Its roles, as codes.
    pub roles: Vec<String>,
    /// Counts every change of its agreements; a filing prepared under another edition is prepared anew.
    pub edition: i64,
}

/// Which agreements are wanted.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// Those with these controllers.
    Controllers(Vec<OrganisationId>),
    /// Those for this product.
    Product(String),
    /// All.
    All,
}

/// An agreement in force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The agreement.
    pub id: AgreementId,
    /// Its current version.
    pub version: i32,
    /// The controller.
    pub controller: OrganisationId,
    /// What the parties call it.
    pub reference: String,
    /// Where the controller sits and which regimes bind it.
    pub seat: Arc<Seat>,
    /// Its terms; agreements with the same words share them.
    pub terms: Arc<Terms>,
}

/// The processor `tenant`, if it is known here.
pub fn processor(connection: &mut AnyConnection, tenant: &OrganisationId) -> Result<Option<Processor>, StoreError> {
    let found: Option<(String, i64, SeatRow)> = organisation::table
        .find(tenant.as_str())
        .select((organisation::roles, organisation::agreements_edition, SeatRow::as_select()))
        .first(connection)
        .optional()?;
    let Some((roles, edition, seat)) = found else { return Ok(None) };
    let corrupt = |_| StoreError::Corrupt { table: "organisation", column: "roles", id: tenant.to_string() };
    Ok(Some(Processor { roles: serde_json::from_str(&roles).map_err(corrupt)?, edition, seat: seat.try_into()? }))
}

/// The edition alone, read again inside the transaction that files; it cannot change until that transaction ends.
pub fn edition(connection: &mut AnyConnection, tenant: &OrganisationId) -> Result<i64, StoreError> {
    let row = organisation::table.find(tenant.as_str()).select(organisation::agreements_edition);
    Ok(match connection {
        AnyConnection::Sqlite(inner) => row.first(inner)?,
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => row.for_share().first(inner)?,
    })
}

/// A controller that was told of an incident, with the newest notice to it.
#[derive(Debug, Clone)]
pub struct Told {
    /// That notice.
    pub notice: NoticeId,
    /// Its number within the incident and the controller.
    pub sequence: i32,
    /// The agreement under which it was told, in the version of that time.
    pub agreement: InForce,
}

/// Everybody who was told of the incident `id`, by controller, for its processor's next version.
pub fn told(connection: &mut AnyConnection, id: &IncidentId) -> Result<Vec<Told>, StoreError> {
    type Row = (String, i32, String, String, i32, String, String, SeatRow);
    let under = agreement_version::agreement_id
        .eq(notice::agreement_id)
        .and(agreement_version::version.eq(notice::agreement_version));
    let newest = diesel::dsl::sql::<diesel::sql_types::Bool>(
        "NOT EXISTS (SELECT 1 FROM notice AS newer WHERE newer.incident_id = notice.incident_id \
         AND newer.controller_id = notice.controller_id AND newer.sequence > notice.sequence)",
    );
    let rows: Vec<Row> = notice::table
        .inner_join(agreement_version::table.on(under))
        .inner_join(organisation::table.on(organisation::id.eq(notice::controller_id)))
        .filter(notice::incident_id.eq(id.as_str()))
        .filter(newest)
        .order(notice::controller_id)
        .select((
            notice::id,
            notice::sequence,
            notice::controller_id,
            notice::agreement_id,
            notice::agreement_version,
            agreement_version::reference,
            agreement_version::terms,
            SeatRow::as_select(),
        ))
        .load(connection)?;
    let mut known = HashMap::new();
    let told = rows.into_iter().map(|(notice, sequence, controller_id, id, version, reference, terms, seat)| {
        let agreement = read((AgreementRow { id, version, controller_id, reference, terms }, seat), &mut known)?;
        Ok(Told { notice: Door { table: "notice", id: &notice }.parse("id", &notice)?, sequence, agreement })
    });
    told.collect()
}

/// The agreements under which the notices `ids` were made, in the version of that time, by notice.
pub fn of_notices(connection: &mut AnyConnection, ids: &[String]) -> Result<HashMap<String, InForce>, StoreError> {
    type Row = (String, String, String, i32, String, String, SeatRow);
    let under = agreement_version::agreement_id
        .eq(notice::agreement_id)
        .and(agreement_version::version.eq(notice::agreement_version));
    let rows: Vec<Row> = notice::table
        .inner_join(agreement_version::table.on(under))
        .inner_join(organisation::table.on(organisation::id.eq(notice::controller_id)))
        .filter(among(connection, notice::id, ids)?)
        .select((
            notice::id,
            notice::controller_id,
            notice::agreement_id,
            notice::agreement_version,
            agreement_version::reference,
            agreement_version::terms,
            SeatRow::as_select(),
        ))
        .load(connection)?;
    let mut known = HashMap::new();
    let found = rows.into_iter().map(|(notice, controller_id, id, version, reference, terms, seat)| {
        Ok((notice, read((AgreementRow { id, version, controller_id, reference, terms }, seat), &mut known)?))
    });
    found.collect()
}

/// The agreements of `tenant` that are in force on `day` (ISO 8601) and wanted, by controller and id.
///
/// Row by row: the terms of thousands stand there as text, and few of them differ.
pub fn in_force(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    wanted: &Wanted,
    day: &str,
) -> Result<Vec<InForce>, StoreError> {
    let named = match wanted {
        // Past a few hundred names one scan of the processor's own agreements is cheaper than as many look-ups.
        Wanted::Controllers(controllers) if controllers.len() <= 500 => {
            Some(among(connection, agreement::controller_id, controllers)?)
        }
        _ => None,
    };
    let mut known = HashMap::new();
    on_each!(connection, inner => {
        let mut query = agreement::table
            .inner_join(organisation::table.on(organisation::id.eq(agreement::controller_id)))
            .filter(agreement::processor_id.eq(tenant.as_str()))
            .filter(agreement::valid_from.le(day))
            .filter(agreement::valid_until.is_null().or(agreement::valid_until.ge(day)))
            .order((agreement::controller_id, agreement::id))
            .select((AgreementRow::as_select(), SeatRow::as_select()))
            .into_boxed();
        if let Some(named) = named {
            query = query.filter(named);
        }
        if let Wanted::Product(product) = wanted {
            let of_product = agreement_product::table.filter(agreement_product::product.eq(product));
            query = query.filter(agreement::id.eq_any(of_product.select(agreement_product::agreement_id)));
        }
        let rows = row_by_row::<_, (AgreementRow, SeatRow), _>(inner, query)?;
        rows.map(|row| read(row?, &mut known)).collect()
    })
}

/// The terms of all agreements of `processor` with `controllers` that have not ended before `day` (ISO 8601), in the order of their ids.
pub fn terms_with(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    controllers: &[&str],
    day: &str,
) -> Result<Vec<(OrganisationId, Arc<Terms>)>, StoreError> {
    let rows: Vec<(String, String, String)> = agreement::table
        .filter(agreement::processor_id.eq(processor.as_str()))
        .filter(among(connection, agreement::controller_id, controllers)?)
        .filter(agreement::valid_until.is_null().or(agreement::valid_until.ge(day)))
        .order(agreement::id)
        .select((agreement::id, agreement::controller_id, agreement::terms))
        .load(connection)?;
    let mut known = HashMap::new();
    let read = |(id, controller, text): (String, String, String)| {
        let door = Door { table: "agreement", id: &id };
        Ok((door.parse("controller_id", &controller)?, terms(&door, text, &mut known)?))
    };
    rows.into_iter().map(read).collect()
}

/// The terms that stand there as text; equal texts are read once.
fn terms(door: &Door<'_>, text: String, known: &mut HashMap<String, Arc<Terms>>) -> Result<Arc<Terms>, StoreError> {
    if let Some(shared) = known.get(&text) {
        return Ok(Arc::clone(shared));
    }
    let value: Value = door.json("terms", &text)?;
    let mut faults = Faults::default();
    let parsed = Terms::parse(&Place::root(&value), &mut faults);
    let parsed = Arc::new(faults.finish(parsed).map_err(|_| door.corrupt("terms"))?);
    known.insert(text, Arc::clone(&parsed));
    Ok(parsed)
}

fn read((row, seat): (AgreementRow, SeatRow), known: &mut HashMap<String, Arc<Terms>>) -> Result<InForce, StoreError> {
    let door = Door { table: "agreement", id: &row.id };
    Ok(InForce {
        version: row.version,
        controller: door.parse("controller_id", &row.controller_id)?,
        reference: row.reference,
        seat: Arc::new(seat.try_into()?),
        terms: terms(&door, row.terms, known)?,
        id: door.parse("id", &row.id)?,
    })
}

/// The names of organisations by id.
pub fn names(connection: &mut AnyConnection, ids: &[String]) -> Result<HashMap<String, String>, StoreError> {
    let mut names = HashMap::new();
    for part in ids.chunks(500) {
        let rows: Vec<(String, String)> = organisation::table
            .filter(organisation::id.eq_any(part))
            .select((organisation::id, organisation::name))
            .load(connection)?;
        names.extend(rows);
    }
    Ok(names)
}
