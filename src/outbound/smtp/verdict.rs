//! What a reply of the relay, or the lack of one, means for a delivery.
//!
//! Translates into the fixed vocabulary; inner error texts go no further than here.

use std::io;

use mail_send::Error;
use smtp_proto::Response;

use crate::domain::delivery_outcome::{FailureKind, Outcome};

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) code: Option<u16>,
    pub(super) enhanced: Option<String>,
}

impl Failure {
    pub(super) fn transient(kind: FailureKind) -> Self {
        Self { outcome: Outcome::Transient(kind), code: None, enhanced: None }
    }

    pub(super) fn configuration(kind: FailureKind) -> Self {
        Self { outcome: Outcome::Configuration(kind), code: None, enhanced: None }
    }

    /// A reply to what names the mailbox or hands the message over: only there a refusal is about them.
    pub(super) fn about_the_mailbox(error: Error) -> Self {
        let refused = matches!(&error, Error::UnexpectedReply(reply) if is_refusal(reply.code));
        let outcome = refused.then_some(Outcome::Configuration(FailureKind::MailRefused));
        let failure = Self::from(error);
        Self { outcome: outcome.unwrap_or(failure.outcome), ..failure }
    }

    /// A reply other than the one that was hoped for, to whatever is between us and the relay alone.
    pub(super) fn of_reply(reply: &Response<String>) -> Self {
        let outcome = match reply.code {
            code if is_about_authentication(code) => Outcome::Configuration(FailureKind::MailAuthentication),
            400..=499 => Outcome::Transient(FailureKind::MailDeferred),
            code if is_refusal(code) => Outcome::Transient(FailureKind::RelayRefused),
            _ => Outcome::Transient(FailureKind::InvalidAnswer),
        };
        Self { outcome, code: Some(reply.code), enhanced: enhanced_code(reply) }
    }

    /// Whether the relay still listens, so that one can take leave of it.
    pub(super) fn is_reply(&self) -> bool {
        self.code.is_some_and(|code| code != 421)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::UnexpectedReply(reply) => Self::of_reply(&reply),
            Error::AuthenticationFailed(reply) if (400..500).contains(&reply.code) => Self::of_reply(&reply),
            Error::AuthenticationFailed(reply) => {
                Self { outcome: Outcome::Configuration(FailureKind::MailAuthentication), ..Self::of_reply(&reply) }
            }
            Error::Auth(_) | Error::MissingCredentials | Error::UnsupportedAuthMechanism => {
                Self::configuration(FailureKind::MailAuthentication)
            }
            Error::Tls(_) | Error::InvalidTLSName | Error::MissingStartTls => Self::configuration(FailureKind::Tls),
            Error::Timeout => Self::transient(FailureKind::Timeout),
            Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::transient(FailureKind::InvalidAnswer)
            }
            Error::Io(_) => Self::transient(FailureKind::Reset),
            Error::UnparseableReply | Error::Base64(_) => Self::transient(FailureKind::InvalidAnswer),
            Error::MissingMailFrom | Error::MissingRcptTo => Self::configuration(FailureKind::InvalidRequest),
        }
    }
}

/// Required, too weak, wrong, only with encryption.
fn is_about_authentication(code: u16) -> bool {
    matches!(code, 530 | 534 | 535 | 538)
}

fn is_refusal(code: u16) -> bool {
    (500..=599).contains(&code) && !is_about_authentication(code)
}

/// The enhanced status code of the reply, if it has one.
pub(super) fn enhanced_code(reply: &Response<String>) -> Option<String> {
    let [class, subject, detail] = reply.esc;
    (class != 0).then(|| format!("{class}.{subject}.{detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_has_its_meaning() {
        for (codes, outcome) in [
            (&[421, 450, 451, 452, 454][..], Outcome::Transient(FailureKind::MailDeferred)),
            (&[500, 501, 550, 551, 552, 553, 554, 571], Outcome::Transient(FailureKind::RelayRefused)),
            (&[530, 534, 535, 538], Outcome::Configuration(FailureKind::MailAuthentication)),
            (&[100, 200, 354, 600, 999], Outcome::Transient(FailureKind::InvalidAnswer)),
        ] {
            for code in codes {
                let reply = Response { code: *code, esc: [5, 7, 1], message: String::new() };
                let expected = Failure { outcome, code: Some(*code), enhanced: Some("5.7.1".into()) };
                assert_eq!(Failure::of_reply(&reply), expected);
            }
        }
    }

    #[test]
    fn a_refusal_of_the_mailbox_is_held_against_it_and_nothing_else_is() {
        let of = |code| {
            let reply = Response { code, esc: [5, 1, 1], message: String::new() };
            Failure::about_the_mailbox(Error::UnexpectedReply(reply))
        };
        let refused = Failure {
            outcome: Outcome::Configuration(FailureKind::MailRefused),
            code: Some(550),
            enhanced: Some("5.1.1".into()),
        };
        assert_eq!(of(550), refused);
        assert_eq!(of(450).outcome, Outcome::Transient(FailureKind::MailDeferred));
        assert_eq!(of(530).outcome, Outcome::Configuration(FailureKind::MailAuthentication));
        assert_eq!(Failure::about_the_mailbox(Error::Timeout), Failure::transient(FailureKind::Timeout));
    }

    #[test]
    fn a_reply_to_authentication_is_about_authentication_unless_it_may_pass() {
        let of =
            |code| Failure::from(Error::AuthenticationFailed(Response { code, esc: [0; 3], message: String::new() }));
        assert_eq!(of(504).outcome, Outcome::Configuration(FailureKind::MailAuthentication));
        assert_eq!(of(454).outcome, Outcome::Transient(FailureKind::MailDeferred));
        assert_eq!(of(454).enhanced, None);
    }

    #[test]
    fn an_error_without_a_reply_has_its_kind() {
        let io = |kind: io::ErrorKind| Failure::from(Error::Io(kind.into())).outcome;
        assert_eq!(io(io::ErrorKind::UnexpectedEof), Outcome::Transient(FailureKind::Reset));
        assert_eq!(io(io::ErrorKind::ConnectionReset), Outcome::Transient(FailureKind::Reset));
        assert_eq!(io(io::ErrorKind::InvalidData), Outcome::Transient(FailureKind::InvalidAnswer));
        assert_eq!(
            Failure::from(Error::UnsupportedAuthMechanism),
            Failure::configuration(FailureKind::MailAuthentication)
        );
        assert_eq!(Failure::from(Error::Timeout), Failure::transient(FailureKind::Timeout));
    }
}
