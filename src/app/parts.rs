//! Each part of the service, made from its section of the configuration.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::{AppError, mail};
use crate::clock::Clock;
use crate::config::{self, Config, IssuerKeys, Ports};
use crate::crypto::{KeyHistory, MasterKey, SigningKey};
use crate::domain::law::{Law, LawFile, LawFiles};
use crate::entropy::Entropy;
use crate::http;
use crate::identity::{Algorithm, BuiltinIssuer, Fetch, Issuer, KeySource, Verifier};
use crate::outbound::{Outbound, OutboundSettings};
use crate::report::PdfRenderer;
use crate::service::{CheckUrl, Leases, NetworkWatch, Service, freeze};
use crate::store::Store;
use crate::worker::auditor::Heartbeat;
use crate::worker::delivery::Pace;
use crate::worker::gate::Limits;

/// What tokens of the built-in issuer carry as `iss`. No address: it must not change when the service moves.
const BUILTIN_ISSUER: &str = "art33";
/// No token is good for longer than this.
const LONGEST_TOKEN_LIFE: time::Duration = time::Duration::days(366);
/// How long the outcome of an attempt may take to be recorded before another process may take the delivery over.
const RECORDING: Duration = Duration::from_secs(10);
/// However long attempts may take by configuration, a lost one is made again within a day.
const LONGEST_LEASE: Duration = Duration::from_hours(24);
/// The largest key set of an issuer, in bytes.
const KEY_SET_LIMIT: usize = 256 * 1024;

/// The use cases over an open database.
pub(super) fn service(
    config: &Config,
    address: SocketAddr,
    clock: Clock,
    entropy: Entropy,
    outbound: &Outbound,
) -> Result<Service, AppError> {
    // Before anything is made or opened: without a law that makes sense there is nothing to serve.
    let law = Arc::new(law(config)?);
    let rows = freeze(&law)?;
    let key_history = Arc::new(KeyHistory::load_or_create(&config.data_dir, &entropy, clock.now())?);
    let signing_key = key_history.current().clone();
    let master_key = master_key(&config.master_key, &entropy)?;
    let store = Store::open(config.database.url.expose(), config.database.connections.get())?;
    let public_url = public_url(&config.server, address);
    let guard = outbound.clone();
    let check_url: CheckUrl = Arc::new(move |url| guard.check_url(url).map_err(|fault| fault.to_string()));
    let (leases, nudge, network) = (leases(config), Arc::default(), NetworkWatch::new(clock.clone()));
    let mail = config.mail.as_ref().map(|settings| mail::policy(settings, &master_key)).transpose()?.map(Arc::new);
    let zone = config.report.zone.as_str().into();
    Ok(Service {
        store,
        clock,
        entropy,
        signing_key,
        key_history,
        master_key,
        law,
        rows,
        public_url,
        check_url,
        mail,
        zone,
        leases,
        network,
        nudge,
    })
}

/// The law, from the configured files or those built in; a file that makes no sense stops the start.
pub(crate) fn law(config: &Config) -> Result<Law, AppError> {
    let documents = config::law_documents(config)?;
    let files = LawFiles {
        obligations: law_file(documents.obligations),
        regions: law_file(documents.regions),
        authorities: law_file(documents.authorities),
    };
    Ok(Law::parse(&files)?)
}

/// A file of the law, ready to be judged.
pub(crate) fn law_file(document: config::LawDocument) -> LawFile {
    LawFile { name: document.name, content: document.content }
}

/// The longest an attempt may take and its record wait; a delivery whose process died is sent again so much later.
fn leases(config: &Config) -> Leases {
    let lease = |longest: Duration| {
        let longest = longest.saturating_add(RECORDING).min(LONGEST_LEASE);
        time::Duration::try_from(longest).unwrap_or(time::Duration::DAY)
    };
    // A hand-over keeps to its total limit, the connection included, and to that of the last reply.
    let mail = config.mail.as_ref().map(|mail| mail.total_timeout.saturating_add(mail::REPLY_TIMEOUT));
    Leases {
        request: lease(config.outbound.connect_timeout.saturating_add(config.outbound.total_timeout)),
        mail: lease(mail.unwrap_or_default()),
    }
}

/// The use cases without a server, for commands that work on the database themselves.
pub(crate) fn open(config: &Config) -> Result<Service, AppError> {
    let outbound = outbound(&config.outbound)?;
    service(config, config.server.listen, Clock::system(), Entropy::system(), &outbound)
}

/// The key that signs receipts, webhooks and the tokens of the built-in issuer; made on first use.
pub(crate) fn signing_key(config: &Config, entropy: &Entropy) -> Result<SigningKey, AppError> {
    Ok(SigningKey::load_or_create(&config.data_dir.join("signing.key"), entropy)?)
}

