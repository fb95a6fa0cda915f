//! What came of one attempt to deliver: five outcomes and a fixed vocabulary of reasons.
//!
//! Says nothing of how a reason is found out, nor of what is done next.

use std::fmt;
use std::str::FromStr;

/// The outcome of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The receiver took it: any 2xx other than 202.
    Delivered,
    /// The receiver took it for later processing (202), or a mail server did to pass it on: weaker than delivered.
    Accepted,
    /// It failed for a reason that may pass by itself.
    Transient(FailureKind),
    /// It failed for a reason that somebody has to put right: another channel should open.
    Configuration(FailureKind),
    /// The receiver says that the endpoint is no more (410).
    Gone,
}

impl Outcome {
    /// The outcome without its reason, as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Accepted => "accepted",
            Self::Transient(_) => "transient",
            Self::Configuration(_) => "configuration",
            Self::Gone => "gone",
        }
    }

    /// The reason, if it failed for one.
    pub fn kind(self) -> Option<FailureKind> {
        match self {
            Self::Transient(kind) | Self::Configuration(kind) => Some(kind),
            Self::Delivered | Self::Accepted | Self::Gone => None,
        }
    }

    /// The outcome from its stored parts; none if they do not fit together.
    pub fn from_parts(outcome: &str, kind: Option<&str>) -> Option<Self> {
        let kind = kind.map(FailureKind::from_str).transpose().ok()?;
        match (outcome, kind) {
            ("delivered", None) => Some(Self::Delivered),
            ("accepted", None) => Some(Self::Accepted),
            ("gone", None) => Some(Self::Gone),
            ("transient", Some(kind)) => Some(Self::Transient(kind)),
            ("configuration", Some(kind)) => Some(Self::Configuration(kind)),
            _ => None,
        }
    }

    /// Whether the receiver took it, for now or for later.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Delivered | Self::Accepted)
    }
}

/// Why an attempt failed. Written for the owner of the endpoint; holds no socket error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// No answer came within the time allowed.
    Timeout,
    /// No connection could be made, or not in time.
    Connect,
    /// The connection broke before the answer was complete.
    Reset,
    /// The name of the host does not resolve.
    Dns,
    /// No trusted TLS connection could be made.
    Tls,
    /// The address is one that notices are never sent to.
    ForbiddenAddress,
    /// The request cannot be made: its URL, its scheme, its port or a header is not allowed.
    InvalidRequest,
    /// It answered with a redirect, which is never followed.
    Redirect,
    /// It asks to send less often (429).
    Throttled,
    /// It refused the request (4xx).
    Status4xx,
    /// It failed itself (5xx).
    Status5xx,
    /// It answered well, but the rest of its answer did not arrive in time.
    BodyTooSlow,
    /// What it answered is not of its protocol, or larger than is read.
    InvalidAnswer,
    /// The mail server asks to come back later (4xx).
    MailDeferred,
    /// The mail server refused the message or its recipient (5xx).
    MailRefused,
    /// The mail relay refuses to deal with us, before it comes to any mailbox (5xx).
    RelayRefused,
    /// The mail relay does not take our user name and password.
    MailAuthentication,
    /// The message was taken, and came back later.
    MailBounced,
    /// It took a verification but did not answer what it was asked to.
    NoEcho,
    /// Nothing was sent: the agreement does not allow the place where the relay stands.
    Withheld,
}

impl FailureKind {
    /// Every kind, in the order in which an attempt meets them.
    pub const ALL: [Self; 20] = [
        Self::InvalidRequest,
        Self::ForbiddenAddress,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::InvalidAnswer,
        Self::Redirect,
        Self::Status4xx,
        Self::Throttled,
        Self::Status5xx,
        Self::BodyTooSlow,
        Self::RelayRefused,
        Self::MailAuthentication,
        Self::MailDeferred,
        Self::MailRefused,
        Self::MailBounced,
        Self::NoEcho,
        Self::Withheld,
    ];

    /// The word for it, as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::ForbiddenAddress => "forbidden_address",
            Self::InvalidRequest => "invalid_request",
            Self::Redirect => "redirect",
            Self::Throttled => "throttled",
            Self::Status4xx => "status_4xx",
            Self::Status5xx => "status_5xx",
            Self::BodyTooSlow => "body_too_slow",
            Self::InvalidAnswer => "invalid_answer",
            Self::MailDeferred => "mail_deferred",
            Self::MailRefused => "mail_refused",
            Self::RelayRefused => "relay_refused",
            Self::MailAuthentication => "mail_authentication",
            Self::MailBounced => "mail_bounced",
            Self::NoEcho => "no_echo",
            Self::Withheld => "withheld",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A word outside the vocabulary of failures.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("no known kind of failure")]
pub struct UnknownFailureKind;

impl FromStr for FailureKind {
    type Err = UnknownFailureKind;

    fn from_str(word: &str) -> Result<Self, UnknownFailureKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(UnknownFailureKind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_survives_being_stored() {
        let failures =
            FailureKind::ALL.into_iter().flat_map(|kind| [Outcome::Transient(kind), Outcome::Configuration(kind)]);
        let all: Vec<_> = [Outcome::Delivered, Outcome::Accepted, Outcome::Gone].into_iter().chain(failures).collect();
        assert_eq!(all.len(), 3 + 2 * 20);
        for outcome in all {
            assert_eq!(Outcome::from_parts(outcome.as_str(), outcome.kind().map(FailureKind::as_str)), Some(outcome));
        }
    }

    #[test]
    fn parts_that_do_not_fit_together_are_refused() {
        for (outcome, kind) in
            [("delivered", Some("timeout")), ("transient", None), ("transient", Some("bad luck")), ("lost", None)]
        {
            assert_eq!(Outcome::from_parts(outcome, kind), None, "{outcome} {kind:?}");
        }
    }
}
