//! `art33 deadline` as people run it: the answer in both languages and as JSON, the exit codes, and that it needs nothing but arguments.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

fn run(directory: &TempDir, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_art33"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ART33_")) {
        command.env_remove(name);
    }
    command.arg("deadline").args(arguments.split_whitespace());
    command.current_dir(directory.path()).stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn works(arguments: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let output = run(&directory, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "neither database nor keys are made");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(arguments: &str) -> String {
    let output = run(&tempfile::tempdir().unwrap(), arguments);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments}");
    String::from_utf8(output.stderr).unwrap()
}

const WEEKEND: &str = "--rule eu_hours --span PT72H --from 2026-10-24T14:20:00+02:00";

#[test]
fn json_has_exactly_the_members_of_the_contract() {
    let answer: Value = serde_json::from_str(&works(&format!("{WEEKEND} --region DE-BW --json"))).unwrap();
    let mut expected = json!({
        "rule": "eu_hours",
        "span": "PT72H",
        "from": "2026-10-24T14:20:00+02:00",
        "region": "DE-BW",
        "counted_from": "2026-10-24T13:00:00Z",
        "due_at": "2026-10-27T13:00:00Z",
        "due_at_local": "2026-10-27T14:00:00+01:00",
    });
    expected["steps"] = answer["steps"].clone();
    assert_eq!(answer, expected);
    let bases: Vec<_> =
        answer["steps"].as_array().unwrap().iter().map(|step| step["basis"].as_str().unwrap()).collect();
    let article = |article| format!("Art. 3{article} Reg. (EEC, Euratom) 1182/71");
    assert_eq!(bases, [article("(1)"), article("(2)(a)"), article("(3) and (4)"), article("(2)(a)")]);
    for step in answer["steps"].as_array().unwrap() {
        assert_eq!(step.as_object().unwrap().keys().collect::<Vec<_>>(), ["basis", "text"]);
        assert!(!step["text"].as_str().unwrap().contains(['{', '}']), "{step}");
    }
}

#[test]
fn days_and_months_have_no_hour_from_which_they_are_counted() {
    for question in [
        "--rule eu_days --span P3D --from 2026-11-19T15:00:00+01:00",
        "--rule eu_months --span P1M --from 2026-11-25T09:00:00+01:00",
        "--rule eu_working_days --span P5D --from 2026-11-19T15:00:00+01:00",
        "--rule bgb_days --span P14D --from 2026-11-20T14:00:00+01:00",
    ] {
        let answer: Value = serde_json::from_str(&works(&format!("{question} --json"))).unwrap();
        assert_eq!((&answer["counted_from"], &answer["region"]), (&Value::Null, &json!("DE")), "{question}");
    }
}

