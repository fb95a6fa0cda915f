//! The composition root: builds every part from the configuration, binds the server, starts the workers, and stops it all.
//!
//! Decides nothing about incidents; only here do all rooms meet.

mod mail;
mod parts;
mod server;
mod upkeep;
mod workers;

use std::net::SocketAddr;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::{CryptoError, KeyFileError};
use crate::entropy::Entropy;
use crate::http::Api;
use crate::identity::{BuiltinIssuer, IssuerError};
use crate::outbound::{Outbound, OutboundError};
use crate::report::ReportError;
use crate::service::{Clocks, Service, ServiceError};
use crate::store::{Alone, StoreError};
use crate::telemetry::{Metrics, MetricsError};
use crate::worker::auditor::Heartbeat;
use crate::worker::delivery::Pace;

pub(crate) use parts::{issuer, law, law_file, open, signing_key};

/// The whole service, built and bound but not yet serving.
pub struct App {
    service: Service,
    outbound: Outbound,
    metrics: Metrics,
    clocks: Clocks,
    heartbeat: Option<Heartbeat>,
    issuer: BuiltinIssuer,
    server: actix_web::dev::Server,
    address: SocketAddr,
    pace: Pace,
    grace: Duration,
    has_workers: bool,
    /// Given back when everything has stopped.
    _alone: Alone,
}

/// Why the service cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A configured file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server broke off.
    #[error("the server broke off: {0}")]
    Server(std::io::Error),
    /// A background worker ended although nobody told it to; the log says why.
    #[error("a background worker broke off")]
    Worker,
    /// The operator's organisation cannot be made.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key file cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A key cannot be used.
    #[error("the master key: {0}")]
    Key(#[from] CryptoError),
    /// An issuer of tokens cannot be used.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// E-mail cannot be set up.
    #[error("e-mail: {0}")]
    Mail(String),
    /// The report template cannot be used.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A file of the law cannot be read.
    #[error(transparent)]
    LawFile(#[from] crate::config::LawFileError),
    /// The files of the law make no sense.
    #[error(transparent)]
    Law(#[from] crate::domain::law::InvalidLaw),
    /// Metrics cannot be kept.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl App {
    /// Opens the database (SQLite is migrated), loads or makes the keys, and binds the address; port 0 picks a free one.
    ///
    /// # Errors
    /// When any part cannot be had; nothing serves yet.
    pub async fn build(config: &Config, clock: Clock, entropy: Entropy) -> Result<Self, AppError> {
        let (socket, address) = server::bind(config.server.listen)?;
        let relay = config.mail.as_ref().map(mail::relay).transpose()?;
        let outbound = parts::outbound(&config.outbound)?.with_relay(relay);
        // Before the database is migrated: whoever serves it may be another version.
        let alone = Alone::take(config.database.url.expose())?;
        let service = parts::service(config, address, clock, entropy, &outbound)?;
        let clocks = service.watch_clocks(Clocks::default()).await?;
        service.ensure_operator().await?;
        service.begin_time().await?;
        service.keep_law().await?;
        let issuer = parts::issuer(config, service.signing_key.clone());
        let verifier = parts::verifier(config, &issuer, &outbound)?;
        let metrics = Metrics::install()?;
        let renderer = parts::renderer(&config.report)?;
        let limits = parts::limits(config);
        let zone = config.report.zone.clone();
        let api = Api::new(service.clone(), verifier, metrics.clone(), renderer, zone, limits);
        let server = server::start(socket, address, api, &config.server)?;
        let pace = parts::pace(&config.delivery);
        let grace = config.server.shutdown_grace;
        let heartbeat = parts::heartbeat(&config.heartbeat);
        Ok(Self {
            service,
            outbound,
            metrics,
            clocks,
            heartbeat,
            issuer,
            server,
            address,
            pace,
            grace,
            has_workers: true,
            _alone: alone,
        })
    }

    /// The same without background workers, for tests that take every step by hand.
    #[must_use]
    pub fn without_workers(mut self) -> Self {
        self.has_workers = false;
        self
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The use cases.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The client for requests to the outside world.
    pub fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// Issues tokens that this service accepts, unless the configuration switched that off.
    pub fn issuer(&self) -> &BuiltinIssuer {
        &self.issuer
    }

    /// Serves until told to stop.
    ///
    /// The first item of `stop` lets running requests and deliveries finish; a second one, or the end of the grace
    /// period, ends them.
    ///
    /// # Errors
    /// When the server breaks off by itself.
    pub async fn run_until_stopped(self, mut stop: impl Stream<Item = ()> + Unpin) -> Result<(), AppError> {
        let stopping = CancellationToken::new();
        let mut running = JoinSet::new();
        if self.has_workers {
            for worker in workers::all(&self, &stopping) {
                running.spawn(worker);
            }
        }
        let handle = self.server.handle();
        let mut server = tokio::spawn(self.server);
        tokio::select! {
            _ = stop.next() => {}
            ended = &mut server => return Err(AppError::Server(reason(ended))),
            // Without one of them something that is owed would no longer be done, and nobody would know.
            Some(_) = running.join_next() => return Err(AppError::Worker),
        }
        tracing::info!("stopping: running requests and deliveries may finish");
        stopping.cancel();
        let drained = async {
            handle.stop(true).await;
            drop(server.await);
            while running.join_next().await.is_some() {}
        };
        tokio::select! {
            () = drained => tracing::info!("stopped"),
            Some(()) = stop.next() => tracing::warn!("stopped at once, on a second signal"),
            () = tokio::time::sleep(self.grace) => tracing::warn!("stopped at once, after the grace period"),
        }
        Ok(())
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("App").field("address", &self.address).finish_non_exhaustive()
    }
}

fn reason(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> std::io::Error {
    match ended {
        Ok(Err(error)) => error,
        Ok(Ok(())) => std::io::Error::other("it ended without being told to"),
        Err(error) => std::io::Error::other(error),
    }
}
