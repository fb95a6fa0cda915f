//! The rows of the catalogue as they stood when duties were born from them. Rows are only ever added.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use diesel::prelude::*;
use serde_json::Value;

use super::connection::{AnyConnection, on_each};
use super::error::StoreError;
use super::row::{Door, text};
use super::schema::obligation_row;
use crate::domain::catalogue::{FrozenRow, Obligation};
use crate::domain::fault::Faults;
use crate::domain::parse::Place;

/// Keeps the words of `rows`, unless they are kept already.
pub fn keep(connection: &mut AnyConnection, rows: &[Arc<FrozenRow>]) -> Result<(), StoreError> {
    for row in rows {
        let words: &Obligation = row;
        let values = (
            obligation_row::id.eq(&row.id),
            obligation_row::code.eq(&row.code),
            obligation_row::content.eq(text(words)?),
        );
        on_each!(connection, inner => diesel::insert_into(obligation_row::table)
            .values(values)
            .on_conflict_do_nothing()
            .execute(inner))?;
    }
    Ok(())
}

/// Rows by id, as one statement reads them.
pub(super) struct Known(HashMap<String, Arc<FrozenRow>>);

impl Known {
    /// The rows `ids`, each read once however often it is named.
    pub(super) fn read<'i>(
        connection: &mut AnyConnection,
        ids: impl Iterator<Item = &'i str>,
    ) -> Result<Self, StoreError> {
        let ids: BTreeSet<&str> = ids.collect();
        if ids.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let rows: Vec<(String, String)> = obligation_row::table
            .filter(obligation_row::id.eq_any(ids))
            .select((obligation_row::id, obligation_row::content))
            .load(connection)?;
        rows.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The row of an id.
    pub(super) fn row(&self, id: &str) -> Option<Arc<FrozenRow>> {
        self.0.get(id).cloned()
    }
}

fn read((id, content): (String, String)) -> Result<(String, Arc<FrozenRow>), StoreError> {
    let door = Door { table: "obligation_row", id: &id };
    let value: Value = door.json("content", &content)?;
    let mut faults = Faults::default();
    let read = Obligation::parse(&Place::root(&value), &mut faults);
    let row = faults.finish(read).map_err(|_| door.corrupt("content"))?;
    Ok((id.clone(), Arc::new(FrozenRow::new(id, row))))
}
