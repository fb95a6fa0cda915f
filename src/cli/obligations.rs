//! `art33 obligations`: the catalogue in the terminal, and what another one would change. Needs no database.

mod text;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use time::Date;
use time::macros::format_description;

use super::{CliError, print};
use crate::app::{self, AppError};
use crate::clock::Clock;
use crate::config::{self, Config, LawDocument};
use crate::domain::catalogue::{Catalogue, Comparison, Selection};

/// Which rows, and how to show them.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ObligationsArguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Only rows that are valid on this day.
    #[arg(long, value_name = "DATE", value_parser = day)]
    on: Option<Date>,
    /// Only rows of this regime, such as gdpr, contract or nis2.
    #[arg(long, value_name = "REGIME")]
    regime: Option<String>,
    #[command(subcommand)]
    command: Option<ObligationsCommand>,
}

#[derive(Debug, Subcommand)]
enum ObligationsCommand {
    /// Compare the configured catalogue with another file: which rows differ, and what future incidents would owe differently.
    Diff {
        /// The other catalogue.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Incidents from this day on; today unless given.
        #[arg(long, value_name = "DATE", value_parser = day)]
        on: Option<Date>,
    },
}

/// Prints the rows, or what differs.
pub(super) fn run(config: &Config, wanted: ObligationsArguments) -> Result<(), CliError> {
    let configured = catalogue(config::obligations(config))?;
    match wanted.command {
        None => {
            let known =
                configured.rows().iter().any(|row| wanted.regime.as_ref().is_none_or(|regime| row.regime == *regime));
            if !known {
                return Err(CliError::Refused(unknown_regime(&configured)));
            }
            let selected = configured.select(&Selection { status: None, regime: wanted.regime, on: wanted.on });
            print(&if wanted.json { json(&selected)? } else { text::list(&selected, wanted.on, today()) })
        }
        Some(ObligationsCommand::Diff { file, json: as_json, on }) => {
            let other = catalogue(other(&file))?;
            let comparison = Comparison::of(&configured, &other, on.unwrap_or_else(today));
            print(&if as_json { json(&comparison)? } else { text::comparison(&comparison) })
        }
    }
}

fn other(file: &Path) -> Result<LawDocument, config::LawFileError> {
    config::document(Some(file), "", "")
}

fn catalogue(document: Result<LawDocument, config::LawFileError>) -> Result<Catalogue, CliError> {
    let file = app::law_file(document.map_err(AppError::from)?);
    Ok(Catalogue::from_file(&file).map_err(AppError::from)?)
}

fn unknown_regime(catalogue: &Catalogue) -> String {
    let mut regimes: Vec<&str> = catalogue.rows().iter().map(|row| row.regime.as_str()).collect();
    regimes.dedup();
    format!("no row has this regime; there are: {}", regimes.join(", "))
}

fn json(value: &impl serde::Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CliError::Refused(error.to_string()))?;
    Ok(text + "\n")
}

fn today() -> Date {
    Clock::system().now().date()
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| "expected a day, such as 2026-11-22".to_owned())
}
