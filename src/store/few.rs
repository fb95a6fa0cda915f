//! Inserting few rows with plain parameters: for them the database need not take a JSON document apart.
#![expect(clippy::ref_option_ref, reason = "a member of a row is borrowed as it is")]

use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel::{QueryResult, RunQueryDsl};

use super::connection::AnyConnection;

type Backend = <AnyConnection as diesel::Connection>::Backend;

/// What stands in one column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell<'a> {
    Text(Option<&'a str>),
    BigInt(Option<i64>),
    Integer(Option<i32>),
    Bool(Option<bool>),
}

/// Declares how values of a type become a cell, with and without `Option`.
macro_rules! cell {
    ($($kind:ty => |$value:ident| $variant:ident($cell:expr),)+) => {
        $(
            impl<'a> From<&'a $kind> for Cell<'a> {
                fn from($value: &'a $kind) -> Self {
                    Self::$variant(Some($cell))
                }
            }

            impl<'a> From<&'a Option<$kind>> for Cell<'a> {
                fn from(value: &'a Option<$kind>) -> Self {
                    Self::$variant(value.as_ref().map(|$value| $cell))
                }
            }
        )+
    };
}

cell! {
    &'a str => |value| Text(*value),
    String => |value| Text(value.as_str()),
    i64 => |value| BigInt(*value),
    i32 => |value| Integer(*value),
    bool => |value| Bool(*value),
}

/// `INSERT … VALUES`, prepared once per connection and number of rows.
pub(super) struct InsertFew<'r> {
    pub(super) table: &'static str,
    pub(super) columns: &'static [&'static str],
    pub(super) rows: Vec<Vec<Cell<'r>>>,
}

impl QueryId for InsertFew<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Backend> for InsertFew<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        pass.push_sql("INSERT INTO ");
        pass.push_sql(self.table);
        let mut before = " (";
        for column in self.columns {
            pass.push_sql(before);
            pass.push_identifier(column)?;
            before = ", ";
        }
        let mut between = ") VALUES (";
        for row in &self.rows {
            pass.push_sql(between);
            for (place, cell) in row.iter().enumerate() {
                if place > 0 {
                    pass.push_sql(", ");
                }
                match cell {
                    Cell::Text(text) => pass.push_bind_param::<Nullable<Text>, _>(text)?,
                    Cell::BigInt(number) => pass.push_bind_param::<Nullable<BigInt>, _>(number)?,
                    Cell::Integer(number) => pass.push_bind_param::<Nullable<Integer>, _>(number)?,
                    Cell::Bool(truth) => pass.push_bind_param::<Nullable<Bool>, _>(truth)?,
                }
            }
            between = "), (";
        }
        pass.push_sql(")");
        Ok(())
    }
}

impl RunQueryDsl<AnyConnection> for InsertFew<'_> {}
