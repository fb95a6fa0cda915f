//! `openapi.yaml` as the judge of every answer: known status, media type, headers and schema.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use super::client::Answer;

/// The contract.
pub(crate) static SPEC: LazyLock<Spec> = LazyLock::new(Spec::load);

/// The contract, ready to judge.
pub(crate) struct Spec {
    document: Value,
    /// Every operation under `paths`.
    pub(crate) operations: Vec<Operation>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One operation.
pub(crate) struct Operation {
    /// In upper case.
    pub(crate) method: String,
    /// With its parameters in braces.
    pub(crate) path: String,
    /// `operationId`.
    pub(crate) id: String,
    /// As it stands in the file; parameters of the path included.
    pub(crate) value: Value,
}

impl Operation {
    /// Lists of scopes of which one is enough; none for those who need no token.
    pub(crate) fn scopes(&self) -> Vec<String> {
        let requirements = self.value["security"].as_array().map_or(&[][..], Vec::as_slice);
        requirements.iter().map(|requirement| requirement["bearer"][0].as_str().unwrap().to_owned()).collect()
    }

    /// Whether it needs a token.
    pub(crate) fn is_guarded(&self) -> bool {
        self.path.starts_with("/v1/")
    }

    /// Whether it changes something.
    pub(crate) fn is_mutating(&self) -> bool {
        self.method != "GET" && self.value["x-stores-nothing"] != true
    }
}

impl Spec {
    fn load() -> Self {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml")).unwrap();
        let document: Value = serde_saphyr::from_str(&text).unwrap();
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
                let mut value = operation.clone();
                let own = value["parameters"].as_array().cloned().unwrap_or_default();
                let shared = item["parameters"].as_array().cloned().unwrap_or_default();
                value["parameters"] = json!([shared, own].concat());
                let id = value["operationId"].as_str().unwrap_or_default().to_owned();
                operations.push(Operation { method: method.to_uppercase(), path: path.clone(), id, value });
            }
        }
        Self { document, operations, validators: Mutex::default() }
    }

    /// The whole file.
    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// What a `$ref` points to, or the value itself.
    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.document.pointer(&reference[1..]).unwrap_or_else(|| panic!("no {reference}")),
            None => value,
        }
    }

    /// The operation that a request goes to; plain segments win over parameters.
    pub(crate) fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let path = path.split('?').next().unwrap_or_default();
        let fitting =
            self.operations.iter().filter(|operation| operation.method == method && fits(&operation.path, path));
        fitting.min_by_key(|operation| operation.path.matches('{').count())
    }

    /// What is wrong with `instance` under `schema`.
    pub(crate) fn schema_faults(&self, schema: &Value, instance: &Value) -> Vec<String> {
        let validator = Arc::clone(self.validators.lock().unwrap().entry(schema.to_string()).or_insert_with(|| {
            let root = json!({"allOf": [schema], "components": self.document["components"]});
            let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
            Arc::new(options.build(&root).unwrap_or_else(|error| panic!("{schema} is no schema: {error}")))
        }));
        let describe = |error: jsonschema::ValidationError<'_>| format!("at `{}`: {error}", error.instance_path());
        validator.iter_errors(instance).map(describe).collect()
    }

    /// Everything in which an answer departs from the contract.
    pub(crate) fn faults(&self, method: &str, path: &str, sent: Option<&Value>, answer: &Answer) -> Vec<String> {
        let Some(operation) = self.operation(method, path) else {
            let problem = json!({"$ref": "#/components/schemas/Problem"});
            let mut faults = self.schema_faults(&problem, &answer.json);
            if ![404, 405].contains(&answer.status) {
                faults.push(format!("no such operation, but the status is {}", answer.status));
            }
            return faults;
        };
        let Some(response) = operation.value["responses"].get(answer.status.to_string()) else {
            return vec![format!("{} does not list status {}", operation.id, answer.status)];
        };
        let response = self.resolve(response);
        let mut faults = self.header_faults(response, answer);
        faults.extend(self.body_faults(response, answer));
        if answer.status < 300
            && let Some(sent) = sent
        {
            let schema = &operation.value["requestBody"]["content"]["application/json"]["schema"];
            let found = self.schema_faults(schema, sent);
            faults.extend(found.into_iter().map(|fault| format!("accepted a body that is not described: {fault}")));
        }
        faults
    }

    fn body_faults(&self, response: &Value, answer: &Answer) -> Vec<String> {
        let Some(content) = response["content"].as_object() else {
            return if answer.body.is_empty() { vec![] } else { vec!["a body where none is described".to_owned()] };
        };
        let given = answer.header("content-type").split(';').next().unwrap_or_default().trim();
        let Some(media) = content.get(given) else { return vec![format!("media type `{given}` is not listed")] };
        if given.ends_with("json") { self.schema_faults(&media["schema"], &answer.json) } else { vec![] }
    }

    /// Every described header must be there, but for the one that marks a repeated answer.
    fn header_faults(&self, response: &Value, answer: &Answer) -> Vec<String> {
        let described = response["headers"].as_object().into_iter().flatten();
        described
            .flat_map(|(name, header)| {
                let schema = &self.resolve(header)["schema"];
                match answer.headers.get(name).map(|value| value.to_str().unwrap()) {
                    None if name == "Idempotency-Replayed" => vec![],
                    None => vec![format!("header {name} is missing")],
                    Some(text) => {
                        let value = match schema["type"].as_str() {
                            Some("integer") => text.parse().map_or(Value::Null, |number: u64| json!(number)),
                            _ => json!(text),
                        };
                        let faults = self.schema_faults(schema, &value);
                        faults.into_iter().map(|fault| format!("header {name}: {fault}")).collect()
                    }
                }
            })
            .collect()
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(wanted, given)| wanted == given || wanted.starts_with('{'))
}
