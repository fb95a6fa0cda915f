//! The second part: what leaves after a filing, and how soon it is there, whatever some of the endpoints do.

mod outbox;
mod wave;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::database::Database;
use super::figures::Table;
use super::server::{Server, Settings};
use super::sink::{Scheme, Sink};
use super::world::World;
use super::{BenchError, Bounds, Options};
use outbox::Outbox;
use wave::Wave;

/// The shares of endpoints that hang, one wave after the other.
const HANGING: [usize; 3] = [0, 10, 30];
/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(15);

/// A service that was killed in the middle and started again.
#[derive(Debug, Serialize)]
struct Kill {
    deliveries: usize,
    /// Arrived before it was killed.
    arrived_before: usize,
    /// Attempts that were open when it was killed: each may have been sent.
    in_flight: usize,
    /// Messages that never arrived.
    lost: usize,
    /// Requests with a message that had arrived before.
    duplicates: usize,
}

/// All that this part measures.
#[derive(Debug, Serialize)]
pub(super) struct Deliveries {
    known_bad: bool,
    waves: Vec<Wave>,
    kill: Kill,
    tls: Wave,
    /// The most memory that the service has had, in megabytes.
    peak_mb: f64,
}

/// What all steps need.
struct Stage<'s> {
    database: &'s Database,
    place: &'s Path,
    settings: Settings,
    bounds: Bounds,
    sink: Sink,
    outbox: Outbox,
    say: &'s dyn Fn(String),
}

/// Measures deliveries to endpoints of which some hang, after a kill, and over TLS.
pub(super) async fn measure(
    database: &Database,
    place: &Path,
    options: &Options,
    progress: &dyn Fn(&str),
) -> Result<Deliveries, BenchError> {
    let (bounds, sink) = (options.bounds(), Sink::start()?);
    let settings = settings(&sink, place, bounds)?;
    let say = |line: String| progress(&format!("{}: {line}", database.name()));
    let server = Server::start(place, database.url(), &settings)?;
    let outbox = Outbox::open(database)?;
    let mut stage = Stage { database, place, settings, bounds, sink, outbox, say: &say };
    let world = stage.world(&server, Scheme::Plain, bounds.endpoints).await?;
    let mut waves = Vec::new();
    for percent in HANGING {
        say(format!("delivering to {} endpoints, {percent} % of them hanging", world.size()));
        if options.known_bad {
            stage.outbox.mark_failing(percent)?;
        }
        waves.push(stage.wave(&server, &world, percent).await?);
        stage.settle().await?;
    }
    let peak_mb = server.memory()?.peak;
    say("killing the service in the middle of as many deliveries".to_owned());
    let (server, kill) = stage.kill(server, world).await?;
    let world = stage.world(&server, Scheme::Tls, bounds.tls_endpoints).await?;
    say(format!("delivering to {} endpoints over TLS", world.size()));
    let tls = stage.wave(&server, &world, 0).await?;
    Ok(Deliveries { known_bad: options.known_bad, waves, kill, tls, peak_mb })
}

/// Lets the service reach the sink, and trust it.
fn settings(sink: &Sink, place: &Path, bounds: Bounds) -> Result<Settings, BenchError> {
    let authority = sink.authority(place)?.display().to_string();
    Ok(vec![
        ("ART33_OUTBOUND_ALLOW", "127.0.0.0/8,::1/128".to_owned()),
        ("ART33_OUTBOUND_ALLOW_HTTP", "true".to_owned()),
        ("ART33_OUTBOUND_PORTS", "any".to_owned()),
        ("ART33_OUTBOUND_EXTRA_CA", authority),
        ("ART33_OUTBOUND_CONNECT_TIMEOUT", format!("PT{}S", bounds.attempt.min(3))),
        ("ART33_OUTBOUND_TOTAL_TIMEOUT", format!("PT{}S", bounds.attempt)),
        // That the guard is open, and that many deliveries fail, is what is wanted here.
        ("ART33_LOG", "error".to_owned()),
    ])
}

