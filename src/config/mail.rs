//! The settings of the mail relay: none without a host, and then complete or refused as a whole.
#![expect(clippy::option_option, reason = "none for a fault; then whether the setting is there")]

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

/// The section; `Some(None)` where no relay is set, `None` where something is wrong.
pub(super) fn read(reader: &mut Reader) -> Option<Option<Mail>> {
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
    let reply_to = reader.read("mail.reply_to", |text| optional(text, is_address));
    let connect_timeout = reader.time_limit("mail.connect_timeout");
    let total_timeout = reader.time_limit("mail.total_timeout");
    let Some(host) = reader.given("mail.host") else { return Some(None) };
    let from = reader.read("mail.from", |text| is_address(text).then(|| text.to_owned()));
    let domain = from.as_deref().and_then(|from| from.rsplit_once('@')).map(|(_, domain)| domain.to_owned());
    let or_domain = |reader: &mut Reader, key: &str| {
        let domain = domain.clone().unwrap_or_else(|| "localhost".to_owned());
        reader.read(key, |text| optional(text, is_host)).map(|given| given.unwrap_or(domain))
    };
    let (return_domain, hello) = (or_domain(reader, "mail.return_domain"), or_domain(reader, "mail.hello"));
    let (credentials, dkim) = (credentials(reader), dkim(reader, domain.clone()));
    if areas.as_ref().is_some_and(Vec::is_empty) {
        reader.fault("mail.areas", "is required with mail.host: agreements say where notices may pass");
        return None;
    }
    Some(Some(Mail {
        host,
        port: port?,
        tls: tls?,
        credentials: credentials?,
        from: from?,
        from_name: reader.given("mail.from_name").unwrap_or_default(),
        reply_to: reply_to?,
        return_domain: return_domain?,
        hello: hello?,
        areas: areas?,
        extra_ca: reader.file("mail.extra_ca"),
        dkim: dkim?,
        connect_timeout: connect_timeout?,
        total_timeout: total_timeout?,
    }))
}

fn credentials(reader: &mut Reader) -> Option<Option<(String, Secret<String>)>> {
    match (reader.given("mail.username"), reader.given("mail.password")) {
        (None, None) => Some(None),
        (Some(user), Some(password)) => Some(Some((user, Secret::new(password)))),
        (user, _) => {
            let missing = if user.is_none() { "mail.username" } else { "mail.password" };
            reader.fault(missing, "is required: user name and password go together");
            None
        }
    }
}

fn dkim(reader: &mut Reader, domain: Option<String>) -> Option<Option<MailDkim>> {
    let given = reader.read("mail.dkim_domain", |text| optional(text, is_host))?;
    match (reader.given("mail.dkim_selector"), reader.file("mail.dkim_key_file")) {
        (None, None) if given.is_none() => Some(None),
        (Some(selector), Some(key_file)) => {
            Some(Some(MailDkim { domain: given.or(domain).unwrap_or_default(), selector, key_file }))
        }
        (selector, _) => {
            let missing = if selector.is_none() { "mail.dkim_selector" } else { "mail.dkim_key_file" };
            reader.fault(missing, "is required: a DKIM signature takes a selector and a key");
            None
        }
    }
}

/// What is not given, or fits; `None` for what does not.
fn optional(text: &str, fits: impl Fn(&str) -> bool) -> Option<Option<String>> {
    match text {
        "" => Some(None),
        text => fits(text).then(|| Some(text.to_owned())),
    }
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
