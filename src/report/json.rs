//! The machine shape of a report: the model, with a label in the chosen language beside every code.
//!
//! Times stay in UTC (RFC 3339), codes stay as they came; only `label` members depend on the language.

use serde_json::{Value, json};

use super::{Language, Report, ReportError};

/// Which members hold codes, and the label group of each. A path passes through lists without saying so.
const CODED: &[(&[&str], &str)] = &[
    (&["incident", "kind"], "kind"),
    (&["incident", "stage"], "stage"),
    (&["processor", "seat"], "seat"),
    (&["controller", "seat"], "seat"),
    (&["processor", "contacts", "role"], "contact_role"),
    (&["controller", "contacts", "role"], "contact_role"),
    (&["nature", "types"], "breach_type"),
    (&["nature", "cause"], "cause"),
    (&["data_categories"], "data_category"),
    (&["special_categories"], "special_category"),
    (&["subjects", "categories"], "subject_category"),
    (&["records", "categories"], "record_category"),
    (&["contact", "role"], "contact_role"),
    (&["consequences", "types"], "consequence"),
    (&["duties", "debtor"], "party"),
    (&["duties", "recipient"], "party"),
    (&["duties", "state"], "duty_state"),
    (&["duties", "counting_rule"], "counting_rule"),
    (&["duties", "legal_basis"], "legal_basis"),
    (&["duties", "about"], "member"),
    (&["instructions", "kind"], "instruction_kind"),
    (&["instructions", "form"], "instruction_form"),
    (&["instructions", "state"], "instruction_state"),
    (&["decisions", "notify_persons"], "notify_persons"),
    (&["filings", "stage"], "stage"),
    (&["notices", "kind"], "notice_kind"),
    (&["notices", "attempts", "channel"], "channel"),
    (&["notices", "attempts", "outcome"], "outcome"),
    (&["notices", "attempts", "failure"], "failure"),
    (&["open_items", "member"], "member"),
    (&["open_items", "legal_basis"], "legal_basis"),
];

/// Writes a report as JSON: every code becomes `{"code", "label"}`, every count gains a `label`.
///
/// Errors only where the model holds a time that RFC 3339 cannot express.
pub fn to_json(report: &Report, language: Language) -> Result<Value, ReportError> {
    let mut document = serde_json::to_value(report)?;
    let labels = language.labels();
    for (path, group) in CODED {
        change_at(&mut document, path, &|value| {
            if let Value::String(code) = value {
                // A legal basis can name an article and, after it, the clause of an agreement.
                let label: Vec<_> = code.split("; ").map(|part| labels.get(group, part)).collect();
                *value = json!({ "label": label.join("; "), "code": code });
            }
        });
    }
    for list in ["duties", "filings"] {
        // What is owed is said in the words of the catalogue, so that a new row needs no label here.
        change_at(&mut document, &[list, "obligation"], &|value| {
            *value = json!({ "label": value["title"][language.tag()], "code": value["code"] });
        });
    }
    for (member, count) in [("subjects", &report.subjects.count), ("records", &report.records.count)] {
        if let Some(count) = count {
            change_at(&mut document, &[member, "count"], &|value| value["label"] = language.count(count).into());
        }
    }
    document["language"] = language.tag().into();
    Ok(document)
}

/// Changes every value at a path, inside lists as well; what is absent stays absent.
fn change_at(value: &mut Value, path: &[&str], change: &dyn Fn(&mut Value)) {
    match (value, path) {
        (Value::Array(items), _) => items.iter_mut().for_each(|item| change_at(item, path, change)),
        (Value::Null, _) => {}
        (value, []) => change(value),
        (Value::Object(members), [name, rest @ ..]) => {
            if let Some(member) = members.get_mut(*name) {
                change_at(member, rest, change);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::report::samples;

    #[test]
    fn the_full_report_in_german() {
        insta::assert_json_snapshot!("full_german", to_json(&samples::full(), Language::German).unwrap());
    }

    #[test]
    fn the_provisional_report_in_english() {
        insta::assert_json_snapshot!("open_english", to_json(&samples::open(), Language::English).unwrap());
    }

    #[test]
    fn every_coded_path_leads_somewhere() {
        let mut sample = serde_json::to_value(samples::full()).unwrap();
        sample["open_items"] = serde_json::to_value(samples::open().open_items).unwrap();
        sample["duties"][0]["about"] = "subject_count".into();
        for (path, _) in CODED {
            let found = Cell::new(0);
            change_at(&mut sample, path, &|value| found.set(found.get() + usize::from(value.is_string())));
            assert!(found.get() > 0, "nothing at {path:?}");
        }
    }

    #[test]
    fn every_code_of_the_samples_has_a_german_label() {
        let document = to_json(&samples::full(), Language::German).unwrap().to_string();
        let coded = document.split(r#"{"code":""#).skip(1);
        for code in coded {
            let (code, rest) = code.split_once('"').unwrap();
            assert!(!rest.starts_with(&format!(r#","label":"{code}""#)) || code.contains('§'), "{code} has no label");
        }
    }
}
