//! `art33 deadline`: when something is due, and why. Needs neither database nor keys, only the files of the law.

use clap::{Args, ValueEnum};

use super::{CliError, print};
use crate::app;
use crate::config::Config;
use crate::domain::counting::Asked;
use crate::domain::fault::Faults;
use crate::report::Language;
use crate::report::deadline::{Explanation, explain};

/// How wide a line may be.
const WIDTH: usize = 100;

/// What stands below the options in the help.
pub(super) const EXAMPLES: &str = "\
Counting rules:
  natural_hours          hours from moment to moment, as agreements count them
  eu_hours               hours of Union law (Reg. 1182/71): the hour of the event is not counted
  eu_hours_ceil          the same, but an event on the exact full hour counts that hour
  eu_hours_min2wd_touch  the same as eu_hours, and at least two working days touched (minority reading)
  eu_hours_min2wd_full   the same as eu_hours, and at least two whole working days (minority reading)
  eu_days, eu_months     days and months of Union law; an end on a day off moves to the next working day
  eu_working_days        working days of Union law
  bgb_days               days and months of German civil law; an end on a day off moves likewise
  dora_weekend_noon      from moment to moment; an end on a day off moves to noon of the next working day

Examples:
  The controller learned of it on Saturday at 14:20. When must the authority know (Art. 33(1) GDPR)?
    art33 deadline --rule eu_hours --span PT72H --from 2026-10-24T14:20:00+02:00
  Fourteen days to object, in North Rhine-Westphalia, in German:
    art33 deadline --rule bgb_days --span P14D --from 2027-10-18T08:00:00+02:00 --region DE-NW --lang de";

/// What is to be counted. Plain texts: whatever is wrong with them is told at once.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DeadlineArguments {
    /// The counting rule; see below.
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// How long, as an ISO 8601 duration with its unit: PT72H (hours), P14D (days), P1M (months).
    #[arg(long, value_name = "SPAN")]
    span: Option<String>,
    /// The event, as a time with offset: 2026-10-24T14:20:00+02:00.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Whose zone and holidays count: a German Land (DE-BW), another state of the EEA, GB or CH.
    #[arg(long, value_name = "CODE", default_value = "DE")]
    region: String,
    /// The language of the explanation.
    #[arg(long, value_enum, default_value_t = Lang::En)]
    lang: Lang,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lang {
    De,
    En,
}

/// Prints the answer. Wrong arguments are a fault of usage.
pub(super) fn run(config: &Config, wanted: DeadlineArguments) -> Result<(), CliError> {
    let language = match wanted.lang {
        Lang::De => Language::German,
        Lang::En => Language::English,
    };
    let json = wanted.json;
    let asked = Asked { rule: wanted.rule, span: wanted.span, from: wanted.from, region: Some(wanted.region) };
    let law = app::law(config)?;
    let explained = explain(&asked, &law.calendar, language).map_err(|faults| CliError::Usage(listed(&faults)))?;
    if json {
        let text = serde_json::to_string(&explained).map_err(|error| CliError::Refused(error.to_string()))?;
        return print(&(text + "\n"));
    }
    print(&told(&explained))
}

/// Each fault in a line of its own, by the name of its option.
fn listed(faults: &Faults) -> String {
    let each =
        faults.as_slice().iter().map(|fault| format!("\n  {}: {}", fault.pointer.replace('/', "--"), fault.detail));
    format!("nothing was counted:{}", each.collect::<String>())
}

/// The answer first, what was asked below it, then every step.
fn told(explained: &Explanation) -> String {
    let mut text = String::new();
    let names = explained.summary.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, values) in &explained.summary {
        for (index, value) in values.iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            text += &wrapped(&format!("{name:names$}  "), value);
        }
    }
    for (index, step) in explained.steps.iter().enumerate() {
        text += "\n";
        text += &wrapped(&format!("{}. ", index + 1), &step.text);
        text += &wrapped("   ", &format!("[{}]", step.basis));
    }
    text
}

/// `text` broken between words, all lines but the first indented as wide as `lead`.
fn wrapped(lead: &str, text: &str) -> String {
    let indent = " ".repeat(lead.chars().count());
    let mut lines = lead.to_owned();
    let mut width = indent.len();
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && width + 1 + length > WIDTH {
            lines.push('\n');
            lines += &indent;
            width = indent.len();
        } else if index > 0 {
            lines.push(' ');
            width += 1;
        }
        lines += word;
        width += length;
    }
    lines + "\n"
}
