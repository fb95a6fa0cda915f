//! `art33 serve`: the service in the foreground, ended by signals.

use futures::{Stream, StreamExt as _, stream};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, runtime, say};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Delivery};
use crate::entropy::Entropy;
use crate::telemetry;

/// Open files for everything but deliveries: clients, database, logs.
const OTHER_FILES: usize = 2048;

/// Runs the service until it is told to stop.
pub(super) fn run(config: &Config) -> Result<(), CliError> {
    telemetry::init_logging(&config.telemetry).map_err(|error| CliError::Refused(format!("cannot log: {error}")))?;
    runtime()?.block_on(async {
        // Before anything else: a signal that comes while starting must not be lost.
        let signals = stop_signals().map_err(CliError::Start)?;
        raise_open_files(&config.delivery);
        let app = App::build(config, Clock::system(), Entropy::system()).await?;
        say(&format!("art33 {} serves at {}", env!("CARGO_PKG_VERSION"), app.service().public_url));
        app.run_until_stopped(signals).await?;
        Ok(())
    })
}

/// Every attempt that waits for a slow receiver holds a connection, and so does every client: takes as many as the system allows.
fn raise_open_files(delivery: &Delivery) {
    let wanted = u64::try_from(delivery.concurrency.get() + delivery.waiting.get() + OTHER_FILES).unwrap_or(u64::MAX);
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(allowed) if allowed >= wanted => {}
        Ok(allowed) => tracing::warn!(
            allowed,
            wanted,
            "the system allows fewer open files than delivery may need: raise its hard limit, or lower delivery.waiting"
        ),
        Err(error) => tracing::warn!(%error, wanted, "the limit of open files could not be raised"),
    }
}

/// One item per SIGTERM or SIGINT.
pub(super) fn stop_signals() -> std::io::Result<impl Stream<Item = ()> + Unpin> {
    let received = |kind| -> std::io::Result<_> {
        let next = |mut signal: Signal| async move { signal.recv().await.map(|()| ((), signal)) };
        Ok(stream::unfold(signal(kind)?, next))
    };
    Ok(stream::select(received(SignalKind::terminate())?, received(SignalKind::interrupt())?).boxed())
}
