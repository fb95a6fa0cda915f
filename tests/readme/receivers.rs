//! Runs the programs of `docs/verify` and the independent libraries on messages.

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::messages::Case;

#[expect(unreachable_pub, reason = "written to be copied")]
#[path = "../../docs/verify/verify.rs"]
mod program;

/// What one judge thinks of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The program, with the secret.
    pub(crate) v1: bool,
    /// The program, with the public key.
    pub(crate) v1a: bool,
    /// The library alone, with the secret.
    pub(crate) library: bool,
}

/// A program in another language with its library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    Python,
    Node,
}

/// Whether something is missing. Says so, unless it has to be there.
pub(crate) fn is_skipped(what: &str, is_there: bool) -> bool {
    let is_required = std::env::var_os("ART33_TEST_REQUIRE_RECEIVER_LIBRARIES").is_some();
    assert!(is_there || !is_required, "ART33_TEST_REQUIRE_RECEIVER_LIBRARIES is set, but {what} cannot be run");
    if !is_there {
        eprintln!("skipped: {what} cannot be run here; scripts/test prepares all it needs");
    }
    !is_there
}

impl Foreign {
    /// Verdicts on `judge` and signatures for `sign`; nothing where the language or its library is not installed.
    pub(crate) fn ask(self, judge: &[Case], sign: &[Value]) -> Option<(Vec<Verdict>, Vec<String>)> {
        if is_skipped(&format!("{self:?} with its library"), self.is_installed()) {
            return None;
        }
        let asked = json!({"judge": judge.iter().map(Case::to_json).collect::<Vec<_>>(), "sign": sign});
        let place = tempfile::tempdir().unwrap();
        let answer: Value = serde_json::from_str(&run(&mut self.command(place.path()), &asked.to_string())).unwrap();
        let yes = |verdict: &Value, name: &str| verdict[name].as_bool().unwrap();
        let verdict = |it: &Value| Verdict { v1: yes(it, "v1"), v1a: yes(it, "v1a"), library: yes(it, "library") };
        let verdicts: Vec<_> = answer["verdicts"].as_array().unwrap().iter().map(verdict).collect();
        assert_eq!(verdicts.len(), judge.len());
        let signed = answer["signed"].as_array().unwrap().iter();
        Some((verdicts, signed.map(|signatures| signatures.as_str().unwrap().to_owned()).collect()))
    }

    fn is_installed(self) -> bool {
        match self {
            Self::Python => succeeds(Command::new(python()).args(["-c", "import cryptography, standardwebhooks"])),
            Self::Node => node_modules().is_some() && succeeds(Command::new("node").arg("--version")),
        }
    }

    fn command(self, place: &Path) -> Command {
        if self == Self::Python {
            let mut command = Command::new(python());
            command.args(["-B", "tests/readme/judge.py", "docs/verify/verify.py"]);
            return command;
        }
        // Node looks for modules beside the program only.
        std::fs::copy("docs/verify/verify.mjs", place.join("verify.mjs")).unwrap();
        std::fs::copy("tests/readme/judge.mjs", place.join("judge.mjs")).unwrap();
        symlink(node_modules().unwrap(), place.join("node_modules")).unwrap();
        let mut command = Command::new("node");
        command.arg(place.join("judge.mjs"));
        command
    }
}

fn python() -> String {
    std::env::var("ART33_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn node_modules() -> Option<PathBuf> {
    let place = PathBuf::from(std::env::var_os("ART33_TEST_NODE_MODULES")?);
    place.join("standardwebhooks").is_dir().then_some(place)
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What `command` prints when it is given `input`; it must succeed.
pub(crate) fn run(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?} failed");
    String::from_utf8(output.stdout).unwrap()
}

/// The Rust program, and the crate alone. Both `v1` checks read the machine's clock, so that `case.now` must be now.
pub(crate) fn rust(case: &Case) -> Verdict {
    let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    let headers: HeaderMap = case.headers().into_iter().map(header).collect();
    let body = case.body.as_bytes();
    Verdict {
        v1: program::verify_v1(case.secret, &headers, body),
        v1a: rust_v1a(case),
        library: Webhook::new(case.secret).is_ok_and(|webhook| webhook.verify(body, &headers).is_ok()),
    }
}

/// The Rust program with the public key, at `case.now`.
pub(crate) fn rust_v1a(case: &Case) -> bool {
    let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    let headers: HeaderMap = case.headers().into_iter().map(header).collect();
    program::verify_v1a(&case.public_key, &headers, case.body.as_bytes(), case.now.try_into().unwrap())
}

/// Whether the tools of the shell program are there.
pub(crate) fn has_openssl() -> bool {
    let version = Command::new("openssl").arg("version").output();
    version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).starts_with("OpenSSL 3"))
}

/// The shell program, once with the secret and once with the public key, at `case.now`.
pub(crate) fn shell(case: &Case) -> (bool, bool) {
    let place = tempfile::tempdir().unwrap();
    let (body, date) = (place.path().join("body"), place.path().join("date"));
    std::fs::write(&body, case.body).unwrap();
    std::fs::write(&date, format!("#!/bin/sh\necho {}\n", case.now)).unwrap();
    std::fs::set_permissions(&date, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", place.path().display(), std::env::var("PATH").unwrap());
    let judge = |secret: &str, public_key: &str| {
        let headers = [&case.id, &case.timestamp, &case.signatures].map(|header| header.as_deref().unwrap_or_default());
        let mut command = Command::new("sh");
        command.arg("docs/verify/verify.sh").args([secret, public_key]).args(headers).arg(&body).env("PATH", &path);
        succeeds(&mut command)
    };
    (judge(case.secret, ""), judge("", &case.public_key))
}