/// The text without line breaks and indents.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn people_read_the_answer_first_and_then_why() {
    let text = works(WEEKEND);
    assert!(text.lines().next().unwrap().ends_with("Tuesday 27 October 2026, 14:00 CET"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let text = flat(&text);
    for part in [
        "2026-10-27T13:00:00Z What is done at that instant is late.",
        "1. The hour in which the event falls is not counted; counting starts at 15:00 CEST on Saturday 24 October 2026 \
         (Europe/Berlin). [Art. 3(1) Reg. (EEC, Euratom) 1182/71]",
        "The clocks go back by 1 hour",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let german = flat(&works(&format!("{WEEKEND} --lang de")));
    for part in [
        "Fällig Dienstag, 27. Oktober 2026, 14:00 Uhr MEZ",
        "Die Stunde, in die das Ereignis fällt, zählt nicht mit",
        "[Art. 3 Abs. 1 VO (EWG, Euratom) Nr. 1182/71]",
    ] {
        assert!(german.contains(part), "{part}\n{german}");
    }
}

#[test]
fn the_holiday_that_moves_an_end_is_named() {
    let saints = flat(&works("--rule bgb_days --span P14D --from 2027-10-18T08:00:00+02:00 --region DE-NW --lang de"));
    assert!(saints.contains("Kein Arbeitstag: Montag, 1. November 2027 (Allerheiligen)."), "{saints}");
    assert!(saints.contains("Das ist das Ende des Tages (Dienstag, 2. November 2027)"), "{saints}");
    let christmas = flat(&works("--rule eu_months --span P1M --from 2026-11-25T09:00:00+01:00"));
    let named = "No working day: Friday 25 December 2026 (Erster Weihnachtstag); Saturday 26 December 2026 (Zweiter \
                 Weihnachtstag); Sunday 27 December 2026. The period ends with the next working day instead: Monday 28 December";
    assert!(christmas.contains(named), "{christmas}");
    let whitsun = flat(&works("--rule eu_hours_min2wd_touch --span PT72H --from 2026-05-22T16:30:00+02:00"));
    assert!(whitsun.contains("Monday 25 May 2026 (Pfingstmontag). This is a minority reading"), "{whitsun}");
}

#[test]
fn every_rule_is_explained_in_both_languages() {
    for (rule, span) in [
        ("natural_hours", "P1DT1H30M"),
        ("eu_hours", "PT1H"),
        ("eu_hours_ceil", "PT72H"),
        ("eu_days", "P3D"),
        ("eu_months", "P1Y"),
        ("eu_working_days", "P30D"),
        ("bgb_days", "P1M"),
        ("dora_weekend_noon", "PT72H"),
        ("eu_hours_min2wd_touch", "PT72H"),
        ("eu_hours_min2wd_full", "PT24H"),
    ] {
        for lang in ["de", "en"] {
            for from in ["2026-04-02T15:00:00+02:00", "2026-10-31T10:00:00.5+01:00", "2026-11-20T09:30:00Z"] {
                let text = works(&format!("--rule {rule} --span {span} --from {from} --lang {lang}"));
                assert!(text.contains("\n1. ") && text.contains("\n2. ") && text.contains(rule), "{text}");
                // A label that is missing is shown by its code.
                let text = text.replace(rule, "");
                assert!(!text.contains(['{', '}', '_']), "{text}");
            }
        }
    }
}

#[test]
fn everything_wrong_with_the_arguments_is_named_at_once() {
    let error = refused("--rule eu_hour --span 72 --from now --region DE-XX");
    for part in [
        "--rule: Expected one of: natural_hours, eu_hours",
        "--span: Expected an ISO 8601",
        "--from: Expected a time",
        "--region: `DE-XX`",
    ] {
        assert!(error.contains(part), "{part}\n{error}");
    }
    let error = refused("");
    for part in ["--rule: ", "--span: ", "--from: "] {
        assert!(error.contains(part), "{part}\n{error}");
    }
    let error = refused("--rule eu_days --span PT72H --from 2026-11-19T15:00:00+01:00");
    assert!(error.contains("--span: `eu_days` counts days, such as P3D, not `PT72H`."), "{error}");
    let error = refused("--rule eu_days --span P3D --from 2046-11-19T15:00:00+01:00");
    assert!(error.contains("--from: No holidays of DE are known for 2046"), "{error}");
    assert!(refused(&format!("{WEEKEND} --lang fr")).contains("possible values: de, en"));
}

#[test]
fn the_help_shows_examples_that_work() {
    let help = works("--help");
    let examples: Vec<_> = help.lines().filter_map(|line| line.trim().strip_prefix("art33 deadline ")).collect();
    assert_eq!(examples.len(), 2, "{help}");
    for example in examples {
        works(example);
    }
}

#[test]
fn another_file_of_regions_can_be_configured() {
    let directory = tempfile::tempdir().unwrap();
    let regions = "version = \"own\"\n[DE]\nzone = \"Europe/Berlin\"\n2026 = [\"11-23 Betriebsausflug\"]\n";
    std::fs::write(directory.path().join("regions.toml"), regions).unwrap();
    std::fs::write(directory.path().join("art33.toml"), "[law]\nregions = \"regions.toml\"\n").unwrap();
    let question = "--rule eu_days --span P1D --from 2026-11-20T15:00:00+01:00 --json";
    let answer: Value = serde_json::from_slice(&run(&directory, question).stdout).unwrap();
    assert_eq!(answer["due_at_local"], "2026-11-25T00:00:00+01:00", "{answer}");
    std::fs::write(directory.path().join("regions.toml"), regions.replace("Berlin", "Atlantis")).unwrap();
    let output = run(&directory, question);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("regions.toml: row `DE`, field `zone`: "), "{error}");
}
