//! Agreements as they are entered (one by one, as import rows, as terms files) and shown. Stores nothing.

mod import;
mod rows;

use serde::Serialize;
use serde_json::Value;
use time::{Date, OffsetDateTime};

use super::{
    fault::Faults,
    id::{AgreementId, OrganisationId},
    incident::Link,
    parse::{Object, Place},
    terms::Terms,
};

pub use import::{Imported, RowOutcome, RowResult, check_header};

/// An agreement to be created: the controller and what was agreed with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewAgreement {
    /// The organisation that the processor works for.
    pub controller: OrganisationId,
    /// What was agreed.
    #[serde(flatten)]
    pub content: AgreementContent,
}

/// What one version of an agreement says; also the body of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgreementContent {
    /// The parties' own name for it, such as a file number.
    pub reference: String,
    /// The products it covers; at least one, each once.
    pub products: Vec<String>,
    /// The first day it holds.
    #[serde(with = "day::iso")]
    pub valid_from: Date,
    /// The last day it holds; none while open-ended.
    #[serde(skip_serializing_if = "Option::is_none", with = "day::iso::option")]
    pub valid_until: Option<Date>,
    /// The terms about telling the controller.
    pub terms: Terms,
}

/// One version of an agreement as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Its id.
    pub id: AgreementId,
    /// Counts from 1.
    pub version: i32,
    /// Who works for the controller.
    pub processor: Link,
    /// Whom the processor works for.
    pub controller: Link,
    /// The parties' own name for it.
    pub reference: String,
    /// The products it covers.
    pub products: Vec<String>,
    /// The first day it holds.
    #[serde(with = "day::iso")]
    pub valid_from: Date,
    /// The last day it holds; none while open-ended.
    #[serde(with = "day::iso::option")]
    pub valid_until: Option<Date>,
    /// The terms about telling the controller.
    pub terms: Terms,
    /// When the first version was written, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When this version was written, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub changed_at: OffsetDateTime,
}

/// A terms file: terms with or without the rest of an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermsFile {
    /// The controller, if the file is for one.
    pub controller: Option<OrganisationId>,
    /// The reference, if the file names one.
    pub reference: Option<String>,
    /// The products; may be empty.
    pub products: Vec<String>,
    /// The first day, if the file names one.
    pub valid_from: Option<Date>,
    /// The last day, if the file names one.
    pub valid_until: Option<Date>,
    /// The terms.
    pub terms: Terms,
}

/// Days are written as in ISO 8601.
mod day {
    time::serde::format_description!(pub(super) iso, Date, "[year]-[month]-[day]");
}

impl NewAgreement {
    /// Reads the body of `POST /v1/agreements`; answers all faults at once.
    pub fn parse(body: &Value) -> Result<Self, Faults> {
        read(body, |object, faults| {
            let controller = object.required("controller", faults, Place::parsed);
            let content = AgreementContent::members(object, faults);
            Some(Self { controller: controller?, content: content? })
        })
    }

    /// Reads one line of an NDJSON import: the body of `POST /v1/agreements` as one line of JSON.
    pub fn parse_ndjson_row(line: &str) -> Result<Self, Faults> {
        let body: Value = serde_json::from_str(line).map_err(|error| {
            let mut faults = Faults::default();
            faults.add("", "json", format!("Not JSON: {error}."));
            faults
        })?;
        Self::parse(&body)
    }

    /// Reads one row of a CSV import; `columns` is the header row.
    ///
    /// Columns are `controller`, `reference`, `products` (separated by `;`), `valid_from`, `valid_until`, and either
    /// `terms` as JSON or single terms by name, lists separated by `;`. An empty cell leaves the member out.
    pub fn parse_csv_row(columns: &[&str], cells: &[&str]) -> Result<Self, Faults> {
        Self::parse(&rows::body(columns, cells)?)
    }
}

impl AgreementContent {
    /// Reads the body of `PUT /v1/agreements/{id}`; answers all faults at once.
    pub fn parse(body: &Value) -> Result<Self, Faults> {
        read(body, Self::members)
    }

    fn members(object: &mut Object<'_>, faults: &mut Faults) -> Option<Self> {
        let reference = object.required("reference", faults, |place, faults| place.text(100, faults));
        let products = object.required("products", faults, products);
        let valid_from = object.required("valid_from", faults, Place::day);
        let valid_until = object.optional("valid_until", faults, Place::day);
        let terms = object.required("terms", faults, Terms::parse);
        ordered(valid_from, valid_until.flatten(), object, faults);
        Some(Self {
            reference: reference?,
            products: products?,
            valid_from: valid_from?,
            valid_until: valid_until?,
            terms: terms?,
        })
    }
}

impl TermsFile {
    /// Reads a terms file; only `terms` is required. Answers all faults at once.
    pub fn parse(file: &Value) -> Result<Self, Faults> {
        read(file, |object, faults| {
            let controller = object.optional("controller", faults, Place::parsed);
            let reference = object.optional("reference", faults, |place, faults| place.text(100, faults));
            let products = object.optional("products", faults, products);
            let valid_from = object.optional("valid_from", faults, Place::day);
            let valid_until = object.optional("valid_until", faults, Place::day);
            let terms = object.required("terms", faults, Terms::parse);
            ordered(valid_from.flatten(), valid_until.flatten(), object, faults);
            Some(Self {
                controller: controller?,
                reference: reference?,
                products: products?.unwrap_or_default(),
                valid_from: valid_from?,
                valid_until: valid_until?,
                terms: terms?,
            })
        })
    }
}

