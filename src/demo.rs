//! `art33 demo`: the real service with an embedded database, people who use it and receivers on loopback, all in one process.
//!
//! Uses the service through its interface only, and never sends beyond this machine.

mod client;
mod place;
mod receiver;
mod scenario;
mod screen;
mod signature;
mod story;
mod summary;
mod world;

use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use self::screen::{Mood, Screen};
use self::story::Story;
use self::world::{Door, World};
use crate::app::{App, AppError};
use crate::clock::Clock;
use crate::config::{self, Config, ConfigError, Ports, Sources};
use crate::entropy::Entropy;
use crate::service::Service;

pub use self::place::Place;
pub use self::summary::Summary;

/// The port that the README speaks of; another one if it is taken.
const PORT: u16 = 8033;
/// Warnings only, and none about the open guard, which the demo opens on purpose.
const LOG: &str = "warn,art33::outbound=error";

/// How the demo is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many times faster than the world the clock runs.
    pub speed: u32,
    /// Whether it ends with a summary instead of staying up.
    pub once: bool,
}

/// Why the demo cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Its directory cannot be used.
    #[error("{0}")]
    Place(String),
    /// Its configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The service cannot start or broke off.
    #[error(transparent)]
    App(#[from] AppError),
    /// A receiver cannot start.
    #[error("a webhook receiver cannot start: {0}")]
    Receiver(std::io::Error),
    /// The service did not do what it was asked.
    #[error("{target}: {reason}")]
    Request {
        /// The path or URL.
        target: String,
        /// What came back.
        reason: String,
    },
    /// Something that had to happen did not.
    #[error("the demo failed: {0}")]
    Story(String),
}

/// The service while it runs.
struct Running {
    serving: JoinHandle<Result<(), AppError>>,
    stop: UnboundedSender<()>,
}

/// The configuration of the demo in `place`; of `environment` only what concerns logs.
///
/// # Errors
/// When a value for the logs does not fit.
pub fn settings(place: &Place, port: u16, environment: &[(String, String)]) -> Result<Config, DemoError> {
    let listen = format!("127.0.0.1:{port}");
    let data = place.data.display().to_string();
    let own = [
        ("ART33_LOG", LOG),
        ("ART33_LISTEN", &listen),
        ("ART33_DATA_DIR", &data),
        ("ART33_OUTBOUND_ALLOW", "127.0.0.0/8"),
        ("ART33_OUTBOUND_ALLOW_HTTP", "true"),
        // An unoptimised build takes seconds to lay out the first report.
        ("ART33_OUTBOUND_TOTAL_TIMEOUT", "PT30S"),
        ("ART33_SHUTDOWN_GRACE", "PT10S"),
        ("ART33_WORKERS", "2"),
    ];
    let logs = environment.iter().filter(|(name, _)| ["ART33_LOG", "ART33_LOG_FORMAT"].contains(&name.as_str()));
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = own.chain(logs.cloned()).collect();
    let mut config = config::load(&Sources { directory: place.data.clone(), file: None, environment })?;
    // Without a single port for public hosts, only the allowed network can be reached: loopback.
    config.outbound.ports = Ports::Only(Vec::new());
    Ok(config)
}

/// Where the service of the demo listens: always on a free port for a single run, so that several can run at once.
pub fn port(options: Options) -> u16 {
    if options.once { 0 } else { PORT }
}

/// Plays the demo until its end or until `signals` says stop; answers the summary if it was to run once.
///
/// # Errors
/// When anything that had to happen did not, and says what.
pub async fn run(
    options: Options,
    place: &Place,
    config: Config,
    mut signals: impl Stream<Item = ()> + Unpin,
) -> Result<Option<Summary>, DemoError> {
    let begun = Instant::now();
    let clock = Clock::accelerated(options.speed);
    let app = build(config.clone(), &clock).await?;
    let mut screen = Screen::new(options.once, config.report.zone, clock.now());
    greet(&mut screen, options, place);
    let (service, door) = (app.service().clone(), Door::of(&app));
    let mut running = Running::start(app);
    let played = tokio::select! {
        played = play(options, place, screen, &service, &door) => played,
        ended = &mut running.serving => Err(ended_early(ended)),
        _ = signals.next() => if options.once { Err(DemoError::Story("interrupted".into())) } else { Ok(None) },
    };
    running.end(signals).await?;
    let summary = played?;
    Ok(summary.map(|summary| Summary {
        elapsed_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        ..summary
    }))
}

/// The service, on another port if the wanted one is taken.
async fn build(mut config: Config, clock: &Clock) -> Result<App, AppError> {
    match App::build(&config, clock.clone(), Entropy::system()).await {
        Err(AppError::Listen { .. }) if config.server.listen.port() != 0 => {
            config.server.listen.set_port(0);
            config.server.public_url.set_port(Some(0)).unwrap_or_default();
            App::build(&config, clock.clone(), Entropy::system()).await
        }
        built => built,
    }
}

