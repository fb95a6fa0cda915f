//! The service under load, as a process of its own, so that its memory and its end are its own too.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::process::{self, Memory};
use super::{BenchError, cannot};

/// Settings beside those that every run has: names of variables, and what stands in them.
pub(super) type Settings = Vec<(&'static str, String)>;

/// A running service; killed when dropped.
pub(super) struct Server {
    child: Child,
    directory: PathBuf,
    pub(super) address: SocketAddr,
}

/// This program with `arguments`, in `directory`, under no other configuration than ours.
fn program(directory: &Path, arguments: &[&str]) -> Result<Command, BenchError> {
    let mut command = Command::new(std::env::current_exe().map_err(cannot("find this program"))?);
    command.args(arguments).current_dir(directory).env_clear();
    command.env("ART33_DATA_DIR", directory).env("ART33_LISTEN", "127.0.0.1:0");
    command.env("ART33_RATE_LIMIT_PER_SECOND", "0").env("ART33_LOG", "warn");
    Ok(command)
}

impl Server {
    /// Starts the service on the database at `url` and waits until it says where it listens.
    pub(super) fn start(directory: &Path, url: &str, settings: &Settings) -> Result<Self, BenchError> {
        let mut command = program(directory, &["serve"])?;
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let started = command.env("ART33_DATABASE_URL", url).stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(cannot("start the service"))?;
        let output = child.stderr.take().ok_or_else(|| BenchError::Unusable("the service has no output".to_owned()))?;
        let mut lines = BufReader::new(output).lines();
        let address = lines.by_ref().find_map(|line| {
            let line = line.ok()?;
            let (_, url) = line.split_once(" serves at http://")?;
            url.trim_end_matches('/').parse().ok()
        });
        // What it says later goes where our own messages go.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| complain(&line)));
        let Some(address) = address else {
            drop(child.kill());
            return Err(BenchError::Unusable("the service did not start".to_owned()));
        };
        Ok(Self { child, directory: directory.to_owned(), address })
    }

    /// A token of the built-in issuer, for the organisation or, without one, for the operator.
    pub(super) fn token(&self, organisation: Option<&str>, scopes: &str) -> Result<String, BenchError> {
        let whose = organisation.map_or_else(|| vec!["--operator"], |id| vec!["--org", id]);
        let arguments = [&["token", "--scope", scopes], whose.as_slice()].concat();
        let output = program(&self.directory, &arguments)?.output().map_err(cannot("make a token"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Resident memory now, and the most it has been.
    pub(super) fn memory(&self) -> Result<Memory, BenchError> {
        process::memory(self.child.id())
    }

    /// Seconds of processors that it has used.
    pub(super) fn processor_seconds(&self) -> Result<f64, BenchError> {
        process::processor_seconds(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // At once, without a word: what it answered must be there all the same.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn complain(line: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stderr(), "{line}"));
}
