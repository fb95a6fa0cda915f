//! The fallible door from columns to domain values. A row that makes no sense is loud, never silently defaulted.

use time::OffsetDateTime;

use super::error::StoreError;

/// Microseconds since 1970 UTC, the form times have in the database.
pub(crate) fn micros(instant: OffsetDateTime) -> i64 {
    // Domain times lie between the years 1970 and 9999, which i64 holds in microseconds many times over.
    i64::try_from(instant.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// The JSON text that a list or document has in the database.
pub(crate) fn text(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unwritable(error.to_string()))
}

/// Names the row that is being read, for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) table: &'static str,
    pub(crate) id: &'a str,
}

impl Door<'_> {
    pub(crate) fn corrupt(&self, column: &'static str) -> StoreError {
        StoreError::Corrupt { table: self.table, column, id: self.id.to_owned() }
    }

    pub(crate) fn parse<T: std::str::FromStr>(&self, column: &'static str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt(column))
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: &'static str,
        text: &str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn instant(&self, column: &'static str, micros: i64) -> Result<OffsetDateTime, StoreError> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn instant_option(
        &self,
        column: &'static str,
        micros: Option<i64>,
    ) -> Result<Option<OffsetDateTime>, StoreError> {
        micros.map(|micros| self.instant(column, micros)).transpose()
    }
}
