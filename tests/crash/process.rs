//! The program as a process of its own: started on some data, told to stop, or killed. Asserts nothing about what it does.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

/// Ends a test that hangs; nothing is measured by it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// As many requests as a process may have under way to one host, which all endpoints of a test are at.
pub(crate) const PER_HOST: usize = 8;

/// A data directory and the settings of every process that works on it.
pub(crate) struct Setup {
    directory: TempDir,
    settings: Vec<(&'static str, String)>,
}

/// A running `art33 serve`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it serves, without a slash at the end.
    pub(crate) base: String,
    lines: UnboundedReceiver<String>,
    log: Vec<String>,
}

impl Setup {
    /// An empty directory with an SQLite database to be. Leases are short: 12 seconds.
    pub(crate) fn new() -> Self {
        let settings = [
            ("ART33_LISTEN", "127.0.0.1:0"),
            ("ART33_WORKERS", "2"),
            ("ART33_LOG", "info"),
            ("ART33_LOG_FORMAT", "json"),
            ("ART33_RATE_LIMIT_PER_SECOND", "0"),
            ("ART33_OUTBOUND_ALLOW", "127.0.0.0/8"),
            ("ART33_OUTBOUND_ALLOW_HTTP", "true"),
            ("ART33_OUTBOUND_PORTS", "any"),
            ("ART33_OUTBOUND_CONNECT_TIMEOUT", "PT1S"),
            ("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT1S"),
            ("ART33_DELIVERY_CONCURRENCY", "32"),
        ];
        let settings = settings.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Self { directory: tempfile::tempdir().unwrap(), settings }
            .with("ART33_DELIVERY_PER_HOST", &PER_HOST.to_string())
    }

    /// The same with a database of PostgreSQL, which is gone with the other value; nothing where there is no server.
    #[cfg(feature = "postgres")]
    pub(crate) fn on_postgres(self) -> Option<(Self, super::postgres::TestDatabase)> {
        let database = super::postgres::cluster()?.create_database(None);
        let setup = self.with("ART33_DATABASE_URL", &database.url).with("ART33_DATABASE_CONNECTIONS", "6");
        setup.answer(&["migrate"]);
        Some((setup, database))
    }

    /// The same with another setting, which wins over an earlier one.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    /// What a setting was last set to.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Where keys and the SQLite database are.
    pub(crate) fn data(&self) -> &Path {
        self.directory.path()
    }

    fn equipped(&self, mut command: Command) -> Command {
        command.env_clear().current_dir(self.data()).env("ART33_DATA_DIR", self.data());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs one command of the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.equipped(Command::new(env!("CARGO_BIN_EXE_art33")));
        command.args(arguments).output().unwrap()
    }

    /// What a command prints; fails the test if the command fails.
    pub(crate) fn answer(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A token of the built-in issuer.
    pub(crate) fn token(&self, whose: &[&str]) -> String {
        self.answer(&[&["token", "--ttl", "P1D"], whose].concat())
    }

    /// Checks the ledger from outside, also under a running service; answers how many entries it has.
    pub(crate) fn verify(&self) -> u64 {
        let found: serde_json::Value = serde_json::from_str(&self.answer(&["verify", "--json"])).unwrap();
        assert_eq!(found["verified"], true, "{found}");
        found["entries"].as_u64().unwrap()
    }

    /// Starts the service and waits until it serves.
    pub(crate) async fn start(&self) -> Process {
        let mut command = self.equipped(Command::new("sh"));
        // Without the trap a write beyond a limit of size would end the process instead of failing.
        command.args(["-c", "trap '' XFSZ; exec \"$0\" serve", env!("CARGO_BIN_EXE_art33")]);
        Process::start(command).await
    }
}

impl Process {
    async fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = unbounded_channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut process = Self { child, base: String::new(), lines, log: Vec::new() };
        let line = process.line_with(" serves at ").await;
        let (_, base) = line.split_once(" serves at ").unwrap();
        base.trim_end_matches('/').clone_into(&mut process.base);
        process
    }

    /// The next line of its log that holds `text`; fails the test if the process ends before.
    pub(crate) async fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = timeout(PATIENCE, self.lines.recv()).await.expect("a line of the log");
            let Some(line) = line else { panic!("it ended before it said {text:?}") };
            self.log.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The number by which the system knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without warning.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has ended by itself; answers how, and everything it logged.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        // Its standard error closes when it ends.
        while let Some(line) = timeout(PATIENCE, self.lines.recv()).await.expect("the process ends") {
            self.log.push(line);
        }
        (self.child.wait().unwrap(), self.log.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        drop(self.child.wait());
        if std::thread::panicking() {
            while let Ok(line) = self.lines.try_recv() {
                self.log.push(line);
            }
            let start = self.log.len().saturating_sub(40);
            eprintln!("the last lines of {}:\n{}", self.base, self.log[start..].join("\n"));
        }
    }
}