/// Reads a whole document with `members`, which leaves no member unread.
fn read<T>(document: &Value, members: impl FnOnce(&mut Object<'_>, &mut Faults) -> Option<T>) -> Result<T, Faults> {
    let mut faults = Faults::default();
    let read = Place::root(document).object(&mut faults).and_then(|mut object| {
        let read = members(&mut object, &mut faults);
        object.close(&mut faults);
        read
    });
    faults.finish(read)
}

fn ordered(from: Option<Date>, until: Option<Date>, object: &Object<'_>, faults: &mut Faults) {
    if matches!((from, until), (Some(from), Some(until)) if until < from) {
        faults.add(format!("{}/valid_until", object.pointer()), "time_order", "The last day lies before the first.");
    }
}

fn products(place: &Place<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    Some(place.filled_set(faults, product)?.into_iter().collect())
}

/// Reads the processor's short name of a product, at most 64 characters.
pub(super) fn product(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let text = place.text(64, faults)?;
    if text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')) {
        return Some(text);
    }
    faults.add(&place.pointer, "product", "Expected lower-case letters, digits, full stops, underscores and hyphens.");
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn body() -> Value {
        json!({"controller": OrganisationId::from_bytes([1; 16]), "reference": "AVV-2026-017", "products": ["azubiheft"],
               "valid_from": "2026-01-01", "terms": {"notify_within": "PT24H", "triggers": ["personal_data_breach"]}})
    }

    fn pointers<T: std::fmt::Debug>(read: Result<T, Faults>) -> Vec<String> {
        read.unwrap_err().as_slice().iter().map(|fault| fault.pointer.clone()).collect()
    }

    #[test]
    fn an_agreement_is_written_and_read_back() {
        let read = NewAgreement::parse(&body()).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!((&written["valid_from"], written.get("valid_until")), (&json!("2026-01-01"), None));
        assert_eq!(NewAgreement::parse(&written).unwrap(), read);
        assert_eq!(NewAgreement::parse_ndjson_row(&body().to_string()).unwrap(), read);
    }

    #[test]
    fn a_change_keeps_the_controller() {
        assert_eq!(pointers(AgreementContent::parse(&body())), ["/controller"]);
        let mut change = body();
        change.as_object_mut().unwrap().remove("controller");
        assert!(AgreementContent::parse(&change).is_ok());
    }

    #[test]
    fn all_faults_come_at_once() {
        let mut bad = body();
        bad["controller"] = json!("agr_1");
        bad["products"] = json!([]);
        bad["valid_until"] = json!("2025-12-31");
        bad["terms"]["triggers"] = Value::Null;
        assert_eq!(
            pointers(NewAgreement::parse(&bad)),
            ["/controller", "/products", "/terms/triggers", "/valid_until"]
        );
        assert_eq!(pointers(NewAgreement::parse_ndjson_row("{")), [""]);
    }

    #[test]
    fn a_csv_row_gives_the_same_agreement_with_terms_as_json_or_as_columns() {
        let controller = OrganisationId::from_bytes([1; 16]);
        let start = [controller.as_str(), "AVV-2026-017", "azubiheft", "2026-01-01"];
        let columns = ["controller", "reference", "products", "valid_from"];
        let json = NewAgreement::parse_csv_row(
            &[&columns[..], &["terms"]].concat(),
            &[&start[..], &[r#"{"notify_within": "PT24H", "triggers": ["personal_data_breach"]}"#]].concat(),
        );
        let flat = NewAgreement::parse_csv_row(
            &[&columns[..], &["notify_within", "triggers", "form", "data_location"]].concat(),
            &[&start[..], &["PT24H", "personal_data_breach", "", ""]].concat(),
        );
        assert_eq!(json.unwrap(), NewAgreement::parse(&body()).unwrap());
        assert_eq!(flat.unwrap(), NewAgreement::parse(&body()).unwrap());
    }

    #[test]
    fn a_csv_row_names_what_is_wrong_with_its_columns() {
        let row = NewAgreement::parse_csv_row(&["reference", "colour", "terms", "form"], &["A", "red", "{", "text"]);
        assert_eq!(pointers(row), ["/colour", "/terms"]);
        assert_eq!(pointers(NewAgreement::parse_csv_row(&["reference"], &[])), [""]);
        let lists = NewAgreement::parse_csv_row(&["products", "triggers"], &["a; b", "disruption;fire"]);
        let expected = ["/controller", "/reference", "/valid_from", "/terms/notify_within", "/terms/triggers/1"];
        assert_eq!(pointers(lists), expected);
    }

    #[test]
    fn a_terms_file_needs_terms_only() {
        let file = TermsFile::parse(&json!({"terms": body()["terms"]})).unwrap();
        assert_eq!((file.reference, file.products), (None, vec![]));
        assert_eq!(pointers(TermsFile::parse(&json!({"reference": "x"}))), ["/terms"]);
    }
}
