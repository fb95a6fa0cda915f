//! The sink as a process: listens, and answers one line for each line of its input.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::Hello;
use super::certificate::issue;
use super::endpoint::converse;
use super::tally::Tally;
use crate::bench::{BenchError, cannot};

/// Ports of each kind: connections to one of them are as many as there are free ports on the other side.
const PORTS: usize = 4;

/// Runs the sink until the standard input ends. One thread, since the service shares the cores with it.
pub(crate) fn listen() -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(cannot("start"))?.block_on(async {
        let tally = Arc::new(Tally::default());
        let (settings, authority) = issue()?;
        let tls = TlsAcceptor::from(settings);
        let mut hello = Hello { plain: Vec::new(), tls: Vec::new(), authority };
        for _ in 0..PORTS {
            hello.plain.push(open(&tally, None).await?);
            hello.tls.push(open(&tally, Some(&tls)).await?);
        }
        say(&serde_json::to_string(&hello)?)?;
        let (ended, end) = oneshot::channel();
        std::thread::spawn(move || ended.send(obey(&tally)));
        end.await.unwrap_or(Ok(()))
    })
}

/// Carries out the commands that come in, until none come any more.
fn obey(tally: &Tally) -> Result<(), BenchError> {
    for command in std::io::stdin().lines() {
        say(&tally.obey(&command.map_err(cannot("read a command"))?)?)?;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), BenchError> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).map_err(cannot("answer"))
}

/// Listens on a free port of loopback, in both families where the machine has both; answers the port.
async fn open(tally: &Arc<Tally>, tls: Option<&TlsAcceptor>) -> Result<u16, BenchError> {
    let bound = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await;
    let listener = bound.map_err(cannot("listen"))?;
    let port = listener.local_addr().map_err(cannot("listen"))?.port();
    let other = TcpListener::bind((IpAddr::V6(Ipv6Addr::LOCALHOST), port)).await;
    for listener in [Some(listener), other.ok()].into_iter().flatten() {
        tokio::spawn(accept(listener, Arc::clone(tally), tls.cloned()));
    }
    Ok(port)
}

async fn accept(listener: TcpListener, tally: Arc<Tally>, tls: Option<TlsAcceptor>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, Arc::clone(&tally), tls.clone()))),
            // Out of file descriptors, or a connection that was gone already: a moment later there may be room again.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
        }
    }
}

/// A connection that breaks is no matter for the sink: the service counts as not delivered what was not answered.
async fn serve(stream: TcpStream, tally: Arc<Tally>, tls: Option<TlsAcceptor>) {
    drop(stream.set_nodelay(true));
    match tls {
        None => drop(converse(stream, &tally).await),
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                drop(converse(stream, &tally).await);
            }
        }
    }
}
