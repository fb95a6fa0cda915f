//! What is kept of one conversation, whatever becomes of it: the dialogue, without secrets and without the message.
//!
//! Reads and writes nothing itself.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// As much of the dialogue as is kept, in bytes.
const DIALOGUE_LIMIT: usize = 8 * 1024;
/// As much of that as is left for the end, where the decision stands.
const END_LIMIT: usize = 3 * 1024;
/// As much as is ever read from the relay, in bytes.
const READ_LIMIT: usize = 64 * 1024;

/// How a message ends: the dot in a line of its own.
const FINAL_DOT: &[u8; 5] = b"\r\n.\r\n";

/// The evidence of a conversation that is still going on, or was cut off.
pub(super) type Shared = Arc<Mutex<Evidence>>;

/// How what we write is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Showing {
    /// As it is.
    All,
    /// Only how it begins: it proves who we are.
    Secret,
    /// Not at all: it is the message, which was noted otherwise.
    Nothing,
}

/// What is kept of one conversation.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) peer: Option<SocketAddr>,
    pub(super) tls: Option<String>,
    pub(super) dsn_requested: bool,
    pub(super) final_dot_sent: bool,
    pub(super) showing: Showing,
    text: String,
    /// Lines that have begun, of ours and of the relay.
    ours: Vec<u8>,
    theirs: Vec<u8>,
    read: usize,
    /// The last bytes of the message that were written.
    tail: Vec<u8>,
    secrets: Vec<String>,
}

impl Evidence {
    pub(super) fn new(secrets: Vec<String>) -> Self {
        Self {
            peer: None,
            tls: None,
            dsn_requested: false,
            final_dot_sent: false,
            showing: Showing::All,
            text: String::new(),
            ours: Vec::new(),
            theirs: Vec::new(),
            read: 0,
            tail: Vec::new(),
            secrets,
        }
    }

    /// Adds a line that nobody said.
    pub(super) fn note(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Adds what we wrote.
    pub(super) fn wrote(&mut self, bytes: &[u8]) {
        if self.showing == Showing::Nothing {
            // Within the message a dot after a line end is doubled and written by itself, so only the last one looks so.
            self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(FINAL_DOT.len())..]);
            self.tail.drain(..self.tail.len().saturating_sub(FINAL_DOT.len()));
            self.final_dot_sent |= self.tail == FINAL_DOT;
            return;
        }
        self.ours.extend_from_slice(bytes);
        for line in whole_lines(&mut self.ours) {
            let shown = if self.showing == Showing::Secret { masked(&line) } else { line };
            self.note(&format!("C: {shown}"));
        }
    }

    /// Adds what the relay wrote; false if that is more than is ever read.
    pub(super) fn was_told(&mut self, bytes: &[u8]) -> bool {
        self.read += bytes.len();
        self.theirs.extend_from_slice(bytes);
        for line in whole_lines(&mut self.theirs) {
            let line = self.without_secrets(line);
            self.note(&format!("S: {line}"));
        }
        self.read <= READ_LIMIT
    }

    /// The dialogue: all of it, or how it began and how it ended.
    pub(super) fn dialogue(&self) -> String {
        let mut text = self.text.clone();
        if !self.theirs.is_empty() {
            let line = self.without_secrets(printable(&self.theirs));
            let _ = writeln!(text, "S: {line}");
        }
        if text.len() <= DIALOGUE_LIMIT {
            return text;
        }
        let tail = text.ceil_char_boundary(text.len() - END_LIMIT);
        let head = text.floor_char_boundary(DIALOGUE_LIMIT - END_LIMIT - 64);
        format!("{}\n[{} bytes left out]\n{}", &text[..head], tail - head, &text[tail..])
    }

    /// A relay that repeats what it was told must not bring a password into the evidence.
    fn without_secrets(&self, line: String) -> String {
        let secrets = self.secrets.iter().filter(|secret| !secret.is_empty());
        secrets.fold(line, |line, secret| if line.contains(secret) { line.replace(secret, "***") } else { line })
    }
}

