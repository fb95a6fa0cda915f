//! What the demo shows on the terminal: aligned lines, in colour only for a person who looks.

use std::io::{IsTerminal as _, Write};

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::DemoError;
use crate::domain::parse::parse_instant;
use crate::report::{Display, Language};

/// The mood of a line, by which it is coloured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Plain,
    Good,
    Warning,
    Bad,
}

/// The terminal, or whatever stands in its place.
pub(super) struct Screen {
    output: Box<dyn Write + Send>,
    has_colour: bool,
    zone: String,
    started_at: OffsetDateTime,
}

impl Screen {
    /// Shows times in the IANA `zone`, and how much time has passed since `started_at`.
    ///
    /// With `results_elsewhere` everything goes to the standard error, so that the standard output is free.
    pub(super) fn new(results_elsewhere: bool, zone: String, started_at: OffsetDateTime) -> Self {
        let (output, has_colour): (Box<dyn Write + Send>, bool) = if results_elsewhere {
            (Box::new(std::io::stderr()), std::io::stderr().is_terminal())
        } else {
            (Box::new(std::io::stdout()), std::io::stdout().is_terminal())
        };
        Self { output, has_colour, zone, started_at }
    }

    /// A line as it is. If nobody can read it any more, there is nothing to be done.
    pub(super) fn line(&mut self, text: &str) {
        drop(writeln!(self.output, "{text}"));
        drop(self.output.flush());
    }

    /// A heading after an empty line.
    pub(super) fn heading(&mut self, text: &str) {
        let text = self.painted("1", text);
        self.line(&format!("\n{text}"));
    }

    /// A name and what there is to say about it.
    pub(super) fn entry(&mut self, name: &str, text: &str) {
        let name = self.painted("2", &format!("{name:<12}"));
        self.line(&format!("  {name}  {text}"));
    }

    /// One step: when, what, to whom, and more about it.
    pub(super) fn step(&mut self, now: OffsetDateTime, mood: Mood, what: &str, whom: &str, more: &str) {
        let passed = self.painted("2", &since(now - self.started_at));
        let colour = match mood {
            Mood::Plain => "36",
            Mood::Good => "32",
            Mood::Warning => "33",
            Mood::Bad => "31",
        };
        let what = self.painted(colour, &format!("{what:<13}"));
        self.line(format!("  {passed}  {what}  {whom:<25} {more}").trim_end());
    }

    /// An RFC 3339 time as people in the zone write it; empty where there is none.
    pub(super) fn moment(&self, time: &Value) -> Result<String, DemoError> {
        let Some(time) = time.as_str().and_then(parse_instant) else { return Ok(String::new()) };
        // Whole minutes are enough to read; the answers of the service have the rest.
        let time = time - Duration::seconds(time.second().into());
        let display =
            Display::new(&self.zone, Language::English).map_err(|error| DemoError::Story(error.to_string()))?;
        Ok(display.moment(time))
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.has_colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A time that has passed, as hours, minutes and seconds.
fn since(passed: Duration) -> String {
    let seconds = passed.whole_seconds().max(0);
    format!("+{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_time_goes_beyond_a_day() {
        assert_eq!(since(Duration::seconds(-1)), "+00:00:00");
        assert_eq!(since(Duration::hours(72) + Duration::seconds(61)), "+72:01:01");
    }
}
