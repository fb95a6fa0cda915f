//! Rows as parameters of one statement, in the way that is cheapest for each database.
//!
//! The embedded one takes a list of `VALUES`, a server takes an array for each column: there is nothing to be parsed.
#![expect(clippy::ref_option_ref, reason = "a member of a row is borrowed as it is")]

use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel::{QueryResult, RunQueryDsl};

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

/// A statement around the rows that it is about; within it their columns are `column1`, `column2` and so on.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) before: String,
    pub(super) after: String,
}

/// The statement for the embedded database; prepared once per connection and number of rows.
pub(super) struct ForSqlite<'r> {
    pub(super) around: &'r Around,
    pub(super) rows: Vec<Vec<Cell<'r>>>,
}

impl QueryId for ForSqlite<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Sqlite> for ForSqlite<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql(&self.around.before);
        let mut before_row = "VALUES (";
        for row in &self.rows {
            let mut before_cell = before_row;
            for cell in row {
                pass.push_sql(before_cell);
                match cell {
                    Cell::Text(text) => pass.push_bind_param::<Nullable<Text>, _>(text)?,
                    Cell::BigInt(number) => pass.push_bind_param::<Nullable<BigInt>, _>(number)?,
                    Cell::Integer(number) => pass.push_bind_param::<Nullable<Integer>, _>(number)?,
                    Cell::Bool(truth) => pass.push_bind_param::<Nullable<Bool>, _>(truth)?,
                }
                before_cell = ", ";
            }
            before_row = "), (";
        }
        pass.push_sql(")");
        pass.push_sql(&self.around.after);
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for ForSqlite<'_> {}

#[cfg(feature = "postgres")]
pub(super) use postgres::ForPostgres;

#[cfg(feature = "postgres")]
mod postgres {
    use diesel::pg::{Pg, PgConnection};
    use diesel::query_builder::{AstPass, QueryFragment, QueryId};
    use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
    use diesel::{QueryResult, RunQueryDsl};

    use super::{Around, Cell};

    /// All values of one column.
    enum Column<'a> {
        Text(Vec<Option<&'a str>>),
        BigInt(Vec<Option<i64>>),
        Integer(Vec<Option<i32>>),
        Bool(Vec<Option<bool>>),
    }

    impl<'a> Column<'a> {
        /// A column that begins with `cell`; that of a row has one type in all rows.
        fn beginning(cell: Cell<'a>) -> Self {
            match cell {
                Cell::Text(text) => Self::Text(vec![text]),
                Cell::BigInt(number) => Self::BigInt(vec![number]),
                Cell::Integer(number) => Self::Integer(vec![number]),
                Cell::Bool(truth) => Self::Bool(vec![truth]),
            }
        }

        fn push(&mut self, cell: Cell<'a>) {
            match (self, cell) {
                (Self::Text(column), Cell::Text(text)) => column.push(text),
                (Self::BigInt(column), Cell::BigInt(number)) => column.push(number),
                (Self::Integer(column), Cell::Integer(number)) => column.push(number),
                (Self::Bool(column), Cell::Bool(truth)) => column.push(truth),
                _ => unreachable!("the cells of a column come from one member of one struct"),
            }
        }
    }

    /// The statement for a server; prepared once per connection, however many rows there are.
    pub(in crate::store) struct ForPostgres<'r> {
        around: &'r Around,
        columns: Vec<Column<'r>>,
        names: String,
    }

    impl<'r> ForPostgres<'r> {
        pub(in crate::store) fn new(around: &'r Around, rows: impl IntoIterator<Item = Vec<Cell<'r>>>) -> Self {
            let mut rows = rows.into_iter();
            let mut columns: Vec<_> = rows.next().unwrap_or_default().into_iter().map(Column::beginning).collect();
            for row in rows {
                for (column, cell) in columns.iter_mut().zip(row) {
                    column.push(cell);
                }
            }
            let names: Vec<_> = (1..=columns.len()).map(|number| format!("column{number}")).collect();
            Self { around, columns, names: names.join(", ") }
        }
    }

    impl QueryId for ForPostgres<'_> {
        type QueryId = ();
        const HAS_STATIC_QUERY_ID: bool = false;
    }

    impl QueryFragment<Pg> for ForPostgres<'_> {
        fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
            pass.push_sql(&self.around.before);
            let mut before = "SELECT * FROM unnest(";
            for column in &self.columns {
                pass.push_sql(before);
                match column {
                    Column::Text(texts) => pass.push_bind_param::<Array<Nullable<Text>>, _>(texts)?,
                    Column::BigInt(numbers) => pass.push_bind_param::<Array<Nullable<BigInt>>, _>(numbers)?,
                    Column::Integer(numbers) => pass.push_bind_param::<Array<Nullable<Integer>>, _>(numbers)?,
                    Column::Bool(truths) => pass.push_bind_param::<Array<Nullable<Bool>>, _>(truths)?,
                }
                before = ", ";
            }
            pass.push_sql(") AS given (");
            pass.push_sql(&self.names);
            pass.push_sql(")");
            pass.push_sql(&self.around.after);
            Ok(())
        }
    }

    impl RunQueryDsl<PgConnection> for ForPostgres<'_> {}
}