async fn play(
    options: Options,
    place: &Place,
    mut screen: Screen,
    service: &Service,
    door: &Door,
) -> Result<Option<Summary>, DemoError> {
    let clock = service.clock.clone();
    let (outbox, inbox) = unbounded_channel();
    let world = door.populate(&outbox).await?;
    let everybody = format!("and {} controllers, each under its own agreement", world.controllers.len());
    screen.step(clock.now(), Mood::Plain, "set up", scenario::PROCESSOR, &everybody);
    let mut story = Story { world, screen, clock, inbox };
    let summary = story.play(service, &place.reports).await?;
    if options.once {
        return Ok(Some(summary));
    }
    summary.judge()?;
    invite(&mut story.screen, options, &story.world, door);
    story.watch().await?;
    Ok(None)
}

fn greet(screen: &mut Screen, options: Options, place: &Place) {
    screen.heading(&format!("art33 {} demo", env!("CARGO_PKG_VERSION")));
    screen.entry("directory", &place.root.display().to_string());
    screen.entry("sends to", "127.0.0.0/8 only, nothing leaves this machine");
    if options.speed > 1 {
        let day = Duration::from_hours(72) / options.speed;
        screen.entry("clock", &format!("{} times as fast: 72 hours pass in {:.0?}", options.speed, day));
    }
    screen.heading("What happens");
}

fn invite(screen: &mut Screen, options: Options, world: &World, door: &Door) {
    screen.heading("Try it");
    screen.line("  Copy these lines into another terminal:\n");
    screen.line(&format!("api={}", door.url.as_str().trim_end_matches('/')));
    screen.line(&format!("operator={}", world.operator.token()));
    screen.line(&format!("processor={}", world.processor.token()));
    if let Some(controller) = world.controllers.first() {
        screen.line(&format!("controller={}  # {}", controller.client.token(), controller.name));
    }
    screen.line("curl -s \"$api/v1/duties?order=due\" -H \"Authorization: Bearer $processor\"");
    screen.line("\n  The whole interface is in $api/openapi.yaml. Ctrl-C stops the demo.");
    let waiting = if options.speed > 1 { "Reminders, as they arrive" } else { "Further events, as they arrive" };
    screen.heading(waiting);
}

impl Running {
    fn start(app: App) -> Self {
        let (stop, mut stopped) = unbounded_channel();
        let stopping = futures::stream::poll_fn(move |context| stopped.poll_recv(context));
        Self { serving: tokio::spawn(app.run_until_stopped(stopping)), stop }
    }

    /// Lets the service finish what it does; a signal meanwhile stops it at once.
    async fn end(mut self, mut signals: impl Stream<Item = ()> + Unpin) -> Result<(), DemoError> {
        if self.serving.is_finished() {
            return Ok(());
        }
        // If it has ended meanwhile, there is nobody left to tell.
        self.stop.send(()).unwrap_or_default();
        let ended = tokio::select! {
            ended = &mut self.serving => ended,
            Some(()) = signals.next() => {
                self.stop.send(()).unwrap_or_default();
                self.serving.await
            }
        };
        ended.unwrap_or_else(|error| Err(AppError::Server(std::io::Error::other(error)))).map_err(DemoError::from)
    }
}

/// The service never ends by itself unless something is wrong.
fn ended_early(ended: Result<Result<(), AppError>, tokio::task::JoinError>) -> DemoError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) => DemoError::Story("the service ended".to_owned()),
        Err(error) => DemoError::Story(format!("the service broke off: {error}")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::outbound::{Outbound, OutboundSettings};

    #[tokio::test]
    async fn nothing_is_ever_sent_beyond_loopback() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::take(directory.path()).unwrap();
        let config = settings(&place, 0, &[]).unwrap();
        let app = App::build(&config, Clock::accelerated(1), Entropy::seeded(33)).await.unwrap();
        let allowed = |url: &str| app.outbound().check_url(&url.parse().unwrap()).is_ok();
        assert!(allowed("http://127.0.0.1:40123/art33"));
        let strangers = [
            "https://1.1.1.1/",
            "https://1.1.1.1:8443/",
            "http://1.1.1.1/",
            "https://example.com/",
            "http://localhost/",
        ];
        for stranger in
            strangers.into_iter().chain(["https://10.0.0.1/", "https://[2606:4700::1111]/", "http://[::1]:80/"])
        {
            assert!(!allowed(stranger), "{stranger}");
        }
        // Not only at registration: the client itself refuses.
        let refused = app.outbound().call(&"https://1.1.1.1/".parse().unwrap(), Vec::new(), None, 10).await;
        assert!(refused.is_err());
        // The same addresses would pass on a service with ordinary settings.
        let ordinary = Outbound::new(&OutboundSettings::default()).unwrap();
        assert!(ordinary.check_url(&"https://1.1.1.1/".parse().unwrap()).is_ok());
    }

    #[test]
    fn of_the_environment_only_logs_count() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::take(directory.path()).unwrap();
        let given =
            [("ART33_DATABASE_URL", "postgres://db/x"), ("ART33_LOG", "debug"), ("ART33_OUTBOUND_PORTS", "443")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = settings(&place, 0, &given).unwrap();
        assert!(config.database.url.expose().starts_with("sqlite://"));
        assert_eq!(config.telemetry.log, "debug".parse().unwrap());
        assert_eq!(config.outbound.ports, Ports::Only(Vec::new()));
    }
}