impl Stage<'_> {
    /// Makes controllers with an endpoint each, and waits until those may be used.
    async fn world(&mut self, server: &Server, scheme: Scheme, size: usize) -> Result<World, BenchError> {
        (self.say)(format!("making {size} controllers with their agreements and endpoints"));
        let name = if scheme == Scheme::Tls { "tls" } else { "plain" };
        let world = World::make(server, name, size).await?;
        world.register(&|number| self.sink.url(scheme, number)).await?;
        self.sink.quiet().await?;
        Ok(world)
    }

    /// Lets every endpoint answer, and waits until none is owed anything; retries are not waited for, but brought forward.
    async fn settle(&mut self) -> Result<(), BenchError> {
        self.sink.begin(0)?;
        tokio::time::sleep(Duration::from_secs(self.bounds.attempt + 1)).await;
        self.outbox.bring_forward()?;
        self.outbox.wait_until_empty().await
    }

    /// Kills the service when a third has arrived, starts it again, and counts what arrived never or twice.
    async fn kill(&mut self, server: Server, world: World) -> Result<(Server, Kill), BenchError> {
        let deliveries = world.size();
        self.sink.begin(0)?;
        world.file_all("kill").await?;
        let before = self.sink.wait(PATIENCE, |count| count.messages >= deliveries / 3).await?;
        drop(server);
        let in_flight = self.outbox.in_flight()?;
        if !self.bounds.waits_for_leases {
            self.outbox.bring_forward()?;
        }
        let server = Server::start(self.place, self.database.url(), &self.settings)?;
        self.outbox.wait_until_empty().await?;
        let count = self.sink.count()?;
        let kill = Kill {
            deliveries,
            arrived_before: before.messages,
            in_flight,
            lost: deliveries.saturating_sub(count.messages),
            duplicates: count.requests - count.messages,
        };
        Ok((server, kill))
    }
}

impl Deliveries {
    /// Says it in rows.
    pub(super) fn rows(&self, table: &mut Table<'_>) {
        let Some(healthy) = self.waves.first() else { return };
        for wave in &self.waves {
            self.rows_of_wave(wave, healthy, table);
        }
        let (plain, tls) = (healthy.per_second, self.tls.per_second);
        table.row("deliveries, plain HTTP, a host and a connection each", format!("{plain:.0}/s"), "≥ 4,000/s");
        table.row("deliveries, a fresh TLS connection each", format!("{tls:.0}/s"), "≥ 1,000/s");
        table.row(
            "time of processors for 1,000 deliveries",
            format!("plain {:.2} s, TLS {:.2} s", healthy.processor_seconds, self.tls.processor_seconds),
            "",
        );
        let Kill { deliveries, arrived_before, in_flight, lost, duplicates } = self.kill;
        table.row(
            format!("kill -9 in the middle of {deliveries} deliveries, after {arrived_before}"),
            format!("{lost} lost, {duplicates} twice, {in_flight} in flight"),
            "0 lost, twice ≤ in flight",
        );
        table.row("memory, peak of the deliveries", format!("{:.0} MB", self.peak_mb), "≤ 150 MB");
    }

    fn rows_of_wave(&self, wave: &Wave, healthy: &Wave, table: &mut Table<'_>) {
        let Wave { hanging_percent, endpoints, p50_ms, p99_ms, last_ms, .. } = wave;
        let known = if self.known_bad && *hanging_percent > 0 { ", known to fail" } else { "" };
        table.row(
            format!(
                "first attempts to {endpoints} endpoints, {hanging_percent} % hanging{known}, from the filing's answer"
            ),
            format!("p50 {p50_ms:.0} ms, p99 {p99_ms:.0} ms, all that are healthy {last_ms:.0} ms"),
            "p99 ≤ 2,500 ms",
        );
        if *hanging_percent > 0 {
            table.row(
                format!("the same against none hanging, {hanging_percent} %"),
                format!("{:.1} times as long", last_ms / healthy.last_ms),
                "≤ 1.5",
            );
        }
    }
}
