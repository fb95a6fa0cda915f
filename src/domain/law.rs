//! Everything that a lawyer may change, read from data once at the start: obligations, regions with their holidays, authorities.

use serde_json::Value;

use super::authority::Authorities;
use super::calendar::Calendar;
use super::catalogue::Catalogue;
use super::fault::Faults;

/// The law as this process knows it. Duties that exist carry their own frozen copy and never look here again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Law {
    /// Who owes what.
    pub catalogue: Catalogue,
    /// Where which days are working days.
    pub calendar: Calendar,
    /// Who supervises whom.
    pub authorities: Authorities,
}

/// The three files, each as one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LawFiles {
    /// `obligations.toml`.
    pub obligations: Value,
    /// `regions.toml`.
    pub regions: Value,
    /// `authorities.toml`.
    pub authorities: Value,
}

/// What is wrong with the files; each message names the file, the row and the field.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the law files do not make sense:\n{}", .0.join("\n"))]
pub struct InvalidLaw(pub Vec<String>);

impl Law {
    /// Reads and checks all three files; answers everything that is wrong at once.
    pub fn parse(files: &LawFiles) -> Result<Self, InvalidLaw> {
        let mut wrong = Vec::new();
        let catalogue = note("obligations.toml", Catalogue::parse(&files.obligations), &mut wrong);
        let calendar = note("regions.toml", Calendar::parse(&files.regions), &mut wrong);
        let authorities = note("authorities.toml", Authorities::parse(&files.authorities), &mut wrong);
        match (catalogue, calendar, authorities) {
            (Some(catalogue), Some(calendar), Some(authorities)) => Ok(Self { catalogue, calendar, authorities }),
            _ => Err(InvalidLaw(wrong)),
        }
    }
}

fn note<T>(file: &str, read: Result<T, Faults>, wrong: &mut Vec<String>) -> Option<T> {
    let faults = match read {
        Ok(read) => return Some(read),
        Err(faults) => faults,
    };
    wrong.extend(faults.as_slice().iter().map(|fault| format!("{file}: {}: {}", fault.pointer, fault.detail)));
    None
}
