//! The settings of the mail relay: none without a host, and then complete or refused as a whole.

use std::path::PathBuf;
use std::time::Duration;

use super::Secret;
use super::read::{Reader, items};

/// How e-mail is sent.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Name or address of the relay.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: MailTls,
    /// User name and password, if the relay asks for them.
    pub credentials: Option<(String, Secret<String>)>,
    /// Address of the sender.
    pub from: String,
    /// Name shown beside it; may be empty.
    pub from_name: String,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<String>,
    /// Domain of the addresses that reports on deliveries come back to.
    pub return_domain: String,
    /// The name that the relay is greeted with.
    pub hello: String,
    /// Where the relay stands: ISO 3166-1 codes, `EU` or `EEA`; at least one.
    pub areas: Vec<String>,
    /// Certificate authorities that are trusted beside those of the machine.
    pub extra_ca: Option<PathBuf>,
    /// How mail is signed.
    pub dkim: Option<MailDkim>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for a whole attempt.
    pub total_timeout: Duration,
}

/// How the connection to the relay is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// From the first byte on.
    Implicit,
    /// After the command STARTTLS.
    StartTls,
    /// Not at all: for a relay on this machine only.
    None,
}

impl MailTls {
    /// The port that is meant where none is set.
    fn port(self) -> u16 {
        match self {
            Self::Implicit => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

/// In whose name mail is signed, and with which key.
#[derive(Clone, Debug)]
pub struct MailDkim {
    /// The signing domain.
    pub domain: String,
    /// The selector below which the public key stands in the DNS.
    pub selector: String,
    /// File with the private RSA key, PEM.
    pub key_file: PathBuf,
}

/// The section; none where no relay is set. What is wrong is noted with the reader, which then refuses the whole.
pub(super) fn read(reader: &mut Reader) -> Option<Mail> {
    let tls = reader.read("mail.tls", |text| match text {
        "implicit" => Some(MailTls::Implicit),
        "starttls" => Some(MailTls::StartTls),
        "none" => Some(MailTls::None),
        _ => None,
    });
    let port = reader.read("mail.port", |text| match text {
        "" => Some(tls.map_or(0, MailTls::port)),
        text => text.parse().ok().filter(|port| *port != 0),
    });
    let areas = reader.read("mail.areas", |text| items(text).map(area).collect::<Option<Vec<_>>>());
    let reply_to = optional(reader, "mail.reply_to", is_address);
    let connect_timeout = reader.time_limit("mail.connect_timeout");
    let total_timeout = reader.time_limit("mail.total_timeout");
    let host = reader.given("mail.host")?;
    let from = reader.read("mail.from", |text| is_address(text).then(|| text.to_owned()));
    let domain = from.as_deref().and_then(|from| from.rsplit_once('@')).map(|(_, domain)| domain.to_owned());
    let return_domain = optional(reader, "mail.return_domain", is_host).or_else(|| domain.clone());
    let hello = optional(reader, "mail.hello", is_host).or_else(|| domain.clone());
    let (credentials, dkim) = (credentials(reader), dkim(reader, domain));
    if areas.as_ref().is_some_and(Vec::is_empty) {
        reader.fault("mail.areas", "is required with mail.host: agreements say where notices may pass");
        return None;
    }
    Some(Mail {
        host,
        port: port?,
        tls: tls?,
        credentials,
        from: from?,
        from_name: reader.given("mail.from_name").unwrap_or_default(),
        reply_to,
        return_domain: return_domain?,
        hello: hello?,
        areas: areas?,
        extra_ca: reader.file("mail.extra_ca"),
        dkim,
        connect_timeout: connect_timeout?,
        total_timeout: total_timeout?,
    })
}

fn credentials(reader: &mut Reader) -> Option<(String, Secret<String>)> {
    match (reader.given("mail.username"), reader.given("mail.password")) {
        (None, None) => None,
        (Some(user), Some(password)) => Some((user, Secret::new(password))),
        (user, _) => {
            let missing = if user.is_none() { "mail.username" } else { "mail.password" };
            reader.fault(missing, "is required: user name and password go together");
            None
        }
    }
}

fn dkim(reader: &mut Reader, domain: Option<String>) -> Option<MailDkim> {
    let given = optional(reader, "mail.dkim_domain", is_host);
    match (reader.given("mail.dkim_selector"), reader.file("mail.dkim_key_file")) {
        (None, None) if given.is_none() => None,
        (Some(selector), Some(key_file)) => Some(MailDkim { domain: given.or(domain)?, selector, key_file }),
        (selector, _) => {
            let missing = if selector.is_none() { "mail.dkim_selector" } else { "mail.dkim_key_file" };
            reader.fault(missing, "is required: a DKIM signature takes a selector and a key");
            None
        }
    }
}

/// A text that may be left out; one that does not fit is noted.
fn optional(reader: &mut Reader, key: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
    let given = reader.given(key)?;
    reader.read(key, |text| fits(text).then_some(given))
}

fn is_host(text: &str) -> bool {
    let is_sign = |sign: u8| sign.is_ascii_alphanumeric() || matches!(sign, b'-' | b'.');
    (1..=253).contains(&text.len()) && text.bytes().all(is_sign)
}

fn is_address(text: &str) -> bool {
    let is_sign = |sign: u8| sign.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&sign);
    text.len() <= 254
        && text
            .rsplit_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && local.bytes().all(is_sign) && is_host(domain))
}

fn area(text: &str) -> Option<String> {
    let is_country = text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_uppercase());
    (is_country || text == "EEA").then(|| text.to_owned())
}
