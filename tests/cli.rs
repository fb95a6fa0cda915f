//! The program as people run it: arguments, results, exit codes, and what stands on the standard error.
//! One process per check; the interface behind `serve` is tested in `tests/api`.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "cli/keys.rs"]
mod keys;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The program in a fresh directory, with nothing of this process's `ART33_*` variables.
fn program(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_art33"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ART33_")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    command
}

fn run(directory: &TempDir, arguments: &[&str]) -> Output {
    program(directory.path(), arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Fails with this code, and says so in one sentence without a trace of its insides.
#[track_caller]
fn assert_fails(output: &Output, code: i32, part: &str) {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(part), "{part} is not in: {error}");
    for inside in ["panicked", "Error {", "RUST_BACKTRACE", "Err("] {
        assert!(!error.contains(inside), "{error}");
    }
}

#[track_caller]
fn assert_works(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    stdout(output)
}

fn fresh() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn help_lists_every_command_with_a_sentence() {
    let help = assert_works(&run(&fresh(), &["--help"]));
    for command in [
        "serve",
        "migrate",
        "config",
        "token",
        "import",
        "verify",
        "backup",
        "obligations",
        "rotate-signing-key",
        "openapi",
        "health",
    ] {
        let line = help.lines().find(|line| line.trim_start().starts_with(command));
        assert!(line.is_some_and(|line| line.trim_start().len() > command.len() + 10), "{command} in {help}");
        assert_works(&run(&fresh(), &[command, "--help"]));
    }
    assert!(!help.contains("revert"), "{help}");
}

#[test]
fn wrong_arguments_are_a_matter_of_usage() {
    for arguments in
        [&["brew"][..], &[], &["serve", "--fast"], &["token"], &["token", "--org", "org_1", "--scope", "x"]]
    {
        assert_eq!(run(&fresh(), arguments).status.code(), Some(2), "{arguments:?}");
    }
    let unknown = run(&fresh(), &["token", "--operator", "--scope", "notices:eat"]);
    assert_fails(&unknown, 2, "there is no scope `notices:eat`");
}

#[test]
fn config_shows_what_counts_and_masks_what_is_secret() {
    let directory = fresh();
    std::fs::write(directory.path().join("art33.toml"), "[server]\nlisten = \"127.0.0.1:1\"\n").unwrap();
    let mut command = program(directory.path(), &["config"]);
    command.env("ART33_DATABASE_URL", "postgres://art33:hunter2@db/art33");
    command.env("ART33_MASTER_KEY", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
    let shown = assert_works(&command.output().unwrap());
    assert!(shown.contains("listen = \"127.0.0.1:1\"") && shown.contains("ART33_DATABASE_URL"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("AQEB"), "{shown}");
    assert!(shown.parse::<toml::Table>().is_ok(), "{shown}");
}

#[test]
fn faults_of_the_configuration_are_all_named() {
    let directory = fresh();
    let mut command = program(directory.path(), &["serve"]);
    command.env("ART33_LISTEN", "nowhere").env("ART33_LISTNE", "x").env("ART33_DATABASE_URL", "mysql://db/art33");
    let output = command.output().unwrap();
    for part in ["ART33_LISTEN", "ART33_LISTNE", "ART33_DATABASE_URL", "sqlite://"] {
        assert_fails(&output, 2, part);
    }
}

#[test]
fn openapi_is_the_file() {
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml")).unwrap();
    assert_eq!(assert_works(&run(&fresh(), &["openapi"])), file);
}

#[test]
fn sqlite_migrates_up_down_and_up() {
    let directory = fresh();
    let up = assert_works(&run(&directory, &["migrate"]));
    assert_eq!(up.lines().count(), folder("sqlite").len(), "{up}");
    assert_eq!(assert_works(&run(&directory, &["migrate"])), "nothing to do\n");
    let down = assert_works(&run(&directory, &["migrate", "--revert-all"]));
    assert_eq!(down.lines().count(), up.lines().count(), "{down}");
    assert_eq!(assert_works(&run(&directory, &["migrate"])), up);
}

#[test]
fn both_databases_have_migrations_of_the_same_names() {
    assert!(!folder("sqlite").is_empty());
    assert_eq!(folder("sqlite"), folder("postgres"));
}

fn folder(database: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let mut names: Vec<_> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// `art33 serve` on a free port.
struct Served {
    child: Child,
    url: String,
    rest: BufReader<std::process::ChildStderr>,
}

impl Served {
    fn start(directory: &TempDir) -> Self {
        let mut command = program(directory.path(), &["serve"]);
        command.env("ART33_LISTEN", "127.0.0.1:0").env("ART33_LOG", "warn").stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut rest = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        rest.read_line(&mut line).unwrap();
        let url = line.trim().split_once(" serves at ").expect(&line).1.to_owned();
        Self { child, url, rest }
    }

    fn get(&self, path: &str, token: &str) -> (u16, String) {
        self.send("GET", path, token, "")
    }

    fn send(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let address = self.url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let answer = std::io::read_to_string(stream).unwrap();
        (answer[9..12].parse().unwrap(), answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// Sends SIGTERM and waits; answers the exit code and what was said until then.
    fn stop(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        (code, std::io::read_to_string(self.rest).unwrap())
    }
}

#[test]
fn serve_says_where_takes_tokens_is_healthy_and_stops_on_a_signal() {
    let directory = fresh();
    let served = Served::start(&directory);
    assert_eq!(assert_works(&run(&directory, &["health", "--url", &served.url])), "ready\n");

    let token = assert_works(&run(&directory, &["token", "--operator"]));
    assert_eq!((token.lines().count(), token.matches('.').count()), (1, 2), "{token}");
    let (status, body) = served.get("/v1/organisations", token.trim());
    assert_eq!(status, 200, "{body}");
    let narrow = ["token", "--org", "org_01m809ffhneymvgnhytpke0jv4", "--scope", "notices:read", "--ttl", "PT5M"];
    let token = assert_works(&run(&directory, &narrow));
    assert_eq!(served.get("/v1/notices", token.trim()).0, 200);
    assert_eq!(served.get("/v1/organisations", token.trim()).0, 403);

    let url = served.url.clone();
    let (code, said) = served.stop();
    assert_eq!((code, said.as_str()), (Some(0), ""), "a quiet stop");
    assert_fails(&run(&directory, &["health", "--url", &url]), 1, "is not ready (connect)");
}

#[test]
fn keys_are_made_once_and_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = fresh();
    let first = Served::start(&directory);
    let keys = |name: &str| directory.path().join("data").join(name);
    let before = [std::fs::read(keys("signing.key")).unwrap(), std::fs::read(keys("master.key")).unwrap()];
    for name in ["signing.key", "master.key"] {
        assert_eq!(std::fs::metadata(keys(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    first.stop();
    Served::start(&directory).stop();
    let after = [std::fs::read(keys("signing.key")).unwrap(), std::fs::read(keys("master.key")).unwrap()];
    assert_eq!(before, after);
}

#[test]
fn a_backup_is_a_database_that_verifies_and_overwrites_nothing() {
    let directory = fresh();
    let served = Served::start(&directory);
    assert_works(&run(&directory, &["backup", "copy.db"]));
    assert_fails(&run(&directory, &["backup", "copy.db"]), 1, "copy.db exists already");
    served.stop();
    let mut verify = program(directory.path(), &["verify", "--json"]);
    verify.env("ART33_DATABASE_URL", "sqlite://copy.db");
    let found: Value = serde_json::from_str(&assert_works(&verify.output().unwrap())).unwrap();
    assert_eq!((&found["verified"], &found["entries"]), (&Value::Bool(true), &Value::from(1)));
    assert!(assert_works(&run(&directory, &["verify"])).starts_with("The ledger fits: 1 entries"));
    assert_fails(&run(&fresh(), &["verify"]), 1, "there is no database at data/art33.db");
    assert_fails(&run(&fresh(), &["backup", "copy.db"]), 1, "there is no database at data/art33.db");
}

#[test]
fn import_creates_agreements_from_the_example_files() {
    let directory = fresh();
    let served = Served::start(&directory);
    let token = assert_works(&run(&directory, &["token", "--operator"]));
    let create = |token: &str, role: &str| {
        let body = format!(r#"{{"name": "Muster GmbH", "roles": ["{role}"], "country": "DE"}}"#);
        let (status, answer) = served.send("POST", "/v1/organisations", token.trim(), &body);
        assert_eq!(status, 201, "{answer}");
        serde_json::from_str::<Value>(&answer).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let processor = create(&token, "processor");
    let staff = assert_works(&run(&directory, &["token", "--org", &processor, "--scope", "agreements:write"]));
    let controller = create(&staff, "controller");
    served.stop();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/agreements");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_owned()).collect();
    files.sort();
    let mut arguments = vec!["import", "--org", &processor, "--controller", &controller];
    arguments.extend(files.iter().map(String::as_str));
    let lines = assert_works(&run(&directory, &arguments));
    assert_eq!(lines.matches(": created agr_").count(), files.len(), "{lines}");
    let again = run(&directory, &[&arguments[..], &["--atomic"]].concat());
    assert_fails(&again, 1, "5 of 5 agreements were refused; nothing was stored");
    assert_eq!(stdout(&again).matches("/reference: ").count(), files.len());
}

#[test]
fn import_says_which_file_is_at_fault() {
    let directory = fresh();
    std::fs::write(directory.path().join("empty.csv"), "controller\n").unwrap();
    for file in ["missing.toml", "empty.csv", "agreements.pdf"] {
        let output = run(&directory, &["import", "--org", "org_01m809ffhneymvgnhytpke0jv4", file]);
        assert_fails(&output, 1, &format!("art33: {file}: "));
    }
}

#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
#[expect(dead_code, reason = "no test of this program restarts the server or copies a database")]
mod postgres;

#[cfg(feature = "postgres")]
#[test]
fn postgres_migrates_up_down_and_up_and_is_served_only_then() {
    let Some(cluster) = postgres::cluster() else { return };
    let database = cluster.create_database(None);
    let directory = fresh();
    let with = |arguments: &[&str]| {
        program(directory.path(), arguments).env("ART33_DATABASE_URL", &database.url).output().unwrap()
    };
    assert_fails(&with(&["serve"]), 1, "run `art33 migrate` first");
    let up = assert_works(&with(&["migrate"]));
    assert_eq!(up.lines().count(), folder("postgres").len(), "{up}");
    assert_eq!(assert_works(&with(&["migrate"])), "nothing to do\n");
    assert_eq!(assert_works(&with(&["migrate", "--revert-all"])).lines().count(), up.lines().count());
    assert_eq!(assert_works(&with(&["migrate"])), up);
    assert!(assert_works(&with(&["verify"])).starts_with("The ledger fits: 0 entries"));
    assert_fails(&with(&["backup", "copy.db"]), 1, "pg_dump");
}

/// The shipped catalogue with one text replaced, as a file in `directory`.
fn changed_catalogue(directory: &TempDir, from: &str, to: &str) -> String {
    let shipped = std::fs::read_to_string("law/obligations.toml").unwrap();
    assert!(shipped.contains(from), "{from}");
    let file = directory.path().join("other.toml");
    std::fs::write(&file, shipped.replacen(from, to, 1)).unwrap();
    file.display().to_string()
}

#[test]
fn obligations_are_listed_for_people_and_programs() {
    let directory = fresh();
    let all = assert_works(&run(&directory, &["obligations"]));
    assert!(all.contains("gdpr_33_1_omnibus [proposal, owed by nobody]"), "{all}");
    assert!(all.lines().all(|line| line.chars().count() <= 100), "{all}");
    let swiss = assert_works(&run(&directory, &["obligations", "--regime", "fadp", "--on", "2023-09-01"]));
    assert!(swiss.contains("fadp_24_1") && !swiss.contains("gdpr_33_1"), "{swiss}");
    let json = assert_works(&run(&directory, &["obligations", "--json", "--regime", "nis2"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["items"].as_array().unwrap().iter().all(|row| row["regime"] == "nis2"), "{json}");
    assert_fails(
        &run(&directory, &["obligations", "--regime", "moon"]),
        1,
        "no row has this regime; there are: gdpr, ",
    );
    assert_eq!(run(&directory, &["obligations", "--on", "today"]).status.code(), Some(2));
    assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none(), "no database is made");
}

#[test]
fn obligations_diff_says_what_future_incidents_would_owe() {
    let directory = fresh();
    let same = changed_catalogue(&directory, "version", "version");
    assert!(assert_works(&run(&directory, &["obligations", "diff", &same])).ends_with("No difference.\n"));
    let other = changed_catalogue(&directory, "span = \"PT72H\"", "span = \"PT96H\"");
    let text = assert_works(&run(&directory, &["obligations", "diff", &other, "--on", "2026-11-22"]));
    let expected = "Catalogue 2026-11-22 against 2026-11-22

Rows
  ~ gdpr_33_1
        span: PT72H → PT96H

What future incidents would owe differently
  From 2026-11-22:
    ~ gdpr_33_1: owed with other terms
        span: PT72H → PT96H
        for personal_data_breach, suspected_breach, subprocessor_breach; seat in EEA
";
    assert_eq!(text, expected);
    let json = assert_works(&run(&directory, &["obligations", "diff", &other, "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["effects"][0]["fields"][0]["after"], "PT96H");
}

#[test]
fn a_catalogue_that_makes_no_sense_stops_the_start() {
    let directory = fresh();
    let file = changed_catalogue(&directory, "span = \"PT72H\"", "span = 72");
    for arguments in [&["serve"][..], &["obligations"]] {
        let mut command = program(directory.path(), arguments);
        command.env("ART33_LAW_OBLIGATIONS", &file).env("ART33_LISTEN", "127.0.0.1:0");
        let output = command.output().unwrap();
        assert_fails(&output, 1, &format!("{file}: row `gdpr_33_1`, field `span`: Expected a span with its unit"));
    }
    let mut command = program(directory.path(), &["obligations"]);
    command.env("ART33_LAW_OBLIGATIONS", "absent.toml");
    assert_fails(&command.output().unwrap(), 1, "absent.toml: ");
}

#[test]
fn a_file_of_law_that_makes_no_sense_is_not_served() {
    let directory = fresh();
    let shipped = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/law/obligations.toml")).unwrap();
    let row = |code: &str, from: &str, to: &str| {
        let (before, rows) = shipped.split_once(&format!("code = \"{code}\"\n")).unwrap();
        let changed = rows.replacen(from, to, 1);
        assert_ne!(changed, rows, "{from}");
        format!("{before}code = \"{code}\"\n{changed}")
    };
    let nis2 = "start = \"debtor_aware\"";
    let cases = [
        (row("nis2_notification", nis2, "start = \"fulfilled:nis2_final\""), "row `nis2_notification`, field `start`"),
        (row("gdpr_33_1", "rule = \"eu_hours\"", "rule = \"roman_hours\""), "row `gdpr_33_1`, field `rule`"),
        (row("gdpr_33_1", "span = \"PT72H\"", "span = \"72\""), "row `gdpr_33_1`, field `span`"),
        (shipped.replacen("code = \"gdpr_33_2\"", "code = \"gdpr_33_1\"", 1), "`valid_from`"),
        (row("gdpr_33_4", "fulfilled:gdpr_33_1", "fulfilled:gdpr_33_9"), "row `gdpr_33_4`, field `start`"),
    ];
    for (file, place) in cases {
        std::fs::write(directory.path().join("changed.toml"), file).unwrap();
        let mut serve = program(directory.path(), &["serve"]);
        serve.env("ART33_LISTEN", "127.0.0.1:0").env("ART33_LAW_OBLIGATIONS", "changed.toml");
        let output = serve.output().unwrap();
        assert_fails(&output, 1, place);
        assert_fails(&output, 1, "changed.toml");
        assert!(!directory.path().join("data/art33.db").exists(), "nothing was begun");
    }
}
