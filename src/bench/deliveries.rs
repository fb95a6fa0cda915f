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
    rounds: usize,
    /// Medians of all rounds, for each share of endpoints that hang.
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
    let mut rounds: [Vec<Wave>; HANGING.len()] = Default::default();
    for round in 1..=bounds.rounds {
        for (percent, waves) in HANGING.into_iter().zip(&mut rounds) {
            say(format!("delivering to {} endpoints, {percent} % of them hanging, {round}", world.size()));
            if options.known_bad {
                stage.outbox.mark_failing(percent)?;
            }
            let wave = stage.wave(&server, &world, percent, round).await?;
            let (filed, last, memory) = (wave.filed_ms, wave.last_ms, server.memory()?.now);
            say(format!("filed in {filed:.0} ms, with the last healthy one after {last:.0} ms, memory {memory:.0} MB"));
            waves.push(wave);
            stage.settle().await?;
        }
    }
    let waves = rounds.iter().filter_map(|waves| Wave::median(waves)).collect();
    let peak_before = server.memory()?.peak;
    say("killing the service in the middle of as many deliveries".to_owned());
    let (server, kill) = stage.kill(server, world).await?;
    let world = stage.world(&server, Scheme::Tls, bounds.tls_endpoints).await?;
    say(format!("delivering to {} endpoints over TLS", world.size()));
    let tls = stage.wave(&server, &world, 0, 0).await?;
    let peak_mb = server.memory()?.peak.max(peak_before);
    Ok(Deliveries { known_bad: options.known_bad, rounds: bounds.rounds, waves, kill, tls, peak_mb })
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
        self.sink.begin(0)?;
        world.register(&|number| self.sink.url(scheme, number)).await?;
        self.sink.wait(PATIENCE, |count| count.verifications >= size).await?;
        self.outbox.wait_until_empty().await?;
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
        table.row(
            format!("one filing for {} controllers with an endpoint each, until answered", healthy.endpoints),
            format!("{:.0} ms", healthy.filed_ms),
            "≤ 1,000 ms",
        );
        let (plain, tls) = (healthy.per_second, self.tls.per_second);
        table.row(
            "deliveries until recorded, plain, a host and a connection each",
            format!("{plain:.0}/s"),
            "≥ 4,000/s",
        );
        table.row("deliveries until recorded, a fresh TLS connection each", format!("{tls:.0}/s"), "≥ 1,000/s");
        let each = |wave: &Wave| format!("{} % hanging {:.2} s", wave.hanging_percent, wave.processor_seconds);
        let plain = self.waves.iter().map(each).collect::<Vec<_>>().join(", ");
        table.row(
            "time of processors of the service for 1,000 deliveries",
            format!("plain: {plain}; TLS: {:.2} s", self.tls.processor_seconds),
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
                "first attempts to {endpoints} endpoints, {hanging_percent} % hanging{known}, from the commit, median of {}",
                self.rounds
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
