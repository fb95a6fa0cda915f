//! Requests to the outside world: webhooks posted, key sets fetched, letters handed to a mail relay. The only room
//! that speaks HTTP or SMTP as a client.
//!
//! Guards every connection, bounds every wait and every byte. Knows nothing of what is sent, nor of retries.

mod addresses;
mod answer;
mod client;
mod dkim;
mod guard;
mod keep_alive;
mod letter;
mod resolver;
mod smtp;

use std::time::Duration;

use ipnet::IpNet;
use thiserror::Error;

pub use self::client::{Exchange, Outbound};
pub use self::dkim::{Dkim, DkimError, DkimSettings};
pub use self::guard::{Guard, UrlFault};
pub use self::letter::{Letter, LetterFault, Mailbox};
pub use self::smtp::{Mail, MailExchange, Relay, RelayCredentials, RelayError, RelaySettings, RelayTls};

/// How requests are made, and to whom they may go.
#[derive(Clone, Debug)]
pub struct OutboundSettings {
    /// Networks that are let through although they are not public; on any port.
    pub allow: Vec<IpNet>,
    /// Whether plain HTTP is let through.
    pub allow_http: bool,
    /// The ports that public hosts may be called on.
    pub ports: Vec<u16>,
    /// The longest wait for a connection: name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// The longest wait for the whole answer, its body included.
    pub total_timeout: Duration,
    /// Certificate authorities in PEM that are trusted beside those of the machine.
    pub extra_ca: Option<String>,
    /// What requests carry as `User-Agent`.
    pub user_agent: String,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            allow_http: false,
            ports: vec![443, 8443],
            connect_timeout: Duration::from_secs(3),
            total_timeout: Duration::from_secs(10),
            extra_ca: None,
            user_agent: concat!("art33/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The HTTP client cannot be set up.
#[derive(Debug, Error)]
#[error("cannot set up the HTTP client: {0}")]
pub struct OutboundError(String);
