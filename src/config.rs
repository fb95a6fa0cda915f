//! Configuration: built-in defaults, then `art33.toml`, then `ART33_*` variables; one struct per concern.
//! The only reader of the environment. Every fault is reported at once, and no secret is ever shown.

mod effective;
mod issuers;
mod law;
mod mail;
mod read;
mod settings;
mod sources;
mod values;

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::filter::Targets;
use url::Url;

pub use issuers::{Algorithm, Issuer, IssuerKeys};
pub use law::{Law, LawDocument, LawDocuments, LawFileError, document, law_documents, obligations};
pub use mail::{Mail, MailDkim, MailTls};
pub use settings::{Kind, SETTINGS, Setting, markdown_table};
pub use sources::{Fault, Sources};
pub use values::{DatabaseUrl, Secret};

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the embedded database and generated keys live.
    pub data_dir: PathBuf,
    /// The HTTP server.
    pub server: Server,
    /// Requests per token subject.
    pub rate_limit: RateLimit,
    /// The database.
    pub database: Database,
    /// The key that seals stored secrets.
    pub master_key: MasterKey,
    /// Who may sign tokens.
    pub identity: Identity,
    /// What webhooks may reach, and for how long.
    pub outbound: Outbound,
    /// How deliveries are worked off.
    pub delivery: Delivery,
    /// The sign of life that is sent out.
    pub heartbeat: Heartbeat,
    /// How e-mail is sent; nothing without a relay.
    pub mail: Option<Mail>,
    /// How reports look.
    pub report: Report,
    /// Files that replace the built-in law.
    pub law: Law,
    /// What is logged, and how.
    pub telemetry: Telemetry,
    effective: String,
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address and port to bind.
    pub listen: SocketAddr,
    /// How clients reach the service.
    pub public_url: Url,
    /// Worker threads; nothing for one per core.
    pub workers: Option<NonZeroUsize>,
    /// Largest request body in bytes.
    pub body_limit: NonZeroUsize,
    /// Largest body of an import in bytes.
    pub import_limit: NonZeroUsize,
    /// How long running work may finish after the first stop signal.
    pub shutdown_grace: Duration,
}

/// How many requests one token subject may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Sustained requests per second; nothing for no limit.
    pub per_second: Option<NonZeroU32>,
    /// Requests at once after a quiet time.
    pub burst: NonZeroU32,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where it is; the scheme picks the kind.
    pub url: DatabaseUrl,
    /// Connections in the pool.
    pub connections: NonZeroU32,
}

/// Where the master key comes from.
#[derive(Clone, Debug)]
pub enum MasterKey {
    /// The key itself.
    Given(Secret<[u8; 32]>),
    /// A file that must be there, holding the key in base64.
    File(PathBuf),
    /// The default file, made on first start when it is not there.
    Generated(PathBuf),
}

/// Who may sign tokens.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The `aud` every token must carry.
    pub audience: String,
    /// Whether tokens of the built-in issuer count.
    pub builtin_issuer: bool,
    /// Further issuers.
    pub issuers: Vec<Issuer>,
}

/// Ports that webhooks may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// All of them.
    Any,
    /// Only these.
    Only(Vec<u16>),
}

/// What webhooks may reach, and for how long.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Private networks that are allowed all the same.
    pub allow: Vec<IpNet>,
    /// Whether webhooks without TLS are allowed.
    pub allow_http: bool,
    /// Ports that webhooks may use.
    pub ports: Ports,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for a whole attempt.
    pub total_timeout: Duration,
    /// File with certificate authorities that are trusted beside those of the machine.
    pub extra_ca: Option<PathBuf>,
}

/// How deliveries are worked off.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Attempts under way at the same time, as long as they are prompt.
    pub concurrency: NonZeroUsize,
    /// Attempts that may wait for slow receivers beside those.
    pub waiting: NonZeroUsize,
    /// Attempts at one host at the same time.
    pub per_host: NonZeroUsize,
    /// Attempts at one endpoint at the same time.
    pub per_endpoint: NonZeroUsize,
}

/// The sign of life that is sent out while all is well; whoever gets it raises the alarm when it stays away.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Where it goes; such addresses are known to those who may use them only.
    pub url: Option<Secret<Url>>,
    /// How often at most.
    pub every: Duration,
}

/// How reports look.
#[derive(Clone, Debug)]
pub struct Report {
    /// Template file that replaces the built-in one.
    pub template: Option<PathBuf>,
    /// IANA name of the time zone in which times are shown.
    pub zone: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Levels by target.
    pub log: Targets,
    /// How lines are written.
    pub log_format: LogFormat,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} fault(s):\n{}", .faults.len(), listed(.faults))]
pub struct ConfigError {
    /// One entry per fault, in no order that matters.
    pub faults: Vec<Fault>,
}

fn listed(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("  {fault}")).collect::<Vec<_>>().join("\n")
}

/// Reads and checks the configuration; answers it, or every fault at once.
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    read::config(sources)
}

impl Config {
    /// The effective settings as TOML, secrets masked, each with its origin as a comment.
    pub fn effective_toml(&self) -> &str {
        &self.effective
    }
}

/// The URL under which a listening address can be opened on the same machine.
fn url_of(listen: SocketAddr) -> Option<Url> {
    let host = match listen.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Url::parse(&format!("http://{host}:{}", listen.port())).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
