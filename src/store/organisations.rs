//! Organisations, and who sees whom. The one place that knows the rule of sight.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use time::OffsetDateTime;

use super::among::among;
use super::connection::{AnyConnection, on_each};
use super::error::StoreError;
use super::row::{Door, micros, text};
use super::schema::{agreement, organisation};
use crate::domain::id::OrganisationId;
use crate::domain::organisation::{Contact, NewOrganisation, Organisation, ReleasePolicy, Seat, Sector};
use crate::domain::page::PageRequest;
use crate::domain::vocabulary::OrganisationRole;

/// The most ids in one statement; both databases take more.
pub(crate) const CHUNK: usize = 10_000;

diesel::define_sql_function! {
    /// Lower case of all letters, not only of those in ASCII.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// Whose organisations are looked at.
#[derive(Debug, Clone, Copy)]
pub enum Sight<'a> {
    /// All there are; for the operator only.
    All,
    /// The tenant itself, those it has created, and those it has an agreement with.
    Of(&'a OrganisationId),
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct OrganisationFilter {
    /// Only those with this role.
    pub role: Option<OrganisationRole>,
    /// Only those whose name contains this text, in upper or lower case.
    pub name: Option<String>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = organisation)]
struct OrganisationRow {
    id: String,
    name: String,
    roles: String,
    country: String,
    region: Option<String>,
    contacts: String,
    created_by: String,
    agreements_edition: i64,
    version: i32,
    created_at: i64,
    changed_at: i64,
    sector: String,
    regimes: String,
    main_establishment: Option<String>,
    release_policy: Option<String>,
}

/// Where an organisation sits, as it is read with others in one statement.
#[derive(Queryable, Selectable)]
#[diesel(table_name = organisation)]
pub(crate) struct SeatRow {
    id: String,
    country: String,
    region: Option<String>,
    sector: String,
    regimes: String,
    main_establishment: Option<String>,
    release_policy: Option<String>,
}

impl TryFrom<SeatRow> for Seat {
    type Error = StoreError;

    fn try_from(row: SeatRow) -> Result<Self, StoreError> {
        let door = Door { table: "organisation", id: &row.id };
        Ok(Self {
            sector: sector(&door, &row.sector)?,
            regimes: door.json("regimes", &row.regimes)?,
            release_policy: policy(&door, row.release_policy.as_deref())?,
            country: row.country,
            region: row.region,
            main_establishment: row.main_establishment,
        })
    }
}

impl TryFrom<OrganisationRow> for Organisation {
    type Error = StoreError;

    fn try_from(row: OrganisationRow) -> Result<Self, StoreError> {
        let door = Door { table: "organisation", id: &row.id };
        Ok(Self {
            id: door.parse("id", &row.id)?,
            roles: roles(&door, &row.roles)?,
            contacts: door.json("contacts", &row.contacts)?,
            sector: sector(&door, &row.sector)?,
            regimes: door.json("regimes", &row.regimes)?,
            release_policy: policy(&door, row.release_policy.as_deref())?,
            created_at: door.instant("created_at", row.created_at)?,
            changed_at: door.instant("changed_at", row.changed_at)?,
            name: row.name,
            country: row.country,
            region: row.region,
            main_establishment: row.main_establishment,
            version: row.version,
        })
    }
}

/// Makes a letter-wise lower case known to SQLite, whose own knows ASCII only.
pub(crate) fn register_functions(connection: &mut diesel::SqliteConnection) -> QueryResult<()> {
    lower_utils::register_impl(connection, |text: String| text.to_lowercase())
}

type Sieve = Box<
    dyn BoxableExpression<
            organisation::table,
            <AnyConnection as diesel::Connection>::Backend,
            SqlType = diesel::sql_types::Bool,
        >,
>;

fn visible(sight: Sight<'_>) -> Sieve {
    let Sight::Of(tenant) = sight else { return Box::new(diesel::dsl::sql::<diesel::sql_types::Bool>("true")) };
    let controllers =
        agreement::table.filter(agreement::processor_id.eq(tenant.to_string())).select(agreement::controller_id);
    let processors =
        agreement::table.filter(agreement::controller_id.eq(tenant.to_string())).select(agreement::processor_id);
    Box::new(
        organisation::id
            .eq(tenant.to_string())
            .or(organisation::created_by.eq(tenant.to_string()))
            .or(organisation::id.eq_any(controllers))
            .or(organisation::id.eq_any(processors)),
    )
}

/// Stores a new organisation; `false` if there is one with this id, which then stays as it is.
pub fn insert(
    connection: &mut AnyConnection,
    id: &OrganisationId,
    new: &NewOrganisation,
    created_by: &OrganisationId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let row = OrganisationRow {
        id: id.to_string(),
        name: new.name.clone(),
        roles: text(&new.roles)?,
        country: new.country.clone(),
        region: new.region.clone(),
        contacts: text(&new.contacts)?,
        created_by: created_by.to_string(),
        agreements_edition: 0,
        version: 1,
        created_at: micros(now),
        changed_at: micros(now),
        sector: new.sector.to_string(),
        regimes: text(&new.regimes)?,
        main_establishment: new.main_establishment.clone(),
        release_policy: new.release_policy.as_ref().map(text).transpose()?,
    };
    let inserted = on_each!(connection, inner => diesel::insert_into(organisation::table)
        .values(&row)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(inserted == 1)
}

/// Replaces what `version` of the organisation says; `false` if that is not the current version.
pub fn replace(
    connection: &mut AnyConnection,
    id: &OrganisationId,
    version: i32,
    new: &NewOrganisation,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let current = organisation::table.find(id.as_str()).filter(organisation::version.eq(version));
    let changed = diesel::update(current)
        .set((
            organisation::name.eq(&new.name),
            organisation::roles.eq(text(&new.roles)?),
            organisation::country.eq(&new.country),
            organisation::region.eq(&new.region),
            organisation::contacts.eq(text(&new.contacts)?),
            organisation::sector.eq(new.sector.as_str()),
            organisation::regimes.eq(text(&new.regimes)?),
            organisation::main_establishment.eq(&new.main_establishment),
            organisation::release_policy.eq(new.release_policy.as_ref().map(text).transpose()?),
            organisation::version.eq(version.saturating_add(1)),
            organisation::changed_at.eq(micros(now)),
        ))
        .execute(connection)?;
    Ok(changed == 1)
}

/// The contact points of `organisations`. For the service's own bookkeeping.
pub fn contacts(
    connection: &mut AnyConnection,
    organisations: &[String],
) -> Result<HashMap<String, Vec<Contact>>, StoreError> {
    let rows: Vec<(String, String)> = organisation::table
        .filter(among(connection, organisation::id, organisations)?)
        .select((organisation::id, organisation::contacts))
        .load(connection)?;
    let read = |(id, contacts): (String, String)| {
        let read = Door { table: "organisation", id: &id }.json("contacts", &contacts)?;
        Ok((id, read))
    };
    rows.into_iter().map(read).collect()
}

/// The organisation `id`, whoever asks. Verbs that answer a tenant use [`seen`].
pub fn find(connection: &mut AnyConnection, id: &OrganisationId) -> Result<Option<Organisation>, StoreError> {
    let row: Option<OrganisationRow> =
        organisation::table.find(id.as_str()).select(OrganisationRow::as_select()).first(connection).optional()?;
    row.map(TryInto::try_into).transpose()
}

/// The organisation `id`, if it is in sight.
pub fn seen(
    connection: &mut AnyConnection,
    sight: Sight<'_>,
    id: &OrganisationId,
) -> Result<Option<Organisation>, StoreError> {
    let row: Option<OrganisationRow> = organisation::table
        .filter(organisation::id.eq(id.as_str()))
        .filter(visible(sight))
        .select(OrganisationRow::as_select())
        .first(connection)
        .optional()?;
    row.map(TryInto::try_into).transpose()
}

/// Up to `limit` + 1 organisations in sight, oldest first.
pub fn list(
    connection: &mut AnyConnection,
    sight: Sight<'_>,
    filter: &OrganisationFilter,
    page: &PageRequest,
) -> Result<Vec<Organisation>, StoreError> {
    let mut query = organisation::table.filter(visible(sight)).into_boxed();
    if let Some(role) = filter.role {
        query = query.filter(organisation::roles.like(format!("%\"{role}\"%")));
    }
    if let Some(name) = &filter.name {
        let literal = name.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        query = query.filter(lower(organisation::name).like(format!("%{literal}%")).escape('\\'));
    }
    if let Some(after) = &page.after {
        query = query.filter(organisation::id.gt(after.clone()));
    }
    let rows: Vec<OrganisationRow> =
        query.order(organisation::id).limit(page.limit + 1).select(OrganisationRow::as_select()).load(connection)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The roles of those of `ids` that `processor` may deal with: see [`serves`]; itself included.
pub fn roles_of(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    operator: &OrganisationId,
    ids: &BTreeSet<&str>,
) -> Result<HashMap<String, BTreeSet<OrganisationRole>>, StoreError> {
    let ids: Vec<&str> = ids.iter().copied().collect();
    let mut found = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        let rows: Vec<(String, String)> = organisation::table
            .filter(organisation::id.eq_any(ids))
            .filter(visible(Sight::Of(processor)).or(organisation::created_by.eq(operator.as_str())))
            .select((organisation::id, organisation::roles))
            .load(connection)?;
        for (id, stored) in rows {
            let known = roles(&Door { table: "organisation", id: &id }, &stored)?;
            found.insert(id, known);
        }
    }
    Ok(found)
}

/// Where the organisations `ids` sit, by id; whoever asks. One statement for each 10,000 ids.
pub fn seats(connection: &mut AnyConnection, ids: &[String]) -> Result<HashMap<String, Seat>, StoreError> {
    let mut seats = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        let wanted = among(connection, organisation::id, ids)?;
        let rows: Vec<SeatRow> = organisation::table.filter(wanted).select(SeatRow::as_select()).load(connection)?;
        for row in rows {
            let id = row.id.clone();
            seats.insert(id, Seat::try_from(row)?);
        }
    }
    Ok(seats)
}

/// Whether `creator` created the organisation `id`.
pub fn is_created_by(
    connection: &mut AnyConnection,
    id: &OrganisationId,
    creator: &OrganisationId,
) -> Result<bool, StoreError> {
    let created = organisation::table
        .filter(organisation::id.eq(id.as_str()))
        .filter(organisation::created_by.eq(creator.as_str()));
    Ok(diesel::select(diesel::dsl::exists(created)).get_result(connection)?)
}

/// Whether `processor` may set something up for `controller`: it created it, has an agreement with it, or the operator created
/// it. Who knows the id of the last kind has it from the operator or from the controller.
pub fn serves(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    operator: &OrganisationId,
    controller: &OrganisationId,
) -> Result<bool, StoreError> {
    let agreed = agreement::table
        .filter(agreement::controller_id.eq(controller.as_str()))
        .filter(agreement::processor_id.eq(processor.as_str()))
        .select(agreement::controller_id);
    let creators = [processor.as_str(), operator.as_str()];
    let served = organisation::table
        .filter(organisation::id.eq(controller.as_str()))
        .filter(organisation::roles.like(format!("%\"{}\"%", OrganisationRole::Controller)))
        .filter(organisation::created_by.eq_any(creators).or(organisation::id.eq_any(agreed)));
    Ok(diesel::select(diesel::dsl::exists(served)).get_result(connection)?)
}

/// Moves the edition of what `processor` has agreed and whom it tells; `false` if there is no such organisation.
///
/// On PostgreSQL this lets one writer at a time through per processor, so it comes before anything that is read to decide.
pub fn raise_edition(connection: &mut AnyConnection, processor: &OrganisationId) -> Result<bool, StoreError> {
    let raised = diesel::update(organisation::table.find(processor.as_str()))
        .set(organisation::agreements_edition.eq(organisation::agreements_edition + 1))
        .execute(connection)?;
    Ok(raised == 1)
}

fn roles(door: &Door<'_>, stored: &str) -> Result<BTreeSet<OrganisationRole>, StoreError> {
    let codes: Vec<String> = door.json("roles", stored)?;
    let role = |code: &String| OrganisationRole::from_code(code).ok_or_else(|| door.corrupt("roles"));
    codes.iter().map(role).collect()
}

fn sector(door: &Door<'_>, stored: &str) -> Result<Sector, StoreError> {
    Sector::from_code(stored).ok_or_else(|| door.corrupt("sector"))
}

fn policy(door: &Door<'_>, stored: Option<&str>) -> Result<Option<ReleasePolicy>, StoreError> {
    stored.map(|stored| door.json("release_policy", stored)).transpose()
}
