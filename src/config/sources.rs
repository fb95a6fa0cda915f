//! Puts defaults, file and environment on top of each other, as text per key with its origin.
//! What a text means is not decided here; unknown names and wrong TOML types are.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Value;

use super::settings::{Kind, SETTINGS, Setting, by_key};

/// The variable that names the configuration file; the only one outside the table.
const FILE_VARIABLE: &str = "ART33_CONFIG";
/// Variables of tests and benchmarks, which no running service reads.
const FOREIGN_PREFIXES: [&str; 2] = ["ART33_TEST_", "ART33_BENCH_"];

/// Where settings come from; tests build one by hand.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Directory in which `art33.toml` is looked for.
    pub directory: PathBuf,
    /// The file named on the command line; it must exist.
    pub file: Option<PathBuf>,
    /// The environment; only names that begin with `ART33_` are looked at.
    pub environment: Vec<(String, String)>,
}

impl Sources {
    /// Working directory and environment of this process.
    pub fn process(file: Option<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        Self { directory: PathBuf::from("."), file, environment }
    }
}

/// Where one value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File,
    Environment,
}

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable, or the file and key.
    pub place: String,
    /// What is wrong and what is expected.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.problem)
    }
}

/// All values as text, before they are understood.
#[derive(Debug)]
pub(super) struct Merged {
    texts: BTreeMap<&'static str, (String, Origin)>,
    file: PathBuf,
    pub(super) faults: Vec<Fault>,
}

impl Merged {
    /// Reads all sources; never fails, but notes every fault.
    pub(super) fn read(sources: &Sources) -> Self {
        let defaults = SETTINGS.iter().map(|s| (s.key, (s.default.to_owned(), Origin::Default)));
        let named = sources
            .file
            .clone()
            .or_else(|| sources.environment.iter().find(|(name, _)| name == FILE_VARIABLE).map(|e| e.1.clone().into()));
        let (file, must_exist) = match named {
            Some(file) => (file, true),
            None => (sources.directory.join("art33.toml"), false),
        };
        let mut merged = Self { texts: defaults.collect(), file, faults: Vec::new() };
        merged.add_file(must_exist);
        merged.add_environment(&sources.environment);
        merged
    }

    /// The text of a setting and where it came from.
    pub(super) fn get(&self, key: &str) -> (&str, Origin) {
        self.texts.get(key).map_or(("", Origin::Default), |(text, origin)| (text, *origin))
    }

    /// The name under which the user gave a setting.
    pub(super) fn place(&self, setting: &Setting) -> String {
        match self.get(setting.key).1 {
            Origin::Environment => setting.variable.to_owned(),
            Origin::File => self.in_file(setting.key),
            Origin::Default => format!("default of {}", setting.key),
        }
    }

    /// The file that was looked at, whether or not it was there.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn fault(&mut self, place: String, problem: String) {
        self.faults.push(Fault { place, problem });
    }

    fn in_file(&self, key: &str) -> String {
        format!("{}: {key}", self.file.display())
    }

    fn add_file(&mut self, must_exist: bool) {
        let text = match std::fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => return,
            Err(error) => return self.fault(self.file.display().to_string(), format!("cannot be read: {error}")),
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.add_table("", table),
            // The error's own display quotes the line, which may hold a secret.
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                self.fault(format!("{}, line {line}", self.file.display()), error.message().to_owned());
            }
        }
    }

    fn add_table(&mut self, prefix: &str, table: toml::Table) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            let is_section = SETTINGS.iter().any(|s| s.key.strip_prefix(&key).is_some_and(|r| r.starts_with('.')));
            match (by_key(&key), value) {
                (Some(setting), value) => match text_of(setting.kind, &value) {
                    Some(text) => drop(self.texts.insert(setting.key, (text, Origin::File))),
                    None => self.fault(self.in_file(&key), wrong_type(setting)),
                },
                (None, Value::Table(inner)) if is_section => self.add_table(&key, inner),
                (None, _) => {
                    let problem = unknown(&key, SETTINGS.iter().map(|setting| setting.key));
                    self.fault(self.in_file(&key), problem);
                }
            }
        }
    }

    fn add_environment(&mut self, environment: &[(String, String)]) {
        for (name, value) in environment {
            let foreign = !name.starts_with("ART33_") || FOREIGN_PREFIXES.iter().any(|p| name.starts_with(p));
            if foreign || name == FILE_VARIABLE {
                continue;
            }
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.variable == name) {
                self.texts.insert(setting.key, (value.clone(), Origin::Environment));
            } else {
                let names = SETTINGS.iter().map(|setting| setting.variable).chain([FILE_VARIABLE]);
                self.fault(name.clone(), unknown(name, names));
            }
        }
    }
}

/// The text form of a TOML value, or nothing where its type is not the setting's.
fn text_of(kind: Kind, value: &Value) -> Option<String> {
    match (kind, value) {
        (Kind::Text | Kind::Secret | Kind::DatabaseUrl, Value::String(text)) => Some(text.clone()),
        (Kind::Number, Value::Integer(number)) => Some(number.to_string()),
        (Kind::Boolean, Value::Boolean(answer)) => Some(answer.to_string()),
        (Kind::List, Value::Array(items)) => {
            let texts: Option<Vec<String>> = items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Some(text.clone()),
                    Value::Integer(number) => Some(number.to_string()),
                    _ => None,
                })
                .collect();
            Some(texts?.join(","))
        }
        (Kind::Issuers, Value::Array(_)) => serde_json::to_string(value).ok(),
        _ => None,
    }
}

fn wrong_type(setting: &Setting) -> String {
    let written = match setting.kind {
        Kind::Text | Kind::Secret | Kind::DatabaseUrl => "a quoted string",
        Kind::Number => "a number without quotes",
        Kind::Boolean => "true or false without quotes",
        Kind::List => "an array",
        Kind::Issuers => "[[issuers]] tables",
    };
    format!("has the wrong type; write {written}: {}", setting.expects)
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let nearest = known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.85);
    match nearest {
        Some((_, candidate)) => format!("is not a setting; did you mean {candidate}?"),
        None => "is not a setting".to_owned(),
    }
}
