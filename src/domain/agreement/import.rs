//! What an import of agreements answers, and which columns its CSV form has. Reads no file.

use serde::Serialize;

use super::rows;
use crate::domain::fault::Faults;
use crate::domain::id::AgreementId;

/// What became of all rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// How many agreements were created.
    pub created: usize,
    /// How many rows were refused.
    pub refused: usize,
    /// One result per row, in order.
    pub results: Vec<RowResult>,
}

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowResult {
    /// Counts from 1; the header line of a CSV file does not count.
    pub row: usize,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: RowOutcome,
}

/// Created or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum RowOutcome {
    /// The agreement is there.
    Created {
        /// Its id.
        agreement: AgreementId,
    },
    /// Nothing was stored for this row.
    Refused {
        /// Everything that is wrong with it.
        errors: Faults,
    },
}

/// Checks the header line of a CSV import once, so that not every row repeats its faults.
pub fn check_header(columns: &[&str]) -> Result<(), Faults> {
    let mut faults = Faults::default();
    let columns: Vec<_> = columns.iter().map(|column| column.trim()).collect();
    for (index, column) in columns.iter().enumerate() {
        if !rows::is_column(column) {
            faults.add(format!("/{column}"), "unknown_member", "This column is not known here.");
        } else if columns[..index].contains(column) {
            faults.add(format!("/{column}"), "duplicate", "There are two columns of this name.");
        }
    }
    for required in ["controller", "reference", "products", "valid_from"] {
        if !columns.contains(&required) {
            faults.add(format!("/{required}"), "required", format!("The column `{required}` is required."));
        }
    }
    let single = columns.contains(&"notify_within") && columns.contains(&"triggers");
    if !single && !columns.contains(&"terms") {
        faults.add(
            "/terms",
            "required",
            "A column `terms`, or the columns `notify_within` and `triggers`, are required.",
        );
    }
    faults.finish(Some(()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_checked_as_a_whole() {
        assert!(check_header(&["controller", " reference", "products", "valid_from", "terms"]).is_ok());
        assert!(
            check_header(&["controller", "reference", "products", "valid_from", "notify_within", "triggers"]).is_ok()
        );
        let faults = check_header(&["controller", "colour", "controller", "valid_from", "triggers"]).unwrap_err();
        let found: Vec<_> = faults.as_slice().iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        let expected = [
            ("/colour", "unknown_member"),
            ("/controller", "duplicate"),
            ("/reference", "required"),
            ("/products", "required"),
            ("/terms", "required"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn results_are_written_flat() {
        let mut errors = Faults::default();
        errors.add("/terms", "required", "No terms.");
        let refused = RowResult { row: 2, outcome: RowOutcome::Refused { errors } };
        let written = serde_json::to_value(&refused).unwrap();
        let expected = serde_json::json!({"row": 2, "status": "refused",
            "errors": [{"pointer": "/terms", "code": "required", "detail": "No terms."}]});
        assert_eq!(written, expected);
    }
}
