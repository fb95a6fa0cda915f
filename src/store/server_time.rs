//! The time of the database server, which leads the clocks of all replicas.

use time::OffsetDateTime;

use super::{AnyConnection, Store, StoreError};

impl Store {
    /// What time it is for the database server: UTC, to the microsecond. `None` for the embedded database.
    pub fn server_time(connection: &mut AnyConnection) -> Result<Option<OffsetDateTime>, StoreError> {
        match connection {
            AnyConnection::Sqlite(_) => Ok(None),
            #[cfg(feature = "postgres")]
            AnyConnection::Postgres(inner) => {
                use diesel::RunQueryDsl as _;
                use diesel::dsl::sql;
                use diesel::sql_types::BigInt;
                let now = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";
                let microseconds: i64 = diesel::select(sql::<BigInt>(now)).get_result(inner)?;
                let now = OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::microseconds(microseconds));
                Ok(Some(now))
            }
        }
    }
}
