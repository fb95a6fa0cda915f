//! One service under test: real server, real database, manual clock, repeatable randomness.
//! Background workers stand still; tests take their steps by hand.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use art33::app::App;
use art33::clock::Clock;
use art33::config::{self, Sources};
use art33::entropy::Entropy;
use art33::identity::{BuiltinIssuer, Grant};
use art33::outbound::Outbound;
use art33::service::Service;
use futures::stream;
use tempfile::TempDir;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{Client, Speaker};

/// When every test begins.
pub(crate) const START: OffsetDateTime = datetime!(2026-11-22 00:40:00 UTC);

/// A database to test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// A running service; clones are the same one.
#[derive(Clone)]
pub(crate) struct TestApp(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    service: Service,
    outbound: Outbound,
    issuer: BuiltinIssuer,
    http: reqwest::Client,
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
    database_url: String,
    directory: Arc<TempDir>,
    #[cfg(feature = "postgres")]
    database: Option<Arc<database::Database>>,
}

/// Where a service keeps everything.
struct Place {
    directory: Arc<TempDir>,
    database_url: String,
    #[cfg(feature = "postgres")]
    database: Option<Arc<database::Database>>,
}

/// Runs one test body on one database. Where there is no PostgreSQL server, says so and passes, unless
/// `ART33_TEST_REQUIRE_POSTGRES` is set.
pub(crate) async fn run<F: Future<Output = ()>>(
    backend: Backend,
    settings: &[(&str, &str)],
    body: impl FnOnce(TestApp) -> F,
) {
    let Some(app) = TestApp::start(backend, settings).await else {
        return eprintln!("skipped: no PostgreSQL server here");
    };
    Box::pin(body(app.clone())).await;
    app.stop().await;
}

impl TestApp {
    /// A fresh service with these `ART33_*` settings on a fresh database; nothing where there is no server for it.
    ///
    /// `WORKERS=on` lets the background workers run.
    pub(crate) async fn start(backend: Backend, settings: &[(&str, &str)]) -> Option<Self> {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        #[cfg(feature = "postgres")]
        let database = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(Arc::new(database::fresh()?)),
        };
        let database_url = match backend {
            Backend::Sqlite => format!("sqlite://{}", directory.path().join("art33.db").display()),
            #[cfg(feature = "postgres")]
            Backend::Postgres => database.as_ref()?.url().to_owned(),
        };
        let place = Place {
            directory,
            database_url,
            #[cfg(feature = "postgres")]
            database,
        };
        Some(Self::serve(place, settings, START, 33).await)
    }

    /// The service after it was stopped and started again, on the same database and with the same files.
    pub(crate) async fn restarted(&self) -> Self {
        self.stop().await;
        Self::serve(self.place(), &[], self.now(), 34).await
    }

    /// A second service on the same database and with the same files, as a replica is one; an embedded database serves one only.
    pub(crate) async fn beside(&self, settings: &[(&str, &str)]) -> Self {
        Self::serve(self.place(), settings, self.now(), 35).await
    }

    fn place(&self) -> Place {
        Place {
            directory: Arc::clone(&self.0.directory),
            database_url: self.0.database_url.clone(),
            #[cfg(feature = "postgres")]
            database: self.0.database.clone(),
        }
    }

    async fn serve(place: Place, settings: &[(&str, &str)], now: OffsetDateTime, seed: u64) -> Self {
        let mut environment = environment(&place.directory, &place.database_url);
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let workers = environment.remove("WORKERS").is_some();
        let sources = Sources {
            directory: place.directory.path().into(),
            file: None,
            environment: environment.into_iter().collect(),
        };
        let config = config::load(&sources).unwrap();
        let app = App::build(&config, Clock::manual(now), Entropy::seeded(seed)).await.unwrap();
        let app = if workers { app } else { app.without_workers() };

        let (address, service) = (app.address(), app.service().clone());
        let (outbound, issuer) = (app.outbound().clone(), app.issuer().clone());
        let (sender, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stop = stream::once(Box::pin(async { drop(stopped.await) }));
            app.run_until_stopped(stop).await.unwrap();
        });
        Self(Arc::new(Inner {
            address,
            service,
            outbound,
            issuer,
            http: http_client(),
            stop: Mutex::new(Some((sender, serving))),
            database_url: place.database_url,
            directory: place.directory,
            #[cfg(feature = "postgres")]
            database: place.database,
        }))
    }

    /// Stops the service, letting requests finish.
    pub(crate) async fn stop(&self) {
        let running = self.0.stop.lock().unwrap().take();
        if let Some((stop, serving)) = running {
            stop.send(()).unwrap_or_default();
            serving.await.unwrap();
        }
    }

    /// Somebody without a token.
    pub(crate) fn anonymous(&self) -> Client {
        self.client(Speaker::Anonymous)
    }

    /// Somebody with this text for a token.
    pub(crate) fn with_token(&self, token: &str) -> Client {
        self.client(Speaker::Token(token.to_owned()))
    }

    /// Somebody of that organisation with these scopes; gets a fresh token for every request.
    pub(crate) fn as_org(&self, organisation: &str, scopes: &str) -> Client {
        self.as_person(organisation, scopes, "tester")
    }

    /// The same as somebody by that name.
    pub(crate) fn as_person(&self, organisation: &str, scopes: &str, person: &str) -> Client {
        let (organisation, scopes, person) = (organisation.to_owned(), scopes.to_owned(), person.to_owned());
        self.client(Speaker::Person { organisation, scopes, person })
    }

    fn client(&self, speaker: Speaker) -> Client {
        Client::new(self.clone(), speaker)
    }

    /// A good token for that organisation, valid for an hour from now.
    pub(crate) fn token(&self, organisation: &str, scopes: &str, person: &str) -> String {
        let grant = Grant {
            subject: person.to_owned(),
            organisation: organisation.to_owned(),
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
            name: None,
            token_id: None,
        };
        self.0.issuer.issue(&grant, self.now(), Duration::HOUR)
    }

    /// The time, as the service has it.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.service().clock.now()
    }

    /// Lets time pass; nothing happens by itself.
    pub(crate) fn advance(&self, step: Duration) {
        self.service().clock.advance(step);
    }

    /// Lets all workers take steps until nothing is left to do at this time.
    pub(crate) async fn step_workers(&self) {
        super::world::step(self.service(), self.outbound()).await;
    }

    /// The use cases, for what cannot be reached through HTTP.
    pub(crate) fn service(&self) -> &Service {
        &self.0.service
    }

    /// The service's client for webhooks.
    pub(crate) fn outbound(&self) -> &Outbound {
        &self.0.outbound
    }

    /// The issuer whose tokens the service trusts.
    pub(crate) fn issuer(&self) -> &BuiltinIssuer {
        &self.0.issuer
    }

    /// The client that all requests go through.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.0.http
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.address)
    }

    /// The database under the service.
    pub(crate) fn database_url(&self) -> &str {
        &self.0.database_url
    }

    /// The data directory; gone after the test.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.0.directory.path()
    }
}

