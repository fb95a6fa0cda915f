//! The public keys with which controllers sign their own acknowledgements.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::connection::{AnyConnection, on_each};
use super::error::StoreError;
use super::row::{Door, micros};
use super::schema_of_delivery::receiver_key;
use crate::domain::id::{OrganisationId, ReceiverKeyId};
use crate::domain::page::PageRequest;
use crate::domain::receiver_key::{NewReceiverKey, ReceiverKey};

#[derive(Queryable, Selectable)]
#[diesel(table_name = receiver_key)]
struct ReceiverKeyRow {
    id: String,
    organisation_id: String,
    name: String,
    public_key: String,
    created_at: i64,
    retired_at: Option<i64>,
}

impl TryFrom<ReceiverKeyRow> for ReceiverKey {
    type Error = StoreError;

    fn try_from(row: ReceiverKeyRow) -> Result<Self, StoreError> {
        let door = Door { table: "receiver_key", id: &row.id };
        Ok(Self {
            id: door.parse("id", &row.id)?,
            created_at: door.instant("created_at", row.created_at)?,
            retired_at: door.instant_option("retired_at", row.retired_at)?,
            name: row.name,
            public_key: row.public_key,
        })
    }
}

/// Stores a key of `organisation`; `false` if it has that key already.
pub fn insert(
    connection: &mut AnyConnection,
    organisation: &OrganisationId,
    id: &ReceiverKeyId,
    new: &NewReceiverKey,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let values = (
        receiver_key::id.eq(id.as_str()),
        receiver_key::organisation_id.eq(organisation.as_str()),
        receiver_key::name.eq(&new.name),
        receiver_key::public_key.eq(&new.public_key),
        receiver_key::created_at.eq(micros(now)),
    );
    let stored = on_each!(connection, inner => diesel::insert_into(receiver_key::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(stored == 1)
}

/// The key `id` of `organisation`.
pub fn find(
    connection: &mut AnyConnection,
    organisation: &OrganisationId,
    id: &ReceiverKeyId,
) -> Result<Option<ReceiverKey>, StoreError> {
    Ok(known(connection, id)?.filter(|(owner, _)| owner == organisation).map(|(_, key)| key))
}

/// The key `id`, whoever's it is, with its owner; for what comes in without a token.
pub fn known(
    connection: &mut AnyConnection,
    id: &ReceiverKeyId,
) -> Result<Option<(OrganisationId, ReceiverKey)>, StoreError> {
    let row: Option<ReceiverKeyRow> =
        receiver_key::table.find(id.as_str()).select(ReceiverKeyRow::as_select()).first(connection).optional()?;
    let owned = |row: ReceiverKeyRow| {
        let owner = Door { table: "receiver_key", id: &row.id }.parse("organisation_id", &row.organisation_id)?;
        Ok((owner, row.try_into()?))
    };
    row.map(owned).transpose()
}

/// Keys of `organisation`, oldest first: one more than the page holds, if there are more.
pub fn list(
    connection: &mut AnyConnection,
    organisation: &OrganisationId,
    page: &PageRequest,
) -> Result<Vec<ReceiverKey>, StoreError> {
    let mut query = receiver_key::table.filter(receiver_key::organisation_id.eq(organisation.as_str())).into_boxed();
    if let Some(after) = &page.after {
        query = query.filter(receiver_key::id.gt(after.clone()));
    }
    let rows: Vec<ReceiverKeyRow> =
        query.order(receiver_key::id).limit(page.limit + 1).select(ReceiverKeyRow::as_select()).load(connection)?;
    rows.into_iter().map(ReceiverKey::try_from).collect()
}

/// Retires the key `id` of `organisation` at `now`; `false` if it was retired before. The first time counts.
pub fn retire(
    connection: &mut AnyConnection,
    organisation: &OrganisationId,
    id: &ReceiverKeyId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let in_use = receiver_key::table
        .find(id.as_str())
        .filter(receiver_key::organisation_id.eq(organisation.as_str()))
        .filter(receiver_key::retired_at.is_null());
    Ok(diesel::update(in_use).set(receiver_key::retired_at.eq(micros(now))).execute(connection)? == 1)
}
