//! A real mail server for tests: a process of its own, in another language, that says what it saw.
//! Ends with its value. `smtp_server.py` says what it can be asked for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The longest wait for what the server has to say; reached only if it has nothing to say.
const PATIENCE: Duration = Duration::from_secs(20);

/// A mail server on a port of the loopback interface.
pub(crate) struct SmtpServer {
    /// Where it listens.
    pub(crate) port: u16,
    process: Child,
    input: Mutex<Option<ChildStdin>>,
    events: Mutex<Receiver<Value>>,
}

impl SmtpServer {
    /// A server with these options.
    pub(crate) fn start(options: &Value) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/support/smtp_server.py");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(options.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("needs /usr/bin/python3 with aiosmtpd: see scripts/test");
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, events) = channel();
        std::thread::spawn(move || {
            let events = output.lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok());
            events.take_while(|event: &Value| sender.send(event.clone()).is_ok()).for_each(drop);
        });
        let input = Mutex::new(process.stdin.take());
        let mut server = Self { port: 0, process, input, events: Mutex::new(events) };
        let port = server.event("listening")["port"].as_u64();
        server.port = port.and_then(|port| port.try_into().ok()).unwrap();
        server
    }

    /// The next event of this name; those before it are dropped.
    pub(crate) fn event(&self, name: &str) -> Value {
        let events = self.lock();
        loop {
            let event = events.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no event {name}: {error}"));
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Every event so far that was not asked for.
    pub(crate) fn events_so_far(&self) -> Vec<Value> {
        self.lock().try_iter().collect()
    }

    /// Asks the server for something, and waits for the event `name` that answers.
    pub(crate) fn ask(&self, request: &Value, name: &str) -> Value {
        let mut input = self.input.lock().unwrap();
        writeln!(input.as_mut().unwrap(), "{request}").unwrap();
        drop(input);
        self.event(name)
    }

    /// The bytes that an event or an answer holds.
    pub(crate) fn bytes(event: &Value) -> Vec<u8> {
        STANDARD.decode(event["message"].as_str().unwrap()).unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, Receiver<Value>> {
        self.events.lock().unwrap()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        drop(self.input.get_mut().map(Option::take));
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