/// Takes the lines that are complete out of `pending`.
fn whole_lines(pending: &mut Vec<u8>) -> Vec<String> {
    let Some(last) = pending.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    let whole: Vec<u8> = pending.drain(..=last).collect();
    whole.split_inclusive(|byte| *byte == b'\n').map(|line| printable(line.trim_ascii_end())).collect()
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(|sign: char| sign.is_control() && sign != '\t', "\u{fffd}")
}

/// `AUTH PLAIN` and its like stay; whatever follows goes.
fn masked(line: &str) -> String {
    match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [auth, mechanism, rest @ ..] if auth.eq_ignore_ascii_case("AUTH") => {
            format!("AUTH {mechanism}{}", if rest.is_empty() { "" } else { " ***" })
        }
        _ => "***".to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_shown_line_by_line() {
        let mut evidence = Evidence::new(Vec::new());
        evidence.was_told(b"220 rel");
        evidence.was_told(b"ay\r\n");
        evidence.wrote(b"EHLO a\r\n");
        evidence.was_told(b"250-x\r\n250 \x1b[1m\r\n421 tim");
        assert_eq!(evidence.dialogue(), "S: 220 relay\nC: EHLO a\nS: 250-x\nS: 250 \u{fffd}[1m\nS: 421 tim\n");
    }

    #[test]
    fn no_secret_is_shown_however_it_comes_up() {
        let mut evidence = Evidence::new(vec!["c2VzYW1l".into(), "sesame".into()]);
        evidence.showing = Showing::Secret;
        evidence.wrote(b"AUTH PLAIN c2VzYW1l\r\n");
        evidence.wrote(b"AUTH LOGIN\r\n");
        evidence.wrote(b"c2VzYW1l\r\n");
        evidence.was_told(b"535 sesame (c2VzYW1l) is wrong\r\n535 sesame");
        let expected = "C: AUTH PLAIN ***\nC: AUTH LOGIN\nC: ***\nS: 535 *** (***) is wrong\nS: 535 ***\n";
        assert_eq!(evidence.dialogue(), expected);
    }

    #[test]
    fn the_dot_behind_the_message_is_seen_however_it_is_written() {
        let message = b"text\r\n..dots\r\n.\r\n";
        for size in 1..=message.len() {
            let mut evidence = Evidence::new(Vec::new());
            evidence.showing = Showing::Nothing;
            let pieces: Vec<_> = message.chunks(size).collect();
            let (last, before) = pieces.split_last().unwrap();
            for piece in before {
                evidence.wrote(piece);
            }
            assert!(!evidence.final_dot_sent, "pieces of {size} before the last one");
            evidence.wrote(last);
            assert!(evidence.final_dot_sent, "pieces of {size}");
        }
    }

    #[test]
    fn of_a_long_dialogue_the_beginning_and_the_end_are_kept() {
        let mut evidence = Evidence::new(Vec::new());
        for _ in 0..2000 {
            evidence.was_told("250-ä lot\r\n".as_bytes());
        }
        evidence.note("the end");
        let dialogue = evidence.dialogue();
        assert!(dialogue.len() <= DIALOGUE_LIMIT && dialogue.len() > DIALOGUE_LIMIT - 128, "{}", dialogue.len());
        assert!(dialogue.starts_with("S: 250-ä") && dialogue.ends_with("the end\n") && dialogue.contains("left out]"));
    }

    #[test]
    fn more_than_is_ever_read_is_told() {
        let mut evidence = Evidence::new(Vec::new());
        assert!(evidence.was_told(&vec![b'a'; READ_LIMIT]));
        assert!(!evidence.was_told(b"a"));
        assert!(evidence.dialogue().len() <= DIALOGUE_LIMIT);
    }
}
