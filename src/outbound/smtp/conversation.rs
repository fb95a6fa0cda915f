//! The conversation itself, from the greeting to the last reply.
//!
//! Says one thing at a time and waits for the reply; the wait as a whole is bounded by the caller.

use std::fmt::Write as _;
use std::sync::PoisonError;
use std::time::Duration;

use mail_send::smtp::AssertReply;
use mail_send::{Credentials, SmtpClient};
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, EXT_8BIT_MIME, EXT_DSN, EXT_START_TLS, EhloResponse};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use super::evidence::{Evidence, Shared, Showing};
use super::recorded::Recorded;
use super::verdict::{Failure, enhanced_code};
use super::{Inner, Mail, QUEUE_REPLY_LIMIT, RelayTls, Taken};
use crate::crypto::sha256_hex;
use crate::domain::delivery_outcome::FailureKind;

/// The longest wait for a farewell: what matters has been said.
const FAREWELL: Duration = Duration::from_secs(1);

type Client<S> = SmtpClient<Recorded<S>>;

impl Inner {
    /// Connects, and hands over `mail`; what happens on the way is in `shared` even if this is cut off.
    pub(super) async fn converse(&self, mail: &Mail, shared: &Shared, deadline: Instant) -> Result<Taken, Failure> {
        let wait = deadline.saturating_duration_since(Instant::now());
        let stream = self.connect(shared).await?;
        match self.settings.tls {
            RelayTls::None => self.hand_over(recorded(stream, shared, wait), mail, true).await,
            RelayTls::Implicit => {
                let stream = self.encrypt(stream, shared).await?;
                self.hand_over(recorded(stream, shared, wait), mail, true).await
            }
            RelayTls::StartTls => {
                let stream = self.start_tls(recorded(stream, shared, wait)).await?;
                let stream = self.encrypt(stream, shared).await?;
                self.hand_over(recorded(stream, shared, wait), mail, false).await
            }
        }
    }

    /// Asks for encryption, and gives the bare connection back.
    ///
    /// What the relay says before is forgotten, as it could come from anybody (RFC 3207, 4.2).
    async fn start_tls<S: Stream>(&self, mut client: Client<S>) -> Result<S, Failure> {
        greet(&mut client).await?;
        let offered = client.ehlo(&self.settings.hello_name).await?;
        if offered.capabilities & EXT_START_TLS == 0 {
            return Err(Failure::configuration(FailureKind::Tls));
        }
        client.cmd("STARTTLS\r\n").await?.assert_code(220)?;
        Ok(client.stream.stream)
    }

    async fn hand_over<S: Stream>(&self, mut client: Client<S>, mail: &Mail, greets: bool) -> Result<Taken, Failure> {
        let result = self.transact(&mut client, mail, greets).await;
        if result.as_ref().map_or_else(Failure::is_reply, |_| true) {
            let _ = timeout(FAREWELL, client.cmd("QUIT\r\n")).await;
        }
        result
    }

    async fn transact<S: Stream>(&self, client: &mut Client<S>, mail: &Mail, greets: bool) -> Result<Taken, Failure> {
        if greets {
            greet(client).await?;
        }
        let offered = client.ehlo(&self.settings.hello_name).await?;
        self.authenticate(client, &offered).await?;
        let envelope = Envelope::of(mail, &offered)?;
        evidence(client, |evidence| evidence.dsn_requested = envelope.dsn);
        client.cmd(envelope.sender).await?.assert_positive_completion()?;
        let named = client.cmd(envelope.recipient).await?;
        named.assert_positive_completion().map_err(Failure::about_the_mailbox)?;
        client.cmd("DATA\r\n").await?.assert_code(354)?;
        write_message(client, &mail.message).await?;
        let reply = client.read().await?.into_positive_completion().map_err(Failure::about_the_mailbox)?;
        let text = reply.message.replace(char::is_control, " ");
        let text = text[..text.floor_char_boundary(QUEUE_REPLY_LIMIT)].trim().to_owned();
        Ok(Taken { code: reply.code, enhanced: enhanced_code(&reply), text })
    }

