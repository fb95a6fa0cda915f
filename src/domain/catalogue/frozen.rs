//! A row of the catalogue together with the id under which its words are kept for the duties born from it.

use std::ops::Deref;

use super::Obligation;

/// A row as it stood when duties were born from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenRow {
    /// SHA-256 of the row as JSON, hexadecimal; the same words have the same id.
    pub id: String,
    row: Obligation,
}

impl FrozenRow {
    /// The row under its id.
    pub fn new(id: String, row: Obligation) -> Self {
        Self { id, row }
    }
}

impl Deref for FrozenRow {
    type Target = Obligation;

    fn deref(&self) -> &Obligation {
        &self.row
    }
}
