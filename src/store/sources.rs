//! Sub-processors whose notices are received, and what was received from them.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::batch;
use super::connection::{AnyConnection, on_each};
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema::{received_notice, source};
use crate::domain::id::{IncidentId, OrganisationId, SourceId};
use crate::domain::page::PageRequest;
use crate::domain::source::{NewSource, Source};

#[derive(Queryable, Selectable)]
#[diesel(table_name = source)]
struct SourceRow {
    id: String,
    processor_id: String,
    name: String,
    public_key: Option<String>,
    secret_sealed: Option<String>,
    product: Option<String>,
    agreed_within: Option<String>,
    version: i32,
    created_at: i64,
    changed_at: i64,
}

/// A source with its sealed secret, for checking what claims to come from it.
// Not printable: it holds a secret, if a sealed one.
pub struct KeyedSource {
    /// The source.
    pub source: Source,
    /// The processor whose sub-processor it is.
    pub processor: OrganisationId,
    /// The secret, sealed.
    pub secret_sealed: Option<String>,
}

batch::row! {
    NewSourceRow in "source" {
        id: &'a str,
        processor_id: &'a str,
        name: &'a str,
        public_key: Option<&'a str>,
        secret_sealed: Option<&'a str>,
        product: Option<&'a str>,
        agreed_within: Option<&'a str>,
        version: i32,
        created_at: i64,
        changed_at: i64,
    }
}

impl TryFrom<SourceRow> for KeyedSource {
    type Error = StoreError;

    fn try_from(row: SourceRow) -> Result<Self, StoreError> {
        let door = Door { table: "source", id: &row.id };
        let source = Source {
            id: door.parse("id", &row.id)?,
            has_secret: row.secret_sealed.is_some(),
            agreed_within: row.agreed_within.map(|span| door.parse("agreed_within", &span)).transpose()?,
            created_at: door.instant("created_at", row.created_at)?,
            changed_at: door.instant("changed_at", row.changed_at)?,
            name: row.name,
            public_key: row.public_key,
            product: row.product,
            version: row.version,
        };
        let processor = door.parse("processor_id", &row.processor_id)?;
        Ok(Self { source, processor, secret_sealed: row.secret_sealed })
    }
}

/// What the context of a sealed secret says, so that it opens in its own place only.
pub fn secret_context(id: &SourceId) -> String {
    format!("source-secret:{id}")
}

/// Stores a new source of `processor`.
pub fn insert(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    id: &SourceId,
    new: &NewSource,
    secret_sealed: Option<&str>,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let row = NewSourceRow {
        id: id.as_str(),
        processor_id: processor.as_str(),
        name: &new.name,
        public_key: new.public_key.as_deref(),
        secret_sealed,
        product: new.product.as_deref(),
        agreed_within: new.agreed_within.as_ref().map(crate::domain::span::Span::as_str),
        version: 1,
        created_at: micros(now),
        changed_at: micros(now),
    };
    batch::insert(connection, &[row])?;
    Ok(())
}

/// Replaces what `version` of a source of `processor` says; a secret that is not given stays. `false` if the version is another.
pub fn replace(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    id: &SourceId,
    version: i32,
    new: &NewSource,
    secret_sealed: Option<&str>,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let current = source::table
        .find(id.as_str())
        .filter(source::processor_id.eq(processor.as_str()))
        .filter(source::version.eq(version));
    let changed = diesel::update(current)
        .set((
            source::name.eq(&new.name),
            source::public_key.eq(&new.public_key),
            source::product.eq(&new.product),
            source::agreed_within.eq(new.agreed_within.as_ref().map(crate::domain::span::Span::as_str)),
            source::version.eq(version + 1),
            source::changed_at.eq(micros(now)),
        ))
        .execute(connection)?;
    if let Some(sealed) = secret_sealed.filter(|_| changed == 1) {
        diesel::update(source::table.find(id.as_str())).set(source::secret_sealed.eq(sealed)).execute(connection)?;
    }
    Ok(changed == 1)
}

/// The source `id` of `processor`.
pub fn find(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    id: &SourceId,
) -> Result<Option<Source>, StoreError> {
    let found = keyed(connection, id)?.filter(|found| found.processor == *processor);
    Ok(found.map(|found| found.source))
}

/// The source `id`, whoever's it is, with its sealed secret; for what comes in without a token.
pub fn keyed(connection: &mut AnyConnection, id: &SourceId) -> Result<Option<KeyedSource>, StoreError> {
    let row: Option<SourceRow> =
        source::table.find(id.as_str()).select(SourceRow::as_select()).first(connection).optional()?;
    row.map(KeyedSource::try_from).transpose()
}

/// Sources of `processor`, oldest first: one more than the page holds, if there are more.
pub fn list(
    connection: &mut AnyConnection,
    processor: &OrganisationId,
    page: &PageRequest,
) -> Result<Vec<Source>, StoreError> {
    let mut query = source::table.filter(source::processor_id.eq(processor.as_str())).into_boxed();
    if let Some(after) = &page.after {
        query = query.filter(source::id.gt(after.clone()));
    }
    let rows: Vec<SourceRow> =
        query.order(source::id).limit(page.limit + 1).select(SourceRow::as_select()).load(connection)?;
    rows.into_iter().map(|row| KeyedSource::try_from(row).map(|keyed| keyed.source)).collect()
}

/// A message that came from a source.
#[derive(Debug, Clone, Copy)]
pub struct Message<'m> {
    /// Whose.
    pub source: &'m SourceId,
    /// The `webhook-id`.
    pub id: &'m str,
    /// The sender's own incident.
    pub remote_incident: &'m str,
    /// The exact bytes.
    pub body: &'m str,
    /// The incident here that it belongs to.
    pub incident: &'m IncidentId,
}

/// Keeps a message; `false` if it came before.
pub fn keep(connection: &mut AnyConnection, message: Message<'_>, now: OffsetDateTime) -> Result<bool, StoreError> {
    let values = (
        received_notice::source_id.eq(message.source.as_str()),
        received_notice::message_id.eq(message.id),
        received_notice::remote_incident.eq(message.remote_incident),
        received_notice::received_at.eq(micros(now)),
        received_notice::body.eq(message.body),
        received_notice::incident_id.eq(message.incident.as_str()),
    );
    let stored = on_each!(connection, inner => diesel::insert_into(received_notice::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(stored == 1)
}

/// The incident here that the sender's incident became.
pub fn incident_of(
    connection: &mut AnyConnection,
    id: &SourceId,
    remote_incident: &str,
) -> Result<Option<IncidentId>, StoreError> {
    let found: Option<String> = received_notice::table
        .filter(received_notice::source_id.eq(id.as_str()))
        .filter(received_notice::remote_incident.eq(remote_incident))
        .order(received_notice::received_at)
        .select(received_notice::incident_id)
        .first(connection)
        .optional()?;
    let door = Door { table: "received_notice", id: id.as_str() };
    found.map(|found| door.parse("incident_id", &found)).transpose()
}
