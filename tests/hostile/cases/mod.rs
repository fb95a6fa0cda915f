//! What receivers do, as scripts, and what must come of each. Played to the client alone and to the whole service.

mod size;
mod status;
mod time;

pub(crate) use size::bomb;
pub(crate) use status::{WISHES, Wish};

use art33::domain::delivery_outcome::{FailureKind, Outcome};

use super::receiver::{Act, Script};

/// One way to receive, and what must come of it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) acts: Vec<Act>,
    pub(crate) outcome: Outcome,
    /// The status that must be on record.
    pub(crate) status: Option<u16>,
    /// Whether the receiver never comes to an end by itself, so that the client's patience decides.
    pub(crate) endless: bool,
}

impl Case {
    fn new(name: impl Into<String>, acts: Vec<Act>, outcome: Outcome, status: impl Into<Option<u16>>) -> Self {
        Self { name: name.into(), acts, outcome, status: status.into(), endless: false }
    }

    fn endless(self) -> Self {
        Self { endless: true, ..self }
    }

    /// Only who takes what is sent answers to whom the endpoint belongs.
    pub(crate) fn script(&self) -> Script {
        Script { acts: self.acts.clone(), honest: self.outcome.is_success() }
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    [time::cases(), size::cases(), status::cases()].into_iter().flatten().collect()
}

fn transient(kind: FailureKind) -> Outcome {
    Outcome::Transient(kind)
}

fn configuration(kind: FailureKind) -> Outcome {
    Outcome::Configuration(kind)
}

/// Takes a request and sends these bytes.
pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Vec<Act> {
    vec![Act::Read, Act::Write(bytes.into())]
}

/// Takes a request and answers with this head, which lacks only its end, and this body.
pub(crate) fn answer(head: &str, body: impl AsRef<[u8]>) -> Vec<Act> {
    raw([format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body.as_ref()].concat())
}

/// The same without a body.
pub(crate) fn bare(head: &str) -> Vec<Act> {
    answer(&format!("{head}\r\nContent-Length: 0"), "")
}
