//! Agreements: the current version of each, every version frozen, and the products they cover. Writes sets of them at once.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use serde_json::Value;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::batch;
use super::connection::AnyConnection;
use super::error::StoreError;
use super::organisations::CHUNK;
use super::parties::names;
use super::row::{Door, micros, text};
use super::schema::{agreement, agreement_product, agreement_version};
use crate::domain::agreement::{Agreement, AgreementContent, NewAgreement};
use crate::domain::fault::Faults;
use crate::domain::id::{AgreementId, OrganisationId};
use crate::domain::incident::Link;
use crate::domain::page::PageRequest;
use crate::domain::parse::Place;
use crate::domain::terms::Terms;

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct AgreementFilter {
    /// Only those with this controller.
    pub controller: Option<OrganisationId>,
    /// Only those that cover this product.
    pub product: Option<String>,
    /// Only those with exactly this reference.
    pub reference: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = agreement)]
struct AgreementRow {
    id: String,
    processor_id: String,
    controller_id: String,
    version: i32,
    reference: String,
    products: String,
    valid_from: String,
    valid_until: Option<String>,
    terms: String,
    created_at: i64,
    changed_at: i64,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = agreement_version)]
struct VersionRow {
    agreement_id: String,
    version: i32,
    reference: String,
    products: String,
    valid_from: String,
    valid_until: Option<String>,
    terms: String,
    created_at: i64,
}

struct ProductRow<'a> {
    agreement_id: &'a str,
    product: &'a str,
}

batch::columns!(
    AgreementRow, "agreement",
    id processor_id controller_id version reference products valid_from valid_until terms created_at changed_at
);
batch::columns!(
    VersionRow, "agreement_version",
    agreement_id version reference products valid_from valid_until terms created_at
);
batch::columns!(ProductRow<'_>, "agreement_product", agreement_id product);

impl VersionRow {
    fn new(
        id: &AgreementId,
        version: i32,
        content: &AgreementContent,
        now: OffsetDateTime,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            agreement_id: id.to_string(),
            version,
            reference: content.reference.clone(),
            products: text(&content.products)?,
            valid_from: content.valid_from.to_string(),
            valid_until: content.valid_until.map(|day| day.to_string()),
            terms: text(&content.terms)?,
            created_at: micros(now),
        })
    }

    /// The agreement `base` as it stood in this version.
    fn of(self, base: &Agreement) -> Result<Agreement, StoreError> {
        let id = format!("{} {}", self.agreement_id, self.version);
        let door = Door { table: "agreement_version", id: &id };
        Ok(Agreement {
            version: self.version,
            products: door.json("products", &self.products)?,
            valid_from: day(&door, "valid_from", &self.valid_from)?,
            valid_until: self.valid_until.map(|text| day(&door, "valid_until", &text)).transpose()?,
            terms: terms(&door, &self.terms)?,
            changed_at: door.instant("created_at", self.created_at)?,
            reference: self.reference,
            ..base.clone()
        })
    }
}

/// Stores new agreements of `processor` as version 1 each, with three statements however many there are.
pub fn insert(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    new: &[(AgreementId, &NewAgreement)],
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let (mut agreements, mut versions) = (Vec::with_capacity(new.len()), Vec::with_capacity(new.len()));
    for (id, NewAgreement { controller, content }) in new {
        let version = VersionRow::new(id, 1, content, now)?;
        agreements.push(AgreementRow {
            id: id.to_string(),
            processor_id: processor.to_string(),
            controller_id: controller.to_string(),
            version: 1,
            reference: version.reference.clone(),
            products: version.products.clone(),
            valid_from: version.valid_from.clone(),
            valid_until: version.valid_until.clone(),
            terms: version.terms.clone(),
            created_at: version.created_at,
            changed_at: version.created_at,
        });
        versions.push(version);
    }
    let products: Vec<_> = new.iter().flat_map(|(id, new)| product_rows(id, &new.content)).collect();
    batch::insert(connection, &agreements)?;
    batch::insert(connection, &versions)?;
    batch::insert(connection, &products)?;
    Ok(())
}