    /// Only the two mechanisms that need nothing but TLS; the others are obsolete or not for passwords.
    async fn authenticate<S: Stream>(
        &self,
        client: &mut Client<S>,
        offered: &EhloResponse<String>,
    ) -> Result<(), Failure> {
        let Some(known) = &self.settings.credentials else { return Ok(()) };
        let mut usable = offered.clone();
        usable.auth_mechanisms &= AUTH_PLAIN | AUTH_LOGIN;
        let credentials = Credentials::new(known.user.as_str(), known.password.as_str());
        evidence(client, |evidence| evidence.showing = Showing::Secret);
        let result = client.authenticate(&credentials, &usable).await.map(|_| ());
        evidence(client, |evidence| evidence.showing = Showing::All);
        Ok(result?)
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

fn recorded<S: Stream>(stream: S, shared: &Shared, wait: Duration) -> Client<S> {
    SmtpClient { stream: Recorded { stream, shared: shared.clone() }, timeout: wait }
}

fn evidence<S: Stream>(client: &Client<S>, change: impl FnOnce(&mut Evidence)) {
    change(&mut client.stream.shared.lock().unwrap_or_else(PoisonError::into_inner));
}

async fn greet<S: Stream>(client: &mut Client<S>) -> Result<(), Failure> {
    Ok(client.read().await?.assert_code(220)?)
}

/// Writes the message and the dot behind it. Its last line end is left to the client, which always writes one.
async fn write_message<S: Stream>(client: &mut Client<S>, message: &[u8]) -> Result<(), Failure> {
    let noted = format!("C: [message of {} bytes, sha256 {}]", message.len(), sha256_hex(message));
    evidence(client, |evidence| {
        evidence.note(&noted);
        evidence.showing = Showing::Nothing;
    });
    let written = client.write_message(message.strip_suffix(b"\r\n").unwrap_or(message)).await;
    evidence(client, |evidence| evidence.showing = Showing::All);
    written.map_err(|error| mail_send::Error::from(error).into())
}

/// The two commands that name sender and recipient, with their parameters.
struct Envelope {
    sender: String,
    recipient: String,
    dsn: bool,
}

impl Envelope {
    fn of(mail: &Mail, offered: &EhloResponse<String>) -> Result<Self, Failure> {
        let offers = |extension| offered.capabilities & extension != 0;
        let mut sender = format!("MAIL FROM:<{}>", mail.return_path);
        let mut recipient = format!("RCPT TO:<{}>", mail.recipient);
        if !mail.message.is_ascii() {
            if !offers(EXT_8BIT_MIME) {
                return Err(Failure::configuration(FailureKind::InvalidRequest));
            }
            sender.push_str(" BODY=8BITMIME");
        }
        let dsn = offers(EXT_DSN);
        if dsn {
            let _ = write!(sender, " RET=HDRS ENVID={}", xtext(&mail.envelope_id));
            let _ = write!(recipient, " NOTIFY=SUCCESS,DELAY,FAILURE ORCPT=rfc822;{}", xtext(&mail.recipient));
        }
        Ok(Self { sender: sender + "\r\n", recipient: recipient + "\r\n", dsn })
    }
}

/// The text as a parameter may hold it (RFC 3461, 4).
fn xtext(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for sign in text.bytes() {
        match sign {
            b'+' | b'=' => _ = write!(encoded, "+{sign:02X}"),
            b'!'..=b'~' => encoded.push(sign.into()),
            _ => _ = write!(encoded, "+{sign:02X}"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parameter_must_not_hold_is_encoded() {
        assert_eq!(xtext("dlv_1.7"), "dlv_1.7");
        assert_eq!(xtext("first+tag=a b@example.com"), "first+2Btag+3Da+20b@example.com");
    }

    fn mail(message: &str) -> Mail {
        Mail {
            return_path: "b@example.org".into(),
            recipient: "a+b@example.com".into(),
            envelope_id: "dlv_1".into(),
            message: message.as_bytes().to_vec(),
        }
    }

    #[test]
    fn parameters_are_sent_only_where_they_were_offered() {
        let mut offered = EhloResponse::new(String::new());
        let plain =
            Envelope::of(&mail("a\r\n"), &offered).map(|envelope| (envelope.sender, envelope.recipient, envelope.dsn));
        assert_eq!(plain, Ok(("MAIL FROM:<b@example.org>\r\n".into(), "RCPT TO:<a+b@example.com>\r\n".into(), false)));
        let refused = Envelope::of(&mail("\u{e4}\r\n"), &offered).map(|envelope| envelope.dsn);
        assert_eq!(refused, Err(Failure::configuration(FailureKind::InvalidRequest)));
        offered.capabilities = EXT_DSN | EXT_8BIT_MIME;
        let full = Envelope::of(&mail("\u{e4}\r\n"), &offered)
            .map(|envelope| (envelope.sender, envelope.recipient, envelope.dsn));
        let sender = "MAIL FROM:<b@example.org> BODY=8BITMIME RET=HDRS ENVID=dlv_1\r\n";
        let recipient = "RCPT TO:<a+b@example.com> NOTIFY=SUCCESS,DELAY,FAILURE ORCPT=rfc822;a+2Bb@example.com\r\n";
        assert_eq!(full, Ok((sender.into(), recipient.into(), true)));
    }
}
