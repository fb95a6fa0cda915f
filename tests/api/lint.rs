//! `openapi.yaml` itself: every operation is complete, every example fits, nothing stands there unused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::spec::{Operation, SPEC};

fn each(check: impl Fn(&Operation) -> Vec<String>) {
    let faults: Vec<String> = SPEC
        .operations
        .iter()
        .flat_map(|operation| check(operation).into_iter().map(|fault| format!("{}: {fault}", operation.id)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The pointers of all values in the file that `choose` picks.
fn find(choose: impl Fn(&str, &Value) -> bool) -> Vec<(String, &'static Value)> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), SPEC.document())];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    if choose(name, member) {
                        found.push((pointer.clone(), member));
                    }
                    open.push((pointer, member));
                }
            }
            Value::Array(items) => {
                open.extend(items.iter().enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item)));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_operation_is_named_once_and_described() {
    let mut ids = BTreeSet::new();
    let known: Vec<_> = SPEC.document()["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for operation in &SPEC.operations {
        assert!(!operation.id.is_empty() && ids.insert(&operation.id), "`{}` is no unique name", operation.id);
        let summary = operation.value["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty(), "{} has no summary", operation.id);
        let tags = operation.value["tags"].as_array().unwrap();
        assert!(tags.len() == 1 && known.contains(&&tags[0]), "{}: {tags:?}", operation.id);
    }
}

#[test]
fn every_operation_lists_what_can_go_wrong() {
    each(|operation| {
        let takes = |location: &str, name: &str| {
            let parameters = operation.value["parameters"].as_array().unwrap().iter();
            parameters.map(|p| SPEC.resolve(p)).any(|p| p["in"] == location && (name.is_empty() || p["name"] == name))
        };
        let has_body = !operation.value["requestBody"].is_null();
        let expected = [
            ("500", true),
            ("400", operation.is_guarded()),
            ("401", operation.is_guarded()),
            ("403", operation.is_guarded()),
            ("429", operation.is_guarded()),
            ("503", operation.is_guarded()),
            ("404", takes("path", "")),
            ("413", has_body),
            ("415", has_body),
            ("422", has_body),
            ("409", takes("header", "Idempotency-Key")),
            ("412", takes("header", "If-Match")),
            ("428", takes("header", "If-Match")),
        ];
        let responses = &operation.value["responses"];
        let missing = expected.iter().filter(|(status, wanted)| *wanted && responses[*status].is_null());
        missing.map(|(status, _)| format!("does not list {status}")).collect()
    });
}

#[test]
fn every_refusal_is_a_problem() {
    each(|operation| {
        let responses = operation.value["responses"].as_object().unwrap().iter();
        let refusals = responses.filter(|(status, _)| status.as_str() >= "400");
        // Pages for people answer people; what only asks whether there is one gets no body at all.
        let is_page = operation.path.starts_with("/l/");
        let is_problem = |response: &Value| {
            let content = SPEC.resolve(response)["content"].as_object();
            let is_only = |kind: &str| content.is_some_and(|content| content.keys().eq([kind]));
            operation.id == "probeLink" || is_only("application/problem+json") || is_page && is_only("text/html")
        };
        refusals.filter(|(_, response)| !is_problem(response)).map(|(status, _)| format!("{status} is none")).collect()
    });
}

#[test]
fn every_example_fits_its_schema() {
    let media = find(|name, value| name.contains('/') && !value["schema"].is_null() && !value["examples"].is_null());
    assert!(media.len() > 40, "only {} places with examples were found", media.len());
    for (pointer, media) in media {
        for (name, example) in media["examples"].as_object().unwrap() {
            let faults = SPEC.schema_faults(&media["schema"], &SPEC.resolve(example)["value"]);
            assert!(faults.is_empty(), "{pointer}/examples/{name}:\n{}", faults.join("\n"));
        }
    }
}

#[test]
fn no_description_is_cut_by_a_comma() {
    // In a flow mapping what follows an unquoted comma is read as a member without a value.
    let cut = find(|name, value| value.is_null() && name.contains(' '));
    assert!(cut.is_empty(), "{cut:?}");
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let used: BTreeSet<String> = find(|name, value| name == "$ref" && value.is_string())
        .into_iter()
        .map(|(_, reference)| reference.as_str().unwrap()[1..].to_owned())
        .collect();
    for reference in &used {
        assert!(SPEC.document().pointer(reference).is_some(), "nothing at {reference}");
    }
    for (kind, components) in SPEC.document()["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            let pointer = format!("/components/{kind}/{name}");
            assert!(used.contains(&pointer), "{pointer} is used nowhere");
        }
    }
}

#[test]
fn the_judge_refuses_what_is_not_described() {
    let link = json!({"$ref": "#/components/schemas/Link"});
    let good = json!({"id": "org_01m809ffhneymvgnhytpke0jv4", "name": "Beispielwerk AG"});
    assert_eq!(SPEC.schema_faults(&link, &good), [""; 0]);
    for bad in [json!({"id": "org_1", "name": "x"}), json!({"id": good["id"], "name": "x", "more": 1}), json!(null)] {
        assert!(!SPEC.schema_faults(&link, &bad).is_empty(), "{bad}");
    }
    let problem = json!({"$ref": "#/components/schemas/Problem"});
    let mut unknown =
        json!({"type": "urn:art33:problem:not-found", "title": "", "status": 404, "detail": "", "instance": ""});
    assert_eq!(SPEC.schema_faults(&problem, &unknown), [""; 0]);
    unknown["reason"] = json!("not described");
    assert!(!SPEC.schema_faults(&problem, &unknown).is_empty());
    assert_eq!(SPEC.operation("POST", "/v1/agreements/import?atomic=true").unwrap().id, "importAgreements");
    assert!(SPEC.operation("GET", "/v1/nothing").is_none());
}