fn master_key(configured: &config::MasterKey, entropy: &Entropy) -> Result<MasterKey, AppError> {
    match configured {
        config::MasterKey::Given(key) => Ok(MasterKey::from_bytes(key.expose())),
        // Never made here: a mistyped path must not become a second key.
        config::MasterKey::File(file) => Ok(MasterKey::from_base64(&read(file)?)?),
        config::MasterKey::Generated(file) => Ok(MasterKey::load_or_create(file, entropy)?),
    }
}

fn read(file: &Path) -> Result<String, AppError> {
    std::fs::read_to_string(file).map_err(|source| AppError::File { path: file.to_path_buf(), source })
}

/// Port 0 is known only once it is bound.
fn public_url(settings: &config::Server, address: SocketAddr) -> Url {
    let mut url = settings.public_url.clone();
    if url.port() == Some(0) && url.set_port(Some(address.port())).is_err() {
        tracing::error!(%url, "this URL takes no port");
    }
    url
}

/// The issuer of the tokens that `art33 token` prints.
pub(crate) fn issuer(config: &Config, key: SigningKey) -> BuiltinIssuer {
    BuiltinIssuer { key, issuer: BUILTIN_ISSUER.to_owned(), audience: config.identity.audience.clone() }
}

/// Trusts the built-in issuer, unless it is switched off, and all configured ones.
pub(super) fn verifier(config: &Config, builtin: &BuiltinIssuer, outbound: &Outbound) -> Result<Verifier, AppError> {
    let mut issuers = config.identity.issuers.iter().map(trusted).collect::<Result<Vec<_>, _>>()?;
    if config.identity.builtin_issuer {
        issuers.push(builtin.trusted());
    }
    let outbound = outbound.clone();
    let fetch: Fetch = Arc::new(move |url| {
        let outbound = outbound.clone();
        Box::pin(async move {
            outbound.fetch_json(&url, KEY_SET_LIMIT).await.map_err(|kind| format!("cannot be fetched: {kind:?}"))
        })
    });
    Ok(Verifier::new(issuers, config.identity.audience.clone(), LONGEST_TOKEN_LIFE, &fetch)?)
}

fn trusted(configured: &config::Issuer) -> Result<Issuer, AppError> {
    Ok(Issuer {
        issuer: configured.issuer.clone(),
        algorithm: match configured.algorithm {
            config::Algorithm::EdDSA => Algorithm::EdDSA,
            config::Algorithm::ES256 => Algorithm::ES256,
            config::Algorithm::RS256 => Algorithm::RS256,
        },
        keys: match &configured.keys {
            IssuerKeys::Jwks(url) => KeySource::Jwks(url.clone()),
            IssuerKeys::Pem(file) => KeySource::Pem(read(file)?),
        },
    })
}

/// How deliveries are worked off.
pub(super) fn pace(settings: &config::Delivery) -> Pace {
    let limits = Limits { per_endpoint: settings.per_endpoint.get(), per_host: settings.per_host.get() };
    Pace { concurrency: settings.concurrency.get(), waiting: settings.waiting.get(), limits }
}

/// The one client for requests to the outside world.
pub(super) fn outbound(settings: &config::Outbound) -> Result<Outbound, AppError> {
    Ok(Outbound::new(&OutboundSettings {
        allow: settings.allow.clone(),
        allow_http: settings.allow_http,
        ports: match &settings.ports {
            Ports::Any => (1..=u16::MAX).collect(),
            Ports::Only(ports) => ports.clone(),
        },
        connect_timeout: settings.connect_timeout,
        total_timeout: settings.total_timeout,
        extra_ca: settings.extra_ca.as_deref().map(read).transpose()?,
        ..OutboundSettings::default()
    })?)
}

/// Where the sign of life goes, if anywhere.
pub(super) fn heartbeat(settings: &config::Heartbeat) -> Option<Heartbeat> {
    let url = settings.url.as_ref()?.expose().clone();
    Some(Heartbeat { url, every: settings.every })
}

/// Lays out reports, from the configured template or the built-in one.
pub(super) fn renderer(settings: &config::Report) -> Result<PdfRenderer, AppError> {
    let template = settings.template.as_deref().map(read).transpose()?;
    Ok(PdfRenderer::new(template)?)
}

/// What requests may ask for.
pub(super) fn limits(config: &Config) -> http::Limits {
    http::Limits {
        body: config.server.body_limit.get(),
        import: config.server.import_limit.get(),
        rate: config.rate_limit.per_second.map(|per_second| (per_second, config.rate_limit.burst)),
    }
}
