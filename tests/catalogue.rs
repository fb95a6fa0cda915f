//! The catalogue of obligations as a file: the one that is shipped, and what is wrong with others.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use art33::domain::{
    catalogue::{Catalogue, Obligation},
    fault::Faults,
    law::LawFile,
    parse::Place,
};
use serde_json::Value;

fn shipped() -> LawFile {
    let document = art33::config::document(Some("law/obligations.toml".as_ref()), "", "").unwrap();
    LawFile { name: "obligations.toml".to_owned(), content: document.content }
}

fn read(row: &Value) -> Result<Obligation, Faults> {
    let mut faults = Faults::default();
    let read = Obligation::parse(&Place::root(row), &mut faults);
    faults.finish(read)
}

#[test]
fn every_row_is_read_back_as_it_was_written() {
    let catalogue = Catalogue::from_file(&shipped()).unwrap_or_else(|error| panic!("{error}"));
    for row in catalogue.rows() {
        let written = serde_json::to_value(row.as_ref()).unwrap();
        assert_eq!(read(&written).as_ref(), Ok(row.as_ref()), "{written}");
    }
}
