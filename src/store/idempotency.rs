//! Answers kept for requests that carry an idempotency key; sealed, since an answer may hold a secret that is shown once.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::connection::{AnyConnection, on_each};
use super::error::StoreError;
use super::row::micros;
use super::schema::idempotency;
use crate::domain::id::OrganisationId;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of the request that came with it first.
    pub request_sha256: String,
    /// The sealed answer; absent only inside the transaction that is still working on it.
    pub answer_sealed: Option<String>,
}

/// What `tenant` sent with `key` before.
pub fn find(connection: &mut AnyConnection, tenant: &OrganisationId, key: &str) -> Result<Option<Kept>, StoreError> {
    let found: Option<(String, Option<String>)> = idempotency::table
        .find((tenant.as_str(), key))
        .select((idempotency::request_sha256, idempotency::answer_sealed))
        .first(connection)
        .optional()?;
    Ok(found.map(|(request_sha256, answer_sealed)| Kept { request_sha256, answer_sealed }))
}

/// Takes `key` for this transaction; `false` if somebody has it. Of two at the same instant the second waits for the first.
pub fn claim(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    key: &str,
    request_sha256: &str,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let values = (
        idempotency::organisation_id.eq(tenant.as_str()),
        idempotency::key.eq(key),
        idempotency::request_sha256.eq(request_sha256),
        idempotency::created_at.eq(micros(now)),
    );
    let claimed = on_each!(connection, inner => diesel::insert_into(idempotency::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(claimed == 1)
}

/// Keeps the answer of a claimed key.
pub fn keep(
    connection: &mut AnyConnection,
    tenant: &OrganisationId,
    key: &str,
    answer_sealed: &str,
) -> Result<(), StoreError> {
    diesel::update(idempotency::table.find((tenant.as_str(), key)))
        .set(idempotency::answer_sealed.eq(answer_sealed))
        .execute(connection)?;
    Ok(())
}
