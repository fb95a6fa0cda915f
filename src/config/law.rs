//! The files of the law: those built in, or those that configuration names instead. Judges no content.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Config;

const OBLIGATIONS: &str = include_str!("../../law/obligations.toml");
const REGIONS: &str = include_str!("../../law/regions.toml");
const AUTHORITIES: &str = include_str!("../../law/authorities.toml");

/// Where the files of the law are; those not named are built in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Law {
    /// Who owes what.
    pub obligations: Option<PathBuf>,
    /// Zones and holidays per region.
    pub regions: Option<PathBuf>,
    /// Supervisory authorities.
    pub authorities: Option<PathBuf>,
}

/// A file of the law as a document.
#[derive(Clone, Debug, PartialEq)]
pub struct LawDocument {
    /// The path, or the plain name of the file that is built in.
    pub name: String,
    /// Its content.
    pub content: Value,
}

/// The files of the law as documents.
#[derive(Clone, Debug, PartialEq)]
pub struct LawDocuments {
    /// `obligations.toml`.
    pub obligations: LawDocument,
    /// `regions.toml`.
    pub regions: LawDocument,
    /// `authorities.toml`.
    pub authorities: LawDocument,
}

/// A file of the law that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct LawFileError {
    file: String,
    problem: String,
}

/// Reads the files of the law.
///
/// # Errors
/// When one cannot be read or is no TOML; the message says where.
pub fn law_documents(config: &Config) -> Result<LawDocuments, LawFileError> {
    Ok(LawDocuments {
        obligations: obligations(config)?,
        regions: document(config.law.regions.as_deref(), "regions.toml", REGIONS)?,
        authorities: document(config.law.authorities.as_deref(), "authorities.toml", AUTHORITIES)?,
    })
}

/// The catalogue of obligations alone: the configured one, or the one built in.
///
/// # Errors
/// When it cannot be read or is no TOML; the message says where.
pub fn obligations(config: &Config) -> Result<LawDocument, LawFileError> {
    document(config.law.obligations.as_deref(), "obligations.toml", OBLIGATIONS)
}

/// The TOML file at `path` as a document, or the one built in.
///
/// # Errors
/// When it cannot be read or is no TOML; the message says where.
pub fn document(path: Option<&Path>, name: &str, built_in: &str) -> Result<LawDocument, LawFileError> {
    let file = path.map_or_else(|| name.to_owned(), |path| path.display().to_string());
    let fault = |problem: String| LawFileError { file: file.clone(), problem };
    let text = match path {
        Some(path) => std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?,
        None => built_in.to_owned(),
    };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| fault(error.to_string()))?;
    Ok(LawDocument { content: json(toml::Value::Table(table)), name: file })
}

/// TOML as JSON; days and times become texts, so that they may stand with or without quotes.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(members) => members.into_iter().map(|(name, value)| (name, json(value))).collect(),
    }
}
