//! The baseline of SQLite: a loop that writes the rows of a filing with prepared statements and does nothing else.
//!
//! Same file, same settings (WAL, synchronous = FULL, foreign keys), as many filings in one commit as there are clients.

use std::time::Instant;

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, RunQueryDsl, SqliteConnection};

use super::figures::Pace;
use super::filed::{Field, Filed, Row, copy_number};
use super::world::CLIENTS;
use super::{BenchError, Bounds};

/// One `INSERT`, prepared once per connection, since its text is always the same.
struct Insert<'r> {
    row: &'r Row,
    texts: Vec<String>,
}

impl<'r> Insert<'r> {
    fn new(row: &'r Row, number: &str) -> Self {
        let texts = row.columns.iter().filter_map(|(_, field)| match field {
            Field::Text(parts) => Some(parts.join(number)),
            _ => None,
        });
        Self { row, texts: texts.collect() }
    }
}

impl QueryId for Insert<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Sqlite> for Insert<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("INSERT INTO ");
        pass.push_sql(self.row.table);
        let mut before = " (";
        for (name, _) in &self.row.columns {
            pass.push_sql(before);
            pass.push_identifier(name)?;
            before = ", ";
        }
        before = ") VALUES (";
        let mut texts = self.texts.iter();
        for (_, field) in &self.row.columns {
            pass.push_sql(before);
            match field {
                Field::Text(_) => {
                    if let Some(text) = texts.next() {
                        pass.push_bind_param::<Text, _>(text)?;
                    }
                }
                Field::Number(number) => pass.push_bind_param::<BigInt, _>(number)?,
                Field::Truth(truth) => pass.push_bind_param::<Bool, _>(truth)?,
                Field::Null => pass.push_sql("NULL"),
            }
            before = ", ";
        }
        pass.push_sql(")");
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for Insert<'_> {}

/// Writes copies of the filing until the bounds are reached.
pub(super) fn write(connection: &mut SqliteConnection, filed: &Filed, bounds: Bounds) -> Result<Pace, BenchError> {
    let started = Instant::now();
    let mut count = 0;
    while count < bounds.filings && started.elapsed() < bounds.time {
        AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")?;
        for _ in 0..CLIENTS {
            let number = copy_number(count);
            for row in &filed.rows {
                Insert::new(row, &number).execute(connection)?;
            }
            count += 1;
        }
        AnsiTransactionManager::commit_transaction(connection)?;
    }
    Ok(Pace::of(count, started.elapsed()))
}
