//! The catalogue of obligations: law and contract duties as data. A change of law is a change of the file, never of code.

mod cases;
mod check;
mod compare;
mod frozen;
mod read;
mod row;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use time::Date;

use crate::domain::fault::Faults;
use crate::domain::parse::Place;

pub use cases::Conditions;
pub use compare::{Change, Comparison, Effect, FieldChange, RowChange};
pub use frozen::FrozenRow;
pub use row::{
    AgreementTerm, Binds, Cap, Debtor, Expiry, Fact, InvalidRowSpan, Obligation, Party, Recipient, RowSpan, Status,
    Threshold, Titles, Trigger, Weekends,
};

/// Every row, checked against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    version: String,
    rows: Vec<Arc<Obligation>>,
}

impl Catalogue {
    /// Reads the file of obligations and checks its rows against each other; answers all faults at once.
    pub fn parse(file: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(file).object(&mut faults).and_then(|mut object| {
            let version = object.required("version", &mut faults, |place, faults| place.text(64, faults));
            let rows = object.required("obligation", &mut faults, rows);
            object.close(&mut faults);
            Some(Self { version: version?, rows: rows? })
        });
        faults.finish(read)
    }

    /// The name of this state of the law.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every row, in the order of the file.
    pub fn rows(&self) -> &[Arc<Obligation>] {
        &self.rows
    }

    /// The rows that are law on `day`.
    pub fn in_force(&self, day: Date) -> impl Iterator<Item = &Arc<Obligation>> {
        self.rows.iter().filter(move |row| row.is_law_on(day))
    }
}

/// Which rows somebody wants to see; what is not given makes no difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only rows of this status.
    pub status: Option<Status>,
    /// Only rows of this regime.
    pub regime: Option<String>,
    /// Only rows that are valid on this day, whatever their status.
    pub on: Option<Date>,
}

/// Some rows of a catalogue, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Selected<'c> {
    /// The name of this state of the law.
    pub version: &'c str,
    /// The rows, in the order of the file.
    pub items: Vec<&'c Obligation>,
}

impl Catalogue {
    /// The rows that somebody wants to see.
    pub fn select(&self, wanted: &Selection) -> Selected<'_> {
        let is_wanted = |row: &&Obligation| {
            wanted.status.is_none_or(|status| row.status == status)
                && wanted.regime.as_ref().is_none_or(|regime| row.regime == *regime)
                && wanted.on.is_none_or(|day| row.is_valid_on(day))
        };
        let items = self.rows.iter().map(AsRef::as_ref).filter(is_wanted).collect();
        Selected { version: &self.version, items }
    }
}

/// Reads every row, and checks those that could be read even where others could not.
fn rows(place: &Place<'_>, faults: &mut Faults) -> Option<Vec<Arc<Obligation>>> {
    let mut read = Vec::new();
    let mut codes = BTreeSet::new();
    let listed = place.list(faults, |item, faults| {
        codes.extend(item.value["code"].as_str());
        read.push((item.pointer.clone(), Obligation::parse(item, faults)?));
        Some(())
    });
    if listed.as_ref().is_some_and(Vec::is_empty) {
        faults.add(&place.pointer, "empty", "The file has no row.");
        return None;
    }
    let before = faults.as_slice().len();
    check::rows(&read, &codes, faults);
    let sound = listed.is_some() && faults.as_slice().len() == before;
    sound.then(|| read.into_iter().map(|(_, row)| Arc::new(row)).collect())
}
