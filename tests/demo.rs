//! The demo as a newcomer runs it: the real binary, once, in a directory of its own.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn demo(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_art33"));
    command.args(["demo", "--once"]).args(arguments).arg("--directory").arg(directory);
    // What the user has set for a real service must not reach the demo.
    command.env("ART33_DATABASE_URL", "postgres://nowhere.invalid/art33").env("ART33_LISTEN", "nonsense");
    command.output().unwrap()
}

/// The one object on the standard output.
fn summary(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn one_incident_reaches_five_controllers_and_all_of_it_is_proved() {
    let directory = tempfile::tempdir().unwrap();
    let output = demo(&[], directory.path());
    let told = summary(&output);

    assert!(told["incident"].as_str().unwrap().starts_with("inc_"), "{told}");
    for member in ["agreements", "notices", "delivered", "acknowledged"] {
        assert_eq!(told[member], 5, "{member}");
    }
    assert_eq!(told["ledger"]["verified"], true);
    assert!(told["ledger"]["entries"].as_u64().unwrap() > 30, "{told}");
    assert!(told["elapsed_ms"].as_u64().unwrap() > 0);
    assert_eq!(told.as_object().unwrap().len(), 9, "{told}");

    let duties = told["duties"].as_array().unwrap();
    assert!(duties.len() > 10, "{}", duties.len());
    let in_state = |obligation: &str, state: &str| {
        duties.iter().filter(|duty| duty["obligation"] == obligation && duty["state"] == state).count()
    };
    assert_eq!((in_state("contract_notice", "met"), in_state("gdpr_33_1", "running")), (5, 5));
    let with_hours = duties.iter().filter(|duty| duty["obligation"] == "contract_notice" && duty["late"] == false);
    assert_eq!(with_hours.count(), 1, "one agreement names hours, and they were kept");

    let reports: Vec<&Path> =
        told["reports"].as_array().unwrap().iter().map(|file| Path::new(file.as_str().unwrap())).collect();
    assert_eq!(reports.len(), 5);
    for report in reports {
        assert!(report.starts_with(directory.path().join("reports")), "{}", report.display());
        assert!(std::fs::read(report).unwrap().starts_with(b"%PDF-"), "{}", report.display());
    }

    // Progress goes elsewhere, plain where nobody looks.
    let progress = String::from_utf8(output.stderr).unwrap();
    assert_eq!(progress.matches("acknowledged").count(), 5, "{progress}");
    assert!(!progress.contains('\x1b'), "{progress}");

    // Again in the same directory: it was a demo's, so it is emptied and everything happens anew.
    let again = summary(&demo(&["--speed", "3600"], directory.path()));
    assert_ne!(again["incident"], told["incident"]);
    assert_eq!((&again["acknowledged"], &again["ledger"]["verified"]), (&5.into(), &true.into()));
    assert_eq!(std::fs::read_dir(directory.path().join("reports")).unwrap().count(), 5);
}

#[test]
fn a_directory_with_other_things_in_it_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("thesis.txt"), "mine").unwrap();
    let output = demo(&[], directory.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is not empty and holds no earlier demo"), "{said}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
