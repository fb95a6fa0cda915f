//! The HTTP server: its socket, its limits and its middleware. Routes are listed in the web room.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use super::AppError;
use crate::config;
use crate::http::{self, Api};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 2048;
/// Open connections per worker thread.
const CONNECTIONS: usize = 8192;
/// How long a connection without a request is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the head of a request may take to arrive.
const REQUEST_HEAD: Duration = Duration::from_secs(5);

/// A listening socket and the address it got.
pub(super) fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), AppError> {
    let bind = || {
        let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?.into_std()?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    bind().map_err(|source| AppError::Listen { address, source })
}

/// A server on that socket; it accepts once it is polled.
pub(super) fn start(
    listener: TcpListener,
    address: SocketAddr,
    api: Api,
    settings: &config::Server,
) -> Result<actix_web::dev::Server, AppError> {
    let api = web::Data::new(api);
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // The grace period is counted by the caller; this one only must not be shorter.
    let longest_stop = settings.shutdown_grace.as_secs().saturating_add(1);
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::clone(&api)).wrap(from_fn(http::track)).configure(http::configure)
    })
    .workers(settings.workers.map_or_else(cores, NonZeroUsize::get))
    .max_connections(CONNECTIONS)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(REQUEST_HEAD)
    .disable_signals()
    .shutdown_timeout(longest_stop)
    .listen(listener)
    .map_err(|source| AppError::Listen { address, source })?;
    Ok(server.run())
}