fn environment(directory: &TempDir, database_url: &str) -> BTreeMap<String, String> {
    [
        ("ART33_DATA_DIR", directory.path().to_str().unwrap()),
        ("ART33_DATABASE_URL", database_url),
        ("ART33_DATABASE_CONNECTIONS", "4"),
        ("ART33_LISTEN", "127.0.0.1:0"),
        ("ART33_WORKERS", "1"),
        ("ART33_SHUTDOWN_GRACE", "PT5S"),
        ("ART33_RATE_LIMIT_PER_SECOND", "0"),
        // All endpoints of a test are at one host.
        ("ART33_DELIVERY_PER_HOST", "1000"),
        ("ART33_OUTBOUND_ALLOW", "127.0.0.0/8"),
        ("ART33_OUTBOUND_ALLOW_HTTP", "true"),
        ("ART33_OUTBOUND_CONNECT_TIMEOUT", "PT2S"),
        ("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT2S"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[expect(clippy::disallowed_methods, reason = "tests talk to the service from outside")]
fn http_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

/// A PostgreSQL database per test, copied from one that was migrated once and lives as long as any copy.
#[cfg(feature = "postgres")]
mod database {
    use std::sync::{Arc, Mutex, Weak};

    use super::super::postgres::{TestDatabase, cluster};

    pub(super) struct Database {
        own: TestDatabase,
        _template: Arc<TestDatabase>,
    }

    impl Database {
        pub(super) fn url(&self) -> &str {
            &self.own.url
        }
    }

    pub(super) fn fresh() -> Option<Database> {
        static TEMPLATE: Mutex<Weak<TestDatabase>> = Mutex::new(Weak::new());
        let cluster = cluster()?;
        let template = {
            let mut shared = TEMPLATE.lock().unwrap();
            shared.upgrade().unwrap_or_else(|| {
                let template = Arc::new(cluster.create_database(None));
                art33::store::migrate(&template.url).unwrap();
                *shared = Arc::downgrade(&template);
                template
            })
        };
        Some(Database { own: cluster.create_database(Some(&template.name)), _template: template })
    }
}
