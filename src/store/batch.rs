//! One statement for many rows: the rows travel as one JSON text and are taken apart by the database.
//!
//! SQLite has no batch insert in Diesel's MultiConnection; this does the set-based work on both databases with the same rows.

use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::Text;
use diesel::{QueryResult, RunQueryDsl};
use serde::Serialize;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::few::{Cell, InsertFew};

type Backend = <AnyConnection as diesel::Connection>::Backend;

/// Up to so many rows go in with plain parameters, which costs a quarter for one row and a statement for each number of rows.
const FEW: usize = 8;

/// A statement with one JSON parameter. Unlike `sql_query` it is prepared once per connection.
struct WithJson {
    sql: String,
    json: String,
}

impl QueryId for WithJson {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Backend> for WithJson {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        let (before, after) = self.sql.split_once("$rows").unwrap_or((&self.sql, ""));
        pass.push_sql(before);
        pass.push_bind_param::<Text, _>(&self.json)?;
        pass.push_sql(after);
        Ok(())
    }
}

impl RunQueryDsl<AnyConnection> for WithJson {}

/// A row as it is inserted: its members are named like the columns of its table.
pub(crate) trait Row: Serialize {
    /// The table.
    const TABLE: &'static str;
    /// The columns.
    const COLUMNS: &'static [&'static str];

    /// What stands in them, in the same order.
    fn cells(&self) -> Vec<Cell<'_>>;
}

/// Says that the named members of a struct are the columns of one table.
macro_rules! columns {
    ($name:ty, $table:literal, $($column:ident)+) => {
        impl $crate::store::batch::Row for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$($crate::store::batch::column(stringify!($column))),+];

            fn cells(&self) -> Vec<$crate::store::few::Cell<'_>> {
                vec![$($crate::store::few::Cell::from(&self.$column)),+]
            }
        }
    };
}
pub(crate) use columns;

/// Declares a struct whose members are the columns of one table, for inserting.
macro_rules! row {
    ($(#[$meta:meta])* $name:ident in $table:literal { $($column:ident: $kind:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Serialize)]
        pub(crate) struct $name<'a> {
            $(pub(crate) $column: $kind,)+
        }

        $crate::store::batch::columns!($name<'_>, $table, $($column)+);
    };
}
pub(crate) use row;

/// The column that a member stands for; `r#type` is how Rust spells the word that SQL does not mind.
pub(crate) const fn column(member: &'static str) -> &'static str {
    match member.as_bytes() {
        b"r#type" => "type",
        _ => member,
    }
}

/// Inserts all `rows` in one statement.
pub(crate) fn insert<R: Row>(connection: &mut AnyConnection, rows: &[R]) -> Result<usize, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    if rows.len() <= FEW {
        let rows = rows.iter().map(Row::cells).collect();
        return Ok(InsertFew { table: R::TABLE, columns: R::COLUMNS, rows }.execute(connection)?);
    }
    let list = R::COLUMNS.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
    let from = source(connection, R::TABLE, R::COLUMNS);
    let sql = format!("INSERT INTO {} ({list}) {from}", R::TABLE);
    Ok(WithJson { sql, json: json(rows)? }.execute(connection)?)
}

/// Inserts those of `rows` that contradict no unique index, in one statement.
pub(crate) fn insert_missing<R: Row>(connection: &mut AnyConnection, rows: &[R]) -> Result<usize, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let list = R::COLUMNS.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
    let from = source(connection, R::TABLE, R::COLUMNS);
    let sql = format!("INSERT INTO {} ({list}) {from} WHERE true ON CONFLICT DO NOTHING", R::TABLE);
    Ok(WithJson { sql, json: json(rows)? }.execute(connection)?)
}

/// Inserts `rows`, or replaces the columns `set` of those whose `keys` are there already, in one statement.
pub(crate) fn upsert<R: Serialize>(
    connection: &mut AnyConnection,
    table: &str,
    keys: &[&str],
    set: &[&str],
    rows: &[R],
) -> Result<usize, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let columns = [keys, set].concat();
    let from = source(connection, table, &columns);
    let changes = set.iter().map(|column| format!("{column} = excluded.{column}")).collect::<Vec<_>>().join(", ");
    // `WHERE true` keeps SQLite from reading ON CONFLICT as a join condition.
    let sql = format!(
        "INSERT INTO {table} ({}) {from} WHERE true ON CONFLICT ({}) DO UPDATE SET {changes}",
        columns.join(", "),
        keys.join(", "),
    );
    Ok(WithJson { sql, json: json(rows)? }.execute(connection)?)
}

/// Sets the columns `set` of all rows whose `keys` equal those of a given row, in one statement; answers how many.
pub(crate) fn update<R: Serialize>(
    connection: &mut AnyConnection,
    table: &str,
    keys: &[&str],
    set: &[&str],
    rows: &[R],
) -> Result<usize, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let from = source(connection, table, &[keys, set].concat());
    let changes = set.iter().map(|column| format!("{column} = given.{column}")).collect::<Vec<_>>().join(", ");
    let fits = keys.iter().map(|key| format!("{table}.{key} = given.{key}")).collect::<Vec<_>>().join(" AND ");
    let sql = format!("UPDATE {table} SET {changes} FROM ({from}) AS given WHERE {fits}");
    Ok(WithJson { sql, json: json(rows)? }.execute(connection)?)
}

fn json<R: Serialize>(rows: &[R]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::Unwritable(error.to_string()))
}

/// The rows of the JSON parameter as a query with one column each.
fn source(connection: &AnyConnection, table: &str, columns: &[&str]) -> String {
    match connection {
        // `json_each` would write every row out as text again, once for each column.
        AnyConnection::Sqlite(_) => {
            let values: Vec<_> = columns.iter().map(|column| format!("value ->> '{column}' AS \"{column}\"")).collect();
            format!("SELECT {} FROM jsonb_each($rows)", values.join(", "))
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(_) => {
            let values: Vec<_> = columns.iter().map(|column| format!("\"{column}\"")).collect();
            format!("SELECT {} FROM json_populate_recordset(NULL::{table}, $rows::json)", values.join(", "))
        }
    }
}
