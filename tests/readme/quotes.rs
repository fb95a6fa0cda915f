//! What the pages quote is what is there.

use std::process::Command;

use art33::domain::terms::{Action, LadderStep, Ladders};
use serde_json::Value;

/// The text of the code block after `<!-- mark -->` on a page.
pub(crate) fn block(page: &str, mark: &str) -> String {
    let page = std::fs::read_to_string(page).unwrap();
    let after = page.split_once(&format!("<!-- {mark} -->")).unwrap().1;
    let text = after.split_once("```").unwrap().1.split_once('\n').unwrap().1;
    text.split_once("```").unwrap().0.to_owned()
}

#[test]
fn quoted_programs_are_the_files() {
    for name in ["verify.py", "verify.mjs", "verify.rs"] {
        let file = std::fs::read_to_string(format!("docs/verify/{name}")).unwrap();
        assert_eq!(block("docs/receiving.md", name), file, "{name} is quoted as it was once");
    }
}

#[test]
fn the_quoted_deadline_is_what_the_command_prints() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let asked = "deadline --rule eu_hours --span PT72H --from 2026-10-24T14:20:00+02:00 --region DE-BW";
    assert!(readme.contains(&format!("art33 {asked}")));
    let output = Command::new(env!("CARGO_BIN_EXE_art33")).args(asked.split(' ')).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), block("README.md", "deadline").trim_end());
}

#[test]
fn receivers_learn_of_every_event_that_can_reach_them() {
    let interface: Value = serde_saphyr::from_str(&std::fs::read_to_string("openapi.yaml").unwrap()).unwrap();
    let page = std::fs::read_to_string("docs/receiving.md").unwrap();
    let events = interface["webhooks"].as_object().unwrap();
    let unsaid: Vec<_> = events.keys().filter(|event| !page.contains(&format!("`{event}`"))).collect();
    assert!(!events.is_empty() && unsaid.is_empty(), "docs/receiving.md does not name {unsaid:?}");
}

#[test]
fn the_pages_lead_to_the_programs() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    assert!(readme.contains("(docs/receiving.md)"));
    for name in ["verify.py", "verify.mjs", "verify.rs", "verify.sh"] {
        assert!(readme.contains(&format!("(docs/verify/{name})")), "{name}");
    }
    assert!(std::fs::read_to_string("docs/receiving.md").unwrap().contains("(verify/verify.sh)"));
}

/// What the page for receivers calls the steps of the ladders.
const STEPS: [(&str, Action); 8] = [
    ("the next channel of your agreement opens", Action::NextChannel),
    ("e-mail to all your contacts that were not written to yet", Action::EmailContacts),
    ("a reminder where the notice was sent", Action::Remind),
    ("a telephone call", Action::Phone),
    ("the processor's management is told", Action::TellManagement),
    ("a courier", Action::Courier),
    ("the processor's management gets a last call", Action::LastCall),
    ("it is recorded that you were not told in time, if a limit of law or contract has passed", Action::RecordBreach),
];

/// The step that a row of the table gives, such as `5 minutes, 2 %`; none where its cell is empty.
fn step(when: &str, what: &str) -> Option<LadderStep> {
    let (_, action) = STEPS.iter().find(|(words, _)| *words == what).or_else(|| {
        assert_eq!(what, "", "no step is called that");
        None
    })?;
    let (after, share) = when.rsplit_once(", ").map_or((None, when), |(after, share)| (Some(after), share));
    let after = after.map(|after| {
        let (count, unit) = after.split_once(' ').unwrap();
        let unit = if unit == "minutes" { "M" } else { "H" };
        format!("PT{count}{unit}").parse().unwrap()
    });
    Some(LadderStep { after, share_percent: share.strip_suffix(" %").unwrap().parse().ok(), action: *action })
}

#[test]
fn receivers_read_the_ladders_that_hold_by_default() {
    let page = std::fs::read_to_string("docs/receiving.md").unwrap();
    let (_, table) =
        page.split_once("| after | until it has arrived | until you have acknowledged it |\n|---|---|---|\n").unwrap();
    let mut read = Ladders { until_delivered: Vec::new(), until_acknowledged: Vec::new() };
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{row}");
        let (when, first, second) = (cells[0], cells[1], cells[2]);
        let second = if second == "the same" { first } else { second };
        read.until_delivered.extend(step(when, first));
        read.until_acknowledged.extend(step(when, second));
    }
    assert_eq!(read, Ladders::default());
}
