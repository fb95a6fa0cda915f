//! Agreements as they are entered: one by one, as import rows and as terms files. Stores nothing.

mod rows;

use serde::Serialize;
use serde_json::Value;
use time::Date;

use super::{
    fault::Faults,
    id::OrganisationId,
    parse::{Object, Place},
    terms::Terms,
};

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
            let controller = object.required("controller", faults, |place, faults| place.parsed(faults));
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
        let reference = object.required("reference", faults, |place, faults| place.text(200, faults));
        let products = object.required("products", faults, products);
        let valid_from = object.required("valid_from", faults, |place, faults| place.day(faults));
        let valid_until = object.optional("valid_until", faults, |place, faults| place.day(faults));
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
            let controller = object.optional("controller", faults, |place, faults| place.parsed(faults));
            let reference = object.optional("reference", faults, |place, faults| place.text(200, faults));
            let products = object.optional("products", faults, products);
            let valid_from = object.optional("valid_from", faults, |place, faults| place.day(faults));
            let valid_until = object.optional("valid_until", faults, |place, faults| place.day(faults));
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

/// Reads the name of a product, at most 100 characters; `;` separates names in import rows and so cannot be in one.
pub(super) fn product(place: &Place<'_>, faults: &mut Faults) -> Option<String> {
    let text = place.text(100, faults)?;
    if text.contains(';') {
        faults.add(&place.pointer, "product", "The name of a product cannot contain `;`.");
        return None;
    }
    Some(text)
}
