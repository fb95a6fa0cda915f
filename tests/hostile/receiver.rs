//! A receiver on loopback that follows a script byte by byte, and counts what it could get rid of.
//! It knows nothing of what is expected of the other side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use url::Url;

/// One step of a script.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Takes one request.
    Read,
    /// Sends these bytes.
    Write(Vec<u8>),
    /// Sends these bytes so many times, or until the other side hangs up.
    Repeat(Vec<u8>, usize),
    /// Sends these bytes one by one, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Does nothing for a while.
    Pause(Duration),
    /// Says nothing more until the other side hangs up.
    Hold,
}

/// What a receiver does with every connection; at the end of its script it hangs up.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) acts: Vec<Act>,
    /// Whether it proves that the endpoint is its own, when it is asked to.
    pub(crate) honest: bool,
}

/// A receiver that follows one script on every connection.
pub(crate) struct Receiver {
    pub(crate) url: Url,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: AtomicUsize,
    written: AtomicUsize,
    connections: AtomicUsize,
    open: watch::Sender<usize>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Receiver {
    /// Starts one that speaks plain HTTP, or whatever its script holds.
    pub(crate) fn start(script: Script) -> Self {
        Self::listen("http", script, None)
    }

    /// Starts one that is addressed by https, whatever it then says.
    pub(crate) fn start_addressed_by_https(script: Script) -> Self {
        Self::listen("https", script, None)
    }

    /// Starts one whose script runs within TLS.
    pub(crate) fn start_tls(script: Script, tls: Arc<ServerConfig>) -> Self {
        Self::listen("https", script, Some(tls.into()))
    }

    fn listen(scheme: &str, script: Script, tls: Option<TlsAcceptor>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Small buffers, so that what was written was read, but for little.
        socket.set_send_buffer_size(64 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let url = format!("{scheme}://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
        let counts = Arc::<Counts>::default();
        tokio::spawn(serve(listener, script, tls, Arc::clone(&counts)));
        Self { url, counts }
    }

    /// How many requests came in, those that only verify left out.
    pub(crate) fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// How many bytes the other side took, or the sockets between.
    pub(crate) fn written(&self) -> usize {
        self.counts.written.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open any more.
    pub(crate) async fn is_left_alone(&self) {
        self.counts.open.subscribe().wait_for(|open| *open == 0).await.unwrap();
    }
}

async fn serve(listener: TcpListener, script: Script, tls: Option<TlsAcceptor>, counts: Arc<Counts>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (script, tls, counts) = (script.clone(), tls.clone(), Arc::clone(&counts));
        counts.connections.fetch_add(1, Ordering::SeqCst);
        counts.open.send_modify(|open| *open += 1);
        tokio::spawn(async move {
            connection(stream, script, tls, &counts).await;
            counts.open.send_modify(|open| *open -= 1);
        });
    }
}

/// `None` says that the other side hung up before the end of the script.
async fn connection(stream: TcpStream, script: Script, tls: Option<TlsAcceptor>, counts: &Counts) -> Option<()> {
    let mut stream: Box<dyn Stream> = match tls {
        Some(tls) => match tls.accept(stream).into_fallible().await {
            Ok(stream) => Box::new(stream),
            Err((_, stream)) => {
                // What was said last must arrive; hanging up on unread bytes might take it back.
                drain(&mut (Box::new(stream) as Box<dyn Stream>)).await;
                return None;
            }
        },
        None => Box::new(stream),
    };
    for act in script.acts {
        match act {
            Act::Read => take(&mut stream, script.honest, counts).await?,
            Act::Write(bytes) => send(&mut stream, &bytes, counts).await?,
            Act::Repeat(bytes, times) => {
                for _ in 0..times {
                    send(&mut stream, &bytes, counts).await?;
                }
            }
            Act::Drip(bytes, pause) => {
                for byte in bytes {
                    send(&mut stream, &[byte], counts).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            Act::Pause(pause) => tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = drain(&mut stream) => return None,
            },
            Act::Hold => drain(&mut stream).await,
        }
    }
    stream.shutdown().await.ok()?;
    drain(&mut stream).await;
    Some(())
}

/// Takes one request that is not a question whether this endpoint is honest; that one is answered here and nowhere else.
async fn take(stream: &mut Box<dyn Stream>, honest: bool, counts: &Counts) -> Option<()> {
    loop {
        let body: Value = serde_json::from_slice(&request(stream).await?).unwrap_or_default();
        if !honest || body["type"] != "endpoint.verify" {
            counts.requests.fetch_add(1, Ordering::SeqCst);
            return Some(());
        }
        let echo = json!({"challenge": body["data"]["challenge"]}).to_string();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
        stream.write_all(format!("{head}: {}\r\n\r\n{echo}", echo.len()).as_bytes()).await.ok()?;
    }
}

/// Reads one request; answers its body.
async fn request(stream: &mut Box<dyn Stream>) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).map_or("0", |rest| rest.split("\r\n").next().unwrap());
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

async fn send(stream: &mut Box<dyn Stream>, bytes: &[u8], counts: &Counts) -> Option<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = stream.write(rest).await.ok().filter(|written| *written > 0)?;
        counts.written.fetch_add(written, Ordering::SeqCst);
        rest = &rest[written..];
    }
    stream.flush().await.ok()
}

/// Waits until the other side hangs up.
async fn drain(stream: &mut Box<dyn Stream>) {
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}