/// Writes the version after `version` of an agreement; `false` if `version` is not the current one.
pub fn replace(
    connection: &mut AnyConnection,
    id: &AgreementId,
    version: i32,
    content: &AgreementContent,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let row = VersionRow::new(id, version.saturating_add(1), content, now)?;
    let changed = diesel::update(agreement::table.find(id.as_str()).filter(agreement::version.eq(version)))
        .set((
            agreement::version.eq(row.version),
            agreement::reference.eq(&row.reference),
            agreement::products.eq(&row.products),
            agreement::valid_from.eq(&row.valid_from),
            agreement::valid_until.eq(&row.valid_until),
            agreement::terms.eq(&row.terms),
            agreement::changed_at.eq(row.created_at),
        ))
        .execute(connection)?;
    if changed == 0 {
        return Ok(false);
    }
    diesel::insert_into(agreement_version::table).values(&row).execute(connection)?;
    diesel::delete(agreement_product::table.filter(agreement_product::agreement_id.eq(id.as_str())))
        .execute(connection)?;
    let products: Vec<_> = product_rows(id, content).collect();
    batch::insert(connection, &products)?;
    Ok(true)
}

/// The current version of the agreement `id`, if `tenant` is a party to it.
pub fn find(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    id: &AgreementId,
) -> Result<Option<Agreement>, StoreError> {
    let row: Option<AgreementRow> = agreement::table
        .filter(agreement::id.eq(id.as_str()))
        .filter(agreement::processor_id.eq(tenant.as_str()).or(agreement::controller_id.eq(tenant.as_str())))
        .select(AgreementRow::as_select())
        .first(connection)
        .optional()?;
    Ok(read(connection, row.into_iter().collect())?.pop())
}

/// Up to `limit` + 1 current versions of agreements to which `tenant` is a party, oldest first.
pub fn list(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    filter: &AgreementFilter,
    page: &PageRequest,
) -> Result<Vec<Agreement>, StoreError> {
    let mut query = agreement::table
        .filter(agreement::processor_id.eq(tenant.as_str()).or(agreement::controller_id.eq(tenant.as_str())))
        .into_boxed();
    if let Some(controller) = &filter.controller {
        query = query.filter(agreement::controller_id.eq(controller.as_str()));
    }
    if let Some(product) = &filter.product {
        let covering = agreement_product::table
            .filter(agreement_product::product.eq(product.as_str()))
            .select(agreement_product::agreement_id);
        query = query.filter(agreement::id.eq_any(covering));
    }
    if let Some(reference) = &filter.reference {
        query = query.filter(agreement::reference.eq(reference.as_str()));
    }
    if let Some(after) = &page.after {
        query = query.filter(agreement::id.gt(after.as_str()));
    }
    let rows = query.order(agreement::id).limit(page.limit + 1).select(AgreementRow::as_select()).load(connection)?;
    read(connection, rows)
}

/// Up to `limit` + 1 versions of `agreement`, newest first, after the version that the page names.
pub fn versions(
    connection: &mut AnyConnection,
    agreement: &Agreement,
    page: &PageRequest,
) -> Result<Vec<Agreement>, StoreError> {
    let before = page.after.as_ref().and_then(|after| after.parse().ok()).unwrap_or(i32::MAX);
    let rows: Vec<VersionRow> = agreement_version::table
        .filter(agreement_version::agreement_id.eq(agreement.id.as_str()))
        .filter(agreement_version::version.lt(before))
        .order(agreement_version::version.desc())
        .limit(page.limit + 1)
        .select(VersionRow::as_select())
        .load(connection)?;
    rows.into_iter().map(|row| row.of(agreement)).collect()
}

