//! `art33 import`: agreements from files, through the same verb as over HTTP.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::grant::organisation;
use super::{CliError, print, runtime};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::actor::Actor;
use crate::domain::agreement::NewAgreement;
use crate::domain::fault::Faults;
use crate::domain::id::OrganisationId;
use crate::http::{Form, rows};
use crate::service::{ImportRow, ServiceError};

/// What to import, and for whom.
#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// The files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The processor whose agreements they are.
    #[arg(long, value_name = "ID", value_parser = organisation)]
    org: OrganisationId,
    /// The controller, for terms files that name none.
    #[arg(long, value_name = "ID", value_parser = organisation)]
    controller: Option<OrganisationId>,
    /// All agreements or none.
    #[arg(long)]
    atomic: bool,
}

/// Prints one line per agreement; fails when one is refused.
pub(super) fn run(config: &Config, wanted: &ImportArguments) -> Result<(), CliError> {
    let mut places = Vec::new();
    let mut agreements = Vec::new();
    for file in &wanted.files {
        for (index, row) in read(file, wanted)?.into_iter().enumerate() {
            places.push(format!("{}, {}", file.display(), index + 1));
            agreements.push(row);
        }
    }
    let service = app::open(config)?;
    let actor = Actor { subject: "art33-import".to_owned(), ..Actor::service(wanted.org.clone()) };
    let imported = service.import_agreements(actor, agreements, wanted.atomic, None);
    let results = match runtime()?.block_on(imported) {
        Ok(answer) => serde_json::from_str::<Value>(&answer.body).map_err(ServiceError::from)?["results"].take(),
        Err(ServiceError::RowsRefused { results, .. }) => json!(results),
        Err(error) => return Err(error.into()),
    };
    let results = results.as_array().map_or(&[][..], Vec::as_slice);
    print(&results.iter().map(|result| line(&places, result)).collect::<String>())?;
    let nothing = if wanted.atomic { "; nothing was stored" } else { "" };
    match results.iter().filter(|result| result["status"] == "refused").count() {
        0 => Ok(()),
        refused => Err(CliError::Refused(format!("{refused} of {} agreements were refused{nothing}", places.len()))),
    }
}

fn line(places: &[String], result: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = result["row"].as_u64().and_then(|row| usize::try_from(row).ok()).unwrap_or_default();
    let place = places.get(row.saturating_sub(1)).map_or("", String::as_str);
    let faults = result["errors"].as_array().into_iter().flatten();
    let faults = faults.map(|fault| format!("\n  {}: {}", text(&fault["pointer"]), text(&fault["detail"])));
    let faults: String = faults.collect();
    format!("{place}: {} {}{faults}\n", text(&result["status"]), text(&result["agreement"]))
}

fn listed(faults: &Faults) -> String {
    let each = faults.as_slice().iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail));
    each.collect::<Vec<_>>().join("; ")
}

fn read(file: &Path, wanted: &ImportArguments) -> Result<Vec<ImportRow>, CliError> {
    let refused = |reason: String| CliError::Refused(format!("{}: {reason}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
    let whole = |form| rows(form, &bytes).map_err(|faults| refused(listed(&faults)));
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("ndjson" | "jsonl") => whole(Form::Ndjson),
        Some("csv") => whole(Form::Csv),
        Some("toml") => {
            let text = std::str::from_utf8(&bytes).map_err(|error| refused(error.to_string()))?;
            let terms = toml::from_str(text).map_err(|error| refused(error.message().to_owned()))?;
            Ok(vec![agreement(terms, wanted)])
        }
        _ => Err(refused("expected a file that ends in .toml, .ndjson, .jsonl or .csv".to_owned())),
    }
}

/// A terms file as an agreement; what it leaves open comes from the command line, its first day is today.
fn agreement(mut terms: Value, wanted: &ImportArguments) -> ImportRow {
    if let Value::Object(members) = &mut terms {
        if let Some(controller) = &wanted.controller {
            members.entry("controller").or_insert_with(|| json!(controller));
        }
        members.entry("valid_from").or_insert_with(|| json!(Clock::system().now().date().to_string()));
    }
    NewAgreement::parse(&terms)
}
