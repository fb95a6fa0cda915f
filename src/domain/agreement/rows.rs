//! Turns a row of a CSV import into the body it stands for. Judges no value; the body's own reader does.

use serde_json::{Map, Value};

use crate::domain::fault::Faults;

/// Columns beside the terms that hold one text.
const TEXTS: &[&str] = &["controller", "reference", "valid_from", "valid_until"];
/// Single terms that hold one text.
const TERMS: &[&str] = &[
    "notify_within",
    "complete_within",
    "subprocessor_objection",
    "counted_from",
    "form",
    "filing_on_behalf",
    "language",
    "internal_target",
    "clause",
];
/// Single terms that hold a list.
const TERM_LISTS: &[&str] = &["triggers", "required_content", "authorised_instructors", "data_location"];

/// Whether an import row may have a column of this name.
pub(super) fn is_column(column: &str) -> bool {
    matches!(column, "products" | "terms") || [TEXTS, TERMS, TERM_LISTS].iter().any(|names| names.contains(&column))
}

/// The JSON body that a row stands for.
pub(super) fn body(columns: &[&str], cells: &[&str]) -> Result<Value, Faults> {
    let mut faults = Faults::default();
    let (mut body, mut terms) = (Map::new(), Map::new());
    if columns.len() != cells.len() {
        let detail = format!("The row has {} cells, the header {} columns.", cells.len(), columns.len());
        faults.add("", "columns", detail);
    }
    for (column, cell) in columns.iter().zip(cells) {
        let (column, cell) = (column.trim(), cell.trim());
        let target =
            if TEXTS.contains(&column) || matches!(column, "products" | "terms") { &mut body } else { &mut terms };
        if target.contains_key(column) {
            faults.add(format!("/{column}"), "duplicate", "There are two columns of this name.");
        } else if let Some(value) = value(column, cell, &mut faults) {
            target.insert(column.to_owned(), value);
        }
    }
    if !terms.is_empty() {
        if body.contains_key("terms") {
            faults.add("/terms", "contradiction", "Give the terms as JSON or as single columns, not both.");
        }
        body.insert("terms".to_owned(), Value::Object(terms));
    }
    faults.finish(Some(Value::Object(body)))
}

fn value(column: &str, cell: &str, faults: &mut Faults) -> Option<Value> {
    let known = TEXTS.contains(&column) || TERMS.contains(&column);
    let list = column == "products" || TERM_LISTS.contains(&column);
    if !is_column(column) {
        faults.add(format!("/{column}"), "unknown_member", "This column is not known here.");
        return None;
    }
    if cell.is_empty() {
        return None;
    }
    if known {
        return Some(cell.into());
    }
    if list {
        return Some(cell.split(';').map(str::trim).filter(|item| !item.is_empty()).collect());
    }
    serde_json::from_str(cell).map_err(|error| faults.add("/terms", "json", format!("Not JSON: {error}."))).ok()
}
