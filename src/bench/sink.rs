//! The endpoints that the service delivers to: one process of its own, so that its work is not counted as the service's.
//!
//! This side starts it and asks it what arrived. It ends when its input ends.

mod certificate;
mod endpoint;
mod listen;
mod tally;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use listen::listen;
pub(super) use tally::{Count, hangs};

use super::{BenchError, cannot};

/// How often it is asked while something is awaited.
const LOOK: Duration = Duration::from_millis(20);

/// What it says of itself at the start.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    /// Ports for plain HTTP; several, since connections from one address to one port are limited by its ports.
    plain: Vec<u16>,
    /// Ports with TLS.
    tls: Vec<u16>,
    /// The certificate of the authority that vouches for them, in PEM.
    authority: String,
}

/// A running sink; ended when dropped.
pub(super) struct Sink {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    hello: Hello,
}

/// How an endpoint is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Plain,
    Tls,
}

impl Sink {
    pub(super) fn start() -> Result<Self, BenchError> {
        let mut command = Command::new(std::env::current_exe().map_err(cannot("find this program"))?);
        let started = command.arg("bench-sink").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = started.map_err(cannot("start the sink"))?;
        let (commands, answers) = (child.stdin.take(), child.stdout.take());
        let answers = answers.ok_or_else(|| BenchError::Unusable("the sink has no output".to_owned()))?;
        let mut answers = BufReader::new(answers);
        let hello = answer(&mut answers)?;
        Ok(Self { child, commands, answers, hello })
    }

    /// Where the endpoint `number` is; each is a host of its own.
    pub(super) fn url(&self, scheme: Scheme, number: usize) -> String {
        let (scheme, ports) = match scheme {
            Scheme::Plain => ("http", &self.hello.plain),
            Scheme::Tls => ("https", &self.hello.tls),
        };
        let port = ports[number % ports.len()];
        format!("{scheme}://c{number}.{}:{port}/{number}", certificate::DOMAIN)
    }

    /// Writes the certificate of its authority into `directory`; answers the file.
    pub(super) fn authority(&self, directory: &Path) -> Result<PathBuf, BenchError> {
        let file = directory.join("authority.pem");
        std::fs::write(&file, &self.hello.authority).map_err(cannot("write a certificate"))?;
        Ok(file)
    }

    /// Forgets what came before. From now on `hanging_percent` of the endpoints never answer, and if any, one more drips.
    pub(super) fn begin(&mut self, hanging_percent: usize) -> Result<(), BenchError> {
        self.ask::<()>(&format!("begin {hanging_percent}"))
    }

    /// What came since.
    pub(super) fn count(&mut self) -> Result<Count, BenchError> {
        self.ask("count")
    }

    /// When each message arrived first at an endpoint that answers, in microseconds since 1970, sorted.
    pub(super) fn arrivals(&mut self) -> Result<Vec<i64>, BenchError> {
        self.ask("arrivals")
    }

    /// Waits until `enough` has come; longer than `patience` is an error.
    pub(super) async fn wait(
        &mut self,
        patience: Duration,
        enough: impl Fn(&Count) -> bool,
    ) -> Result<Count, BenchError> {
        let begun = std::time::Instant::now();
        loop {
            let count = self.count()?;
            if enough(&count) {
                return Ok(count);
            }
            if begun.elapsed() > patience {
                return Err(BenchError::Unusable(format!("after {patience:?} only this had arrived: {count:?}")));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn ask<T: DeserializeOwned>(&mut self, command: &str) -> Result<T, BenchError> {
        if let Some(commands) = &mut self.commands {
            writeln!(commands, "{command}").map_err(cannot("ask the sink"))?;
        }
        answer(&mut self.answers)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.commands.take());
        drop(self.child.wait());
    }
}

fn answer<T: DeserializeOwned>(answers: &mut BufReader<ChildStdout>) -> Result<T, BenchError> {
    let mut line = String::new();
    answers.read_line(&mut line).map_err(cannot("hear the sink"))?;
    if line.is_empty() {
        return Err(BenchError::Unusable("the sink has ended".to_owned()));
    }
    Ok(serde_json::from_str(&line)?)
}
