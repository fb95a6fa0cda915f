//! A condition that a column holds one of many texts, as one prepared statement however many they are.
//!
//! `eq_any` on the connection enum makes another statement for every number of texts, and none of them is kept prepared.

use diesel::expression::{AppearsOnTable, Expression, ValidGrouping};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Bool, Text};
use diesel::{Column, QueryResult};

use super::connection::AnyConnection;
use super::error::StoreError;
use super::row::text;

/// `column` is one of the texts of a JSON list.
#[derive(Debug, Clone, QueryId)]
pub(crate) struct Among<C> {
    column: C,
    list: &'static str,
    texts: String,
}

/// Holds where `column` is one of `texts`, a list of whatever is written as text.
pub(crate) fn among<C: Column>(
    connection: &AnyConnection,
    column: C,
    texts: &[impl serde::Serialize],
) -> Result<Among<C>, StoreError> {
    let list = match connection {
        AnyConnection::Sqlite(_) => " IN (SELECT value FROM json_each($texts))",
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(_) => " = ANY (ARRAY(SELECT json_array_elements_text($texts::json)))",
    };

    Ok(Among { column, list, texts: text(&texts)? })
}

impl<C: Expression> Expression for Among<C> {
    type SqlType = Bool;
}

impl<C, S> AppearsOnTable<S> for Among<C>
where
    C: AppearsOnTable<S>,
    Self: Expression,
{
}

impl<C, G> ValidGrouping<G> for Among<C> {
    type IsAggregate = diesel::expression::is_aggregate::No;
}

impl<C, DB> QueryFragment<DB> for Among<C>
where
    DB: diesel::backend::Backend + diesel::sql_types::HasSqlType<Text>,
    C: QueryFragment<DB>,
    String: diesel::serialize::ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let (before, after) = self.list.split_once("$texts").unwrap_or((self.list, ""));
        self.column.walk_ast(pass.reborrow())?;
        pass.push_sql(before);
        pass.push_bind_param::<Text, _>(&self.texts)?;
        pass.push_sql(after);
        Ok(())
    }
}
