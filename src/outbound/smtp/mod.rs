//! Handing mail to one relay (SMTP submission): one recipient per transaction, with a request for delivery reports.
//! On `mail-send`, because it takes a stream of ours, parameters for `MAIL` and `RCPT`, and rustls with aws-lc.
//! Bounds every wait and every byte, and writes down the whole dialogue. Knows nothing of what is sent.

mod connect;
mod conversation;
mod evidence;
mod recorded;
mod settings;
mod verdict;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use self::evidence::{Evidence, Shared};
use self::verdict::Failure;
use super::letter::is_address;
use super::resolver::{Lookup, system_lookup};
use crate::domain::delivery_outcome::{FailureKind, Outcome};

pub use self::settings::{RelayCredentials, RelayError, RelaySettings, RelayTls};

/// As much of the text of the last reply as is kept, in bytes.
const QUEUE_REPLY_LIMIT: usize = 512;

/// Hands mail to one relay; clones share its settings.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    settings: RelaySettings,
    tls: Option<TlsConnector>,
    lookup: Lookup,
}

/// One message for one recipient.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Where reports on the delivery go.
    pub return_path: String,
    /// The address of the one recipient.
    pub recipient: String,
    /// What reports name the message by (ENVID), in at most 100 characters.
    pub envelope_id: String,
    /// The exact bytes of the message; every line, the last one too, ends with CR LF.
    pub message: Vec<u8>,
}

/// What came of handing over one message.
#[derive(Clone, Debug)]
pub struct MailExchange {
    /// What it means; a relay never delivers, so the best is `Accepted`.
    pub outcome: Outcome,
    /// The code of the reply that decided it, if one did.
    pub reply_code: Option<u16>,
    /// The enhanced status code of that reply (RFC 3463).
    pub enhanced_code: Option<String>,
    /// The whole dialogue without secrets, and with the digest of the message in its place; at most 8 KiB.
    pub dialogue: String,
    /// The address and port that was reached.
    pub peer: Option<String>,
    /// The version of TLS and its cipher suite, if the connection was encrypted.
    pub tls: Option<String>,
    /// Whether the relay was asked for reports on the delivery.
    pub dsn_requested: bool,
    /// Whether the message went out in full, but no reply to it came: the relay may have taken it.
    pub may_have_been_sent: bool,
    /// The text with which the relay took the message, which mostly names its place in the queue.
    pub queue_reply: Option<String>,
    /// How long it took, on the machine's monotonic clock.
    pub duration: Duration,
}

/// The reply of a relay that took a message.
struct Taken {
    code: u16,
    enhanced: Option<String>,
    text: String,
}

impl Relay {
    /// A client of the relay with these settings; connects to nothing yet.
    pub fn new(settings: RelaySettings) -> Result<Self, RelayError> {
        settings.check()?;
        let tls = match settings.tls {
            RelayTls::Implicit | RelayTls::StartTls => Some(connect::connector(settings.extra_ca.as_deref())?),
            RelayTls::None => None,
        };
        Ok(Self(Arc::new(Inner { settings, tls, lookup: system_lookup() })))
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &RelaySettings {
        &self.0.settings
    }

    /// Hands `mail` to the relay, once.
    ///
    /// Takes no longer than the total timeout, whatever the relay does; only the reply to a message that went out in full is waited for
    /// longer, since without it nobody knows who has the message (RFC 5321, 4.5.3.2.6).
    pub async fn send(&self, mail: &Mail) -> MailExchange {
        let begun = Instant::now();
        let secrets = self.0.settings.credentials.as_ref().map(RelayCredentials::secrets).unwrap_or_default();
        let shared = Shared::new(Evidence::new(secrets).into());
        let result = if is_sendable(mail) {
            let deadline = begun + self.0.settings.total_timeout;
            let last = deadline + self.0.settings.reply_timeout;
            let conversation = self.0.converse(mail, &shared, last);
            tokio::pin!(conversation);
            let is_taking = || shared.lock().unwrap_or_else(PoisonError::into_inner).final_dot_sent;
            let mut result = timeout_at(deadline, &mut conversation).await;
            if result.is_err() && is_taking() {
                result = timeout_at(last, conversation).await;
            }
            result.unwrap_or(Err(Failure::transient(FailureKind::Timeout)))
        } else {
            Err(Failure::configuration(FailureKind::InvalidRequest))
        };
        let evidence = shared.lock().unwrap_or_else(PoisonError::into_inner);
        MailExchange::new(result, &evidence, begun.elapsed())
    }
}

impl MailExchange {
    fn new(result: Result<Taken, Failure>, evidence: &Evidence, duration: Duration) -> Self {
        let (outcome, reply_code, enhanced_code, queue_reply) = match result {
            Ok(taken) => (Outcome::Accepted, Some(taken.code), taken.enhanced, Some(taken.text)),
            Err(failure) => (failure.outcome, failure.code, failure.enhanced, None),
        };
        Self {
            outcome,
            may_have_been_sent: evidence.final_dot_sent && reply_code.is_none(),
            reply_code,
            enhanced_code,
            dialogue: evidence.dialogue(),
            peer: evidence.peer.map(|peer| peer.to_string()),
            tls: evidence.tls.clone(),
            dsn_requested: evidence.dsn_requested,
            queue_reply,
            duration,
        }
    }
}

/// Whether the relay can be told of it without its being read as anything else, and without a byte of it being changed.
fn is_sendable(mail: &Mail) -> bool {
    let is_id = |text: &str| (1..=100).contains(&text.len()) && text.bytes().all(|sign| matches!(sign, b' '..=b'~'));
    let without_line_ends = mail
        .message
        .split(|byte| *byte == b'\n')
        .rev()
        .skip(1)
        .all(|line| line.split_last().is_some_and(|(last, line)| *last == b'\r' && !line.contains(&b'\r')));
    is_address(&mail.return_path)
        && is_address(&mail.recipient)
        && is_id(&mail.envelope_id)
        && mail.message.ends_with(b"\r\n")
        && without_line_ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(message: &str) -> Mail {
        Mail {
            return_path: "bounce+1@example.org".into(),
            recipient: "desk@example.com".into(),
            envelope_id: "dlv_1".into(),
            message: message.as_bytes().to_vec(),
        }
    }

    #[test]
    fn only_lines_that_end_with_both_bytes_can_be_sent_unchanged() {
        assert!(is_sendable(&mail("A: b\r\n\r\n\r\ntext\r\n")));
        for message in ["", "\n", "text", "text\n", "a\nb\r\n", "a\rb\r\n", "a\r\r\n", "a\r\n.\nb\r\n", "a\r\n."] {
            assert!(!is_sendable(&mail(message)), "{message:?}");
        }
    }

    #[test]
    fn what_would_break_out_of_the_command_is_refused() {
        let good = mail("a\r\n");
        for evil in ["", "a@b>\r\nRCPT TO:<c@d", "a@b> RET=FULL", "a b@c", "a@b\u{e4}"] {
            assert!(!is_sendable(&Mail { recipient: evil.into(), ..good.clone() }), "{evil:?}");
            assert!(!is_sendable(&Mail { return_path: evil.into(), ..good.clone() }), "{evil:?}");
        }
        for evil in ["", "a\r\nb", "\u{e4}", &"a".repeat(101)] {
            assert!(!is_sendable(&Mail { envelope_id: evil.into(), ..good.clone() }), "{evil:?}");
        }
    }
}