/// Which of `references` are taken among the agreements of `processor`, and by which agreement.
pub fn taken_references(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    references: &BTreeSet<&str>,
) -> Result<HashMap<String, String>, StoreError> {
    let references: Vec<&str> = references.iter().copied().collect();
    let mut taken = HashMap::new();
    for references in references.chunks(CHUNK) {
        let rows: Vec<(String, String)> = agreement::table
            .filter(agreement::processor_id.eq(processor.as_str()))
            .filter(agreement::reference.eq_any(references))
            .select((agreement::reference, agreement::id))
            .load(connection)?;
        taken.extend(rows);
    }
    Ok(taken)
}

/// The processors that have an agreement with `controller`, in order.
pub fn processors_of(
    connection: &mut AnyConnection,
    controller: &OrganisationId,
) -> Result<Vec<OrganisationId>, StoreError> {
    let found: Vec<String> = agreement::table
        .filter(agreement::controller_id.eq(controller.as_str()))
        .select(agreement::processor_id)
        .distinct()
        .order(agreement::processor_id)
        .load(connection)?;
    found.iter().map(|id| Door { table: "agreement", id }.parse("processor_id", id)).collect()
}

fn read(connection: &mut AnyConnection, rows: Vec<AgreementRow>) -> Result<Vec<Agreement>, StoreError> {
    let parties: Vec<String> =
        rows.iter().flat_map(|row| [row.processor_id.clone(), row.controller_id.clone()]).collect();
    let names = names(connection, &parties)?;
    rows.into_iter()
        .map(|row| {
            let door = Door { table: "agreement", id: &row.id };
            let party = |column: &'static str, id: &String| {
                let name = names.get(id).ok_or_else(|| door.corrupt(column))?;
                Ok::<_, StoreError>(Link { id: door.parse(column, id)?, name: name.clone() })
            };
            Ok(Agreement {
                id: door.parse("id", &row.id)?,
                processor: party("processor_id", &row.processor_id)?,
                controller: party("controller_id", &row.controller_id)?,
                products: door.json("products", &row.products)?,
                valid_from: day(&door, "valid_from", &row.valid_from)?,
                valid_until: row.valid_until.as_ref().map(|text| day(&door, "valid_until", text)).transpose()?,
                terms: terms(&door, &row.terms)?,
                created_at: door.instant("created_at", row.created_at)?,
                changed_at: door.instant("changed_at", row.changed_at)?,
                version: row.version,
                reference: row.reference,
            })
        })
        .collect()
}

/// Reads stored terms.
fn terms(door: &Door<'_>, stored: &str) -> Result<Terms, StoreError> {
    let value: Value = door.json("terms", stored)?;
    Terms::parse(&Place::root(&value), &mut Faults::default()).ok_or_else(|| door.corrupt("terms"))
}

fn day(door: &Door<'_>, column: &'static str, stored: &str) -> Result<Date, StoreError> {
    Date::parse(stored, format_description!("[year]-[month]-[day]")).map_err(|_| door.corrupt(column))
}

fn product_rows<'a>(id: &'a AgreementId, content: &'a AgreementContent) -> impl Iterator<Item = ProductRow<'a>> {
    content.products.iter().map(|product| ProductRow { agreement_id: id.as_str(), product })
}

/// What the parties called the agreement in one version of it; for whoever has a notice that names the version.
pub fn reference(connection: &mut AnyConnection, id: &str, version: i32) -> Result<Option<String>, StoreError> {
    Ok(agreement_version::table
        .find((id, version))
        .select(agreement_version::reference)
        .first(connection)
        .optional()?)
}

/// What was agreed in one version of an agreement; for whoever has a duty that names the version.
pub fn terms_of(connection: &mut AnyConnection, id: &AgreementId, version: i32) -> Result<Option<Terms>, StoreError> {
    let stored: Option<String> = agreement_version::table
        .find((id.as_str(), version))
        .select(agreement_version::terms)
        .first(connection)
        .optional()?;
    stored.map(|stored| terms(&Door { table: "agreement_version", id: id.as_str() }, &stored)).transpose()
}
