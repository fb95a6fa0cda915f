//! The rows that one filing left in the database, as a pattern for writing the same rows again without the service.

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl as _};
use serde_json::{Map, Value};

use super::BenchError;
use crate::store::AnyConnection;

/// Digits at the end of every id that a copy replaces.
const DIGITS: usize = 8;

/// All rows of one filing, parents first.
#[derive(Debug)]
pub(super) struct Filed {
    pub(super) rows: Vec<Row>,
}

/// One row: its table, and what stands in each column.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) table: &'static str,
    pub(super) columns: Vec<(String, Field)>,
}

/// What stands in a column.
#[derive(Debug)]
pub(super) enum Field {
    /// A text; between the parts goes the number of the copy, since an id of this filing ends there.
    Text(Vec<String>),
    Number(i64),
    Truth(bool),
    Null,
}

/// The number of a copy, as it stands in ids: as long as what it replaces, and ascending like real ids.
pub(super) fn copy_number(number: usize) -> String {
    format!("{:0DIGITS$}", number + 10_000_000)
}

/// The same in SQL: the id in `column` with the number of a copy, which the expression `number` gives.
pub(super) fn copied_id(column: &str, number: &str) -> String {
    format!("substr({column}, 1, length({column}) - {DIGITS}) || CAST(10000000 + {number} AS TEXT)")
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// What a query answers in its column `line`.
pub(super) fn lines(connection: &mut AnyConnection, sql: String) -> Result<Vec<String>, BenchError> {
    let lines: Vec<Line> = diesel::sql_query(sql).load(connection)?;
    Ok(lines.into_iter().map(|line| line.line).collect())
}

impl Filed {
    /// Reads the rows of the filing of `incident`, which came with the idempotency key `key`.
    pub(super) fn read(connection: &mut AnyConnection, incident: &str, key: &str) -> Result<Self, BenchError> {
        let mut found = Vec::new();
        for (table, column, value) in [
            ("idempotency", "key", key),
            ("incident", "id", incident),
            ("notice", "incident_id", incident),
            ("duty", "incident_id", incident),
            ("incident_version", "incident_id", incident),
            ("ledger", "stream", incident),
            ("ledger_stream", "stream", incident),
        ] {
            let condition = format!("{table} WHERE {column} = '{value}'");
            let query = match connection {
                AnyConnection::Sqlite(_) => {
                    let members = "group_concat('''' || name || ''', \"' || name || '\"', ', ')";
                    let columns =
                        lines(connection, format!("SELECT {members} AS line FROM pragma_table_info('{table}')"))?;
                    format!("SELECT json_object({}) AS line FROM {condition}", columns.concat())
                }
                #[cfg(feature = "postgres")]
                AnyConnection::Postgres(_) => format!("SELECT row_to_json({table})::text AS line FROM {condition}"),
            };
            for line in lines(connection, query)? {
                found.push((table, serde_json::from_str::<Map<String, Value>>(&line)?));
            }
        }
        Ok(Self::of(found, key))
    }

    fn of(found: Vec<(&'static str, Map<String, Value>)>, key: &str) -> Self {
        let own = found.iter().filter_map(|(_, row)| row.get("id")?.as_str().map(str::to_owned));
        let ids: Vec<String> = own.chain([key.to_owned()]).collect();
        let row = |(table, columns): (_, Map<String, Value>)| Row {
            table,
            // The database counts positions itself.
            columns: columns
                .into_iter()
                .filter(|(name, _)| name != "position")
                .map(|(name, value)| (name, Field::of(value, &ids)))
                .collect(),
        };
        Self { rows: found.into_iter().map(row).collect() }
    }
}

impl Field {
    fn of(value: Value, ids: &[String]) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Truth(truth),
            Value::Number(number) => Self::Number(number.as_i64().unwrap_or_default()),
            Value::String(text) => Self::Text(parts(&text, ids)),
            other => Self::Text(vec![other.to_string()]),
        }
    }
}

/// Cuts the last digits of every id out of `text`.
fn parts(text: &str, ids: &[String]) -> Vec<String> {
    const HOLE: char = '\u{1}';
    let mut text = text.to_owned();
    for id in ids {
        let kept = &id[..id.len() - DIGITS];
        text = text.replace(id.as_str(), &format!("{kept}{HOLE}"));
    }
    text.split(HOLE).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{copy_number, parts};

    #[test]
    fn a_copy_has_ids_of_its_own_and_nothing_else() {
        let ids = ["inc_01abcdefghijkl".to_owned(), "single-00000000".to_owned()];
        let pattern = parts("[\"inc_01abcdefghijkl\", \"org_01abcdefghijkl\", \"single-00000000\"]", &ids);
        let copy = pattern.join(&copy_number(7));
        assert_eq!(copy, "[\"inc_01abcd10000007\", \"org_01abcdefghijkl\", \"single-10000007\"]");
    }
}
