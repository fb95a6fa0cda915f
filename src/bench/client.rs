//! A raw HTTP/1.1 client on kept connections, since the load must cost less than the service it measures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::message::Frame;
use super::{BenchError, cannot};

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_mins(5);

/// One kept connection.
pub(super) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer, as long as the next request is not sent.
pub(super) struct Response<'a> {
    status: u16,
    pub(super) body: &'a [u8],
}

/// A body with its headers, ready to be sent many times under different keys.
#[derive(Debug, Clone)]
pub(super) struct Request {
    start: String,
    rest: Vec<u8>,
}

/// How a load went.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) elapsed: Duration,
    /// Of every answer, sorted.
    pub(super) latencies: Vec<Duration>,
}

impl Request {
    pub(super) fn new(method: &str, path: &str, token: &str, media_type: &str, body: &str) -> Self {
        let start = format!("{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n");
        let length = body.len();
        let rest = format!("Content-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes();
        Self { start, rest }
    }

    /// The bytes to send.
    pub(super) fn with_key(&self, key: &str) -> Vec<u8> {
        [self.start.as_bytes(), b"Idempotency-Key: ", key.as_bytes(), b"\r\n", &self.rest].concat()
    }
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(address).await.map_err(cannot("reach the service"))?;
        stream.set_nodelay(true).map_err(cannot("reach the service"))?;
        Ok(Self { stream, received: Vec::with_capacity(16 * 1024) })
    }

    /// Sends one request and waits for the whole answer; any status but 2xx is an error, and so is a service that hangs.
    pub(super) async fn send(&mut self, request: &[u8]) -> Result<Response<'_>, BenchError> {
        let hangs = |_| BenchError::Unusable(format!("no answer within {PATIENCE:?}"));
        tokio::time::timeout(PATIENCE, self.exchange(request)).await.map_err(hangs)?
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Response<'_>, BenchError> {
        self.stream.write_all(request).await.map_err(cannot("send a request"))?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await.map_err(cannot("read an answer"))? == 0 {
                return Err(BenchError::Unusable("the service closed the connection".to_owned()));
            }
            if let Some(frame) = Frame::find(&self.received) {
                let status = frame.head(&self.received).get(9..12).and_then(|status| status.parse().ok());
                let response = Response { status: status.unwrap_or_default(), body: frame.body(&self.received) };
                return response.successful();
            }
        }
    }
}

impl<'a> Response<'a> {
    fn successful(self) -> Result<Response<'a>, BenchError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(BenchError::Refused { status: self.status, body: String::from_utf8_lossy(self.body).into_owned() })
    }

    /// The member `id` of the body.
    pub(super) fn id(&self) -> Result<String, BenchError> {
        let body: serde_json::Value = serde_json::from_slice(self.body)?;
        let id = body["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| BenchError::Unusable(format!("an answer without an id: {body}")))
    }
}

/// Sends request after request over `clients` connections at once, up to `count` or until `time` is over.
///
/// `request` makes the bytes of the n-th request, before its time is taken; `answered` sees every answer.
pub(super) async fn load(
    address: SocketAddr,
    clients: usize,
    count: usize,
    time: Duration,
    request: &dyn Fn(usize) -> Vec<u8>,
    answered: &dyn Fn(usize, &Response<'_>) -> Result<(), BenchError>,
) -> Result<Load, BenchError> {
    let mut connections = try_join_all((0..clients).map(|_| Client::connect(address))).await?;
    let next = std::cell::Cell::new(0);
    let started = Instant::now();
    let work = connections.iter_mut().map(|client| async {
        let mut latencies = Vec::new();
        while next.get() < count && started.elapsed() < time {
            let number = next.replace(next.get() + 1);
            let bytes = request(number);
            let sent = Instant::now();
            let response = client.send(&bytes).await?;
            latencies.push(sent.elapsed());
            answered(number, &response)?;
        }
        Ok::<_, BenchError>(latencies)
    });
    let mut latencies = try_join_all(work).await?.concat();
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    Ok(Load { elapsed, latencies })
}
