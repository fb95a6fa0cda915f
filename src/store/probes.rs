//! Which endpoints are asked next to prove themselves, and when. Sends nothing.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::batch;
use super::connection::AnyConnection;
use super::endpoints::{Endpoint, EndpointRow};
use super::error::StoreError;
use super::row::micros;
use super::schema::endpoint;
use crate::domain::endpoint::EndpointId;

/// Up to `limit` endpoints that are due at `now`, longest first; of two replicas each gets others. For the worker, which acts for
/// every tenant.
pub fn due(connection: &mut AnyConnection, now: OffsetDateTime, limit: i64) -> Result<Vec<Endpoint>, StoreError> {
    let due = endpoint::next_probe_at.le(micros(now)).and(endpoint::retired_at.is_null());
    let wanted = endpoint::table.filter(due).order(endpoint::next_probe_at).limit(limit);
    let rows: Vec<EndpointRow> = match connection {
        AnyConnection::Sqlite(inner) => wanted.select(EndpointRow::as_select()).load(inner)?,
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => {
            let free = wanted.for_no_key_update().skip_locked();
            free.select(EndpointRow::as_select()).load(inner)?
        }
    };
    rows.into_iter().map(TryInto::try_into).collect()
}

batch::row! {
    NextRow in "endpoint" {
        id: &'a str,
        next_probe_at: i64,
    }
}

/// Writes when endpoints are asked next.
pub fn schedule(connection: &mut AnyConnection, next: &[(EndpointId, OffsetDateTime)]) -> Result<(), StoreError> {
    let rows: Vec<_> = next.iter().map(|(id, at)| NextRow { id: id.as_str(), next_probe_at: micros(*at) }).collect();
    batch::update(connection, &["id"], &["next_probe_at"], &rows)?;
    Ok(())
}
