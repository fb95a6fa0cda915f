//! Many rows with few statements, none of them per row.
//!
//! Diesel has no batch insert for a connection that may be either database, and neither has a batch update.

use diesel::RunQueryDsl;

#[cfg(feature = "postgres")]
use super::cell::ForPostgres;
use super::cell::{Around, Cell, ForSqlite};
use super::connection::AnyConnection;
use super::error::StoreError;

/// The most rows of one statement on the embedded database. Less than that goes by powers of two, so that few statements are
/// prepared.
const ROWS: usize = 64;
/// The most rows of one statement on a server: bounds what lies in memory as a message.
#[cfg(feature = "postgres")]
const ROWS_TO_SERVER: usize = 4096;

/// A row as it is written: its members are named like the columns of its table.
pub(crate) trait Row {
    /// The table.
    const TABLE: &'static str;
    /// The columns.
    const COLUMNS: &'static [&'static str];

    /// What stands in them, in the same order.
    fn cells(&self) -> Vec<Cell<'_>>;
}

/// Says that the named members of a struct are columns of one table.
macro_rules! columns {
    ($name:ty, $table:literal, $($column:ident)+) => {
        impl $crate::store::batch::Row for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$($crate::store::batch::column(stringify!($column))),+];

            fn cells(&self) -> Vec<$crate::store::cell::Cell<'_>> {
                vec![$($crate::store::cell::Cell::from(&self.$column)),+]
            }
        }
    };
}
pub(crate) use columns;

/// Declares a struct whose members are columns of one table, for writing.
macro_rules! row {
    ($(#[$meta:meta])* $name:ident in $table:literal { $($column:ident: $kind:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug)]
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

/// Inserts all `rows`.
pub(crate) fn insert<R: Row>(connection: &mut AnyConnection, rows: &[R]) -> Result<usize, StoreError> {
    let around = Around { before: inserting::<R>(), after: String::new() };
    execute(connection, &around, rows, Row::cells)
}

/// Inserts those of `rows` that contradict no unique index.
pub(crate) fn insert_missing<R: Row>(connection: &mut AnyConnection, rows: &[R]) -> Result<usize, StoreError> {
    let around = Around { before: inserting::<R>(), after: " ON CONFLICT DO NOTHING".to_owned() };
    execute(connection, &around, rows, Row::cells)
}

/// Inserts `rows`, or replaces what is not their `keys` in those that are there already.
pub(crate) fn upsert<R: Row>(connection: &mut AnyConnection, keys: &[&str], rows: &[R]) -> Result<usize, StoreError> {
    let others = R::COLUMNS.iter().filter(|column| !keys.contains(column));
    let changes: Vec<_> = others.map(|column| format!("\"{column}\" = excluded.\"{column}\"")).collect();
    let after = format!(" ON CONFLICT ({}) DO UPDATE SET {}", keys.join(", "), changes.join(", "));
    execute(connection, &Around { before: inserting::<R>(), after }, rows, Row::cells)
}

/// Sets the columns `set` of all rows whose `keys` equal those of a given row; answers how many.
pub(crate) fn update<R: Row>(
    connection: &mut AnyConnection,
    keys: &[&str],
    set: &[&str],
    rows: &[R],
) -> Result<usize, StoreError> {
    let table = R::TABLE;
    let given = |place: usize| format!("given.column{}", place + 1);
    let fits = keys.iter().enumerate().map(|(place, key)| format!("{table}.{key} = {}", given(place)));
    let changes = set.iter().enumerate().map(|(place, column)| format!("{column} = {}", given(keys.len() + place)));
    let around = Around {
        before: format!("UPDATE {table} SET {} FROM (", changes.collect::<Vec<_>>().join(", ")),
        after: format!(") AS given WHERE {}", fits.collect::<Vec<_>>().join(" AND ")),
    };
    let unknown = |wanted: &str| StoreError::Unwritable(format!("{table} is given no {wanted}"));
    let place = |wanted: &&str| R::COLUMNS.iter().position(|column| column == wanted).ok_or_else(|| unknown(wanted));
    let places: Vec<usize> = keys.iter().chain(set).map(place).collect::<Result<_, _>>()?;
    execute(connection, &around, rows, |row| {
        let cells = row.cells();
        places.iter().map(|place| cells[*place]).collect()
    })
}

fn inserting<R: Row>() -> String {
    let list: Vec<_> = R::COLUMNS.iter().map(|column| format!("\"{column}\"")).collect();
    format!("INSERT INTO {} ({}) ", R::TABLE, list.join(", "))
}

/// Runs the statement for all `rows`; answers how many rows of the table it was about.
fn execute<'r, R: Row>(
    connection: &mut AnyConnection,
    around: &'r Around,
    rows: &'r [R],
    cells: impl Fn(&'r R) -> Vec<Cell<'r>>,
) -> Result<usize, StoreError> {
    let mut count = 0;
    match connection {
        AnyConnection::Sqlite(inner) => {
            let mut rest = rows;
            while !rest.is_empty() {
                let (part, others) = rest.split_at(ROWS.min(1 << rest.len().ilog2()));
                count += ForSqlite { around, rows: part.iter().map(&cells).collect() }.execute(inner)?;
                rest = others;
            }
        }
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(inner) => {
            for part in rows.chunks(ROWS_TO_SERVER) {
                count += ForPostgres::new(around, part.iter().map(&cells)).execute(inner)?;
            }
        }
    }
    Ok(count)
}
