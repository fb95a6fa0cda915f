//! Where the relay is, and how it is spoken to.
//!
//! Never prints a password.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// Where the relay is, and how it is spoken to.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// Its name, or its address.
    pub host: String,
    /// Its port: mostly 465 with implicit TLS, 587 with STARTTLS.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: RelayTls,
    /// What we identify ourselves with, if the relay asks for that.
    pub credentials: Option<RelayCredentials>,
    /// The name that we say hello with.
    pub hello_name: String,
    /// The longest wait for a connection; and again for the TLS handshake.
    pub connect_timeout: Duration,
    /// The longest wait for everything together.
    pub total_timeout: Duration,
    /// How much longer the reply to a whole message is waited for.
    pub reply_timeout: Duration,
    /// Certificate authorities that are trusted beside those of the machine, as PEM.
    pub extra_ca: Option<Vec<u8>>,
    /// Where the relay stands: ISO 3166-1 country codes, `EU` or `EEA`.
    pub areas: Vec<String>,
}

/// How the connection to the relay is encrypted. There is no "if possible": what is asked for is done, or nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayTls {
    /// From the first byte on.
    Implicit,
    /// After the command STARTTLS.
    StartTls,
    /// Not at all: for a relay on this machine only.
    None,
}

/// A user name and a password, which is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayCredentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Why these settings cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RelayError {
    /// Without TLS, everybody on the way could read along.
    #[error("a relay without TLS must be on this machine")]
    Plain,
    /// The name would not be read as one.
    #[error("the name to say hello with must be a host name")]
    HelloName,
    /// No certificate of a relay could ever be checked.
    #[error("no certificate authorities to trust: {0}")]
    Trust(String),
}

impl RelayCredentials {
    /// Every form in which they could show up in a dialogue.
    pub(super) fn secrets(&self) -> Vec<String> {
        let together = format!("\0{}\0{}", self.user, self.password);
        vec![STANDARD.encode(together), STANDARD.encode(&self.password), self.password.clone()]
    }
}

impl fmt::Debug for RelayCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RelayCredentials({:?}, ***)", self.user)
    }
}

impl RelaySettings {
    /// Refuses settings under which mail would travel in the open, or that cannot be written into a command.
    pub(super) fn check(&self) -> Result<(), RelayError> {
        if self.tls == RelayTls::None && !self.is_on_this_machine() {
            return Err(RelayError::Plain);
        }
        let is_sign = |sign: u8| sign.is_ascii_alphanumeric() || matches!(sign, b'-' | b'.' | b'[' | b']' | b':');
        let is_name = (1..=255).contains(&self.hello_name.len()) && self.hello_name.bytes().all(is_sign);
        is_name.then_some(()).ok_or(RelayError::HelloName)
    }

    /// The host as an address, if it is written as one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    fn is_on_this_machine(&self) -> bool {
        self.address().map_or(self.host == "localhost", |address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(host: &str, tls: RelayTls) -> RelaySettings {
        RelaySettings {
            host: host.into(),
            port: 25,
            tls,
            credentials: Some(RelayCredentials { user: "art33".into(), password: "open sesame".into() }),
            hello_name: "art33.example.org".into(),
            connect_timeout: Duration::from_secs(1),
            total_timeout: Duration::from_secs(1),
            reply_timeout: Duration::ZERO,
            extra_ca: None,
            areas: vec!["DE".into()],
        }
    }

    #[test]
    fn only_a_relay_on_this_machine_is_spoken_to_in_the_open() {
        for host in ["127.0.0.1", "::1", "[::1]", "127.0.0.2", "localhost"] {
            assert_eq!(settings(host, RelayTls::None).check(), Ok(()), "{host}");
        }
        for host in ["10.0.0.1", "mail.example.org", "localhost.example.org", "127.0.0.1.example.org"] {
            assert_eq!(settings(host, RelayTls::None).check(), Err(RelayError::Plain), "{host}");
            assert_eq!(settings(host, RelayTls::StartTls).check(), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_hello_that_is_more_than_a_name_is_refused() {
        for name in ["", "a b", "a\r\nMAIL FROM:<b@c>"] {
            let settings = RelaySettings { hello_name: name.into(), ..settings("::1", RelayTls::None) };
            assert_eq!(settings.check(), Err(RelayError::HelloName), "{name}");
        }
    }

    #[test]
    fn the_password_is_never_printed() {
        let printed = format!("{:?}", settings("::1", RelayTls::None));
        assert!(printed.contains("art33") && !printed.contains("sesame"), "{printed}");
    }
}
