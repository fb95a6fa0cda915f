//! The README keeps its word: the programs that it quotes are the files in `docs/verify`, and they tell good signatures from bad ones.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::io::Write as _;
use std::process::Command;

/// A published test vector of Standard Webhooks for `v1`, and one for `v1a` over the same message.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PUBLIC_KEY: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIMESTAMP: &str = "1614265330";
const BODY: &str = r#"{"test": 2432232314}"#;
const SIGNATURES: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

#[test]
fn quoted_programs_are_the_files() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    for name in ["verify.py", "verify.mjs", "verify.sh", "verify.rs"] {
        let file = std::fs::read_to_string(format!("docs/verify/{name}")).unwrap();
        let after = readme.split_once(&format!("<!-- {name} -->")).unwrap().1;
        let quoted = after.split_once("```").unwrap().1.split_once('\n').unwrap().1.split_once("```").unwrap().0;
        assert_eq!(quoted, file, "{name} is quoted as it was once");
    }
}

#[test]
fn the_quoted_deadline_is_what_the_command_prints() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let after = readme.split_once("<!-- deadline -->").unwrap().1;
    let quoted = after.split_once("```text\n").unwrap().1.split_once("```").unwrap().0;
    let asked = "deadline --rule eu_hours --span PT72H --from 2026-10-24T14:20:00+02:00 --region DE-BW";
    assert!(readme.contains(&format!("art33 {asked}")));
    let output = Command::new(env!("CARGO_BIN_EXE_art33")).args(asked.split(' ')).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), quoted.trim_end());
}

/// Runs a program of `docs/verify`; `None` where its interpreter is not installed.
fn accepts(interpreter: &str, name: &str, secret: &str, signatures: &str, body: &str, tolerance: &str) -> Option<bool> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(body.as_bytes()).unwrap();
    let status = Command::new(interpreter)
        .arg(format!("docs/verify/{name}"))
        .args([secret, "", ID, TIMESTAMP, signatures])
        .arg(file.path())
        .arg(tolerance)
        .status();
    match status {
        Ok(status) => Some(status.success()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{interpreter}: {error}"),
    }
}

fn judges_well(interpreter: &str, name: &str) {
    // Decades of tolerance, since the vector is of 2021.
    let lax = "3000000000";
    let Some(good) = accepts(interpreter, name, SECRET, SIGNATURES, BODY, lax) else {
        eprintln!("{interpreter} is not installed: {name} was not run");
        return;
    };
    assert!(good, "{name} refuses a good signature");
    let bad = [
        (SECRET, SIGNATURES, r#"{"test": 2432232315}"#, lax, "another body"),
        (SECRET, "v1,AAAA", BODY, lax, "a broken signature"),
        (SECRET, "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", BODY, lax, "an unknown version"),
        ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SIGNATURES, BODY, lax, "another secret"),
        (SECRET, SIGNATURES, BODY, "300", "an old message"),
    ];
    for (secret, signatures, body, tolerance, what) in bad {
        assert_eq!(
            accepts(interpreter, name, secret, signatures, body, tolerance),
            Some(false),
            "{name} accepts {what}"
        );
    }
}

#[test]
fn the_python_program_judges_well() {
    judges_well("python3", "verify.py");
}

#[test]
fn the_node_program_judges_well() {
    judges_well("node", "verify.mjs");
}

#[test]
fn the_shell_program_judges_well() {
    judges_well("sh", "verify.sh");
}

#[test]
fn the_published_vectors_are_those_of_an_independent_library() {
    let library = standardwebhooks::Webhook::new(SECRET).unwrap();
    let signed = library.sign(ID, TIMESTAMP.parse().unwrap(), BODY.as_bytes()).unwrap();
    assert!(SIGNATURES.split(' ').any(|signature| signature == signed));
    assert!(PUBLIC_KEY.starts_with("whpk_"));
}
