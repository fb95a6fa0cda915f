//! The outbound client with ordinary servers on loopback: what it sends, and what it brings back.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::future::Future;
use std::time::Duration;

use art33::crypto::sha256_hex;
use art33::domain::delivery_outcome::{FailureKind, Outcome};
use art33::outbound::{Exchange, Outbound, OutboundSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

const PATIENT: Duration = Duration::from_secs(30);

fn settings(total: Duration) -> OutboundSettings {
    OutboundSettings {
        allow: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        allow_http: true,
        connect_timeout: total,
        total_timeout: total,
        ..OutboundSettings::default()
    }
}

/// A server that hands every connection to `behave`.
async fn server<F, W>(behave: F) -> Url
where
    F: Fn(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behave(stream));
        }
    });
    format!("http://127.0.0.1:{port}/hook").parse().unwrap()
}

/// A server that reads one request, writes these bytes and hangs up.
async fn answering(answer: impl Into<Vec<u8>>) -> Url {
    let answer = answer.into();
    server(move |mut stream| {
        let answer = answer.clone();
        async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
            drain(stream).await;
        }
    })
    .await
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8(request).unwrap().to_ascii_lowercase();
    let length =
        head.split("content-length: ").nth(1).map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(head)
}

/// Waits until the other side hangs up.
async fn drain(mut stream: TcpStream) {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

async fn post(url: &Url, total: Duration) -> Exchange {
    Outbound::new(&settings(total)).unwrap().post(url, Vec::new(), b"{}".to_vec()).await
}

#[tokio::test]
async fn a_good_answer_is_delivered_with_its_evidence() {
    let url = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let exchange = post(&url, PATIENT).await;
    assert_eq!((exchange.outcome, exchange.status), (Outcome::Delivered, Some(200)));
    assert_eq!(exchange.body_prefix, b"ok");
    assert_eq!(exchange.body_sha256, Some(sha256_hex(b"ok")));
    assert_eq!(exchange.peer, Some(format!("127.0.0.1:{}", url.port().unwrap())));
}

#[tokio::test]
async fn a_header_that_would_split_the_request_is_refused() {
    let url = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let outbound = Outbound::new(&settings(PATIENT)).unwrap();
    let split = vec![("webhook-id".to_owned(), "msg_1\r\nX-Evil: 1".to_owned())];
    let exchange = outbound.post(&url, split, Vec::new()).await;
    assert_eq!(exchange.outcome, Outcome::Configuration(FailureKind::InvalidRequest));
}

#[tokio::test]
async fn only_a_host_called_again_gets_a_connection_that_is_kept() {
    let (heads, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let url = server(move |mut stream| {
        let heads = heads.clone();
        async move {
            while let Some(head) = read_request(&mut stream).await {
                heads.send(head).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            }
        }
    })
    .await;
    let outbound = Outbound::new(&settings(PATIENT)).unwrap();
    for _ in 0..2 {
        let headers = vec![("webhook-id".to_owned(), "msg_1".to_owned())];
        assert_eq!(outbound.post(&url, headers, b"{}".to_vec()).await.outcome, Outcome::Delivered);
    }
    let (first, second) = (seen.recv().await.unwrap(), seen.recv().await.unwrap());
    assert!(first.contains("connection: close\r\n") && first.contains("webhook-id: msg_1\r\n"), "{first}");
    assert!(!second.contains("connection:") && second.contains("user-agent: art33/"), "{second}");
}

#[tokio::test]
async fn a_document_is_fetched_whole_or_not_at_all() {
    let url = answering("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"keys\":[]}").await;
    let outbound = Outbound::new(&settings(PATIENT)).unwrap();
    assert_eq!(outbound.fetch_json(&url, 11).await, Ok(b"{\"keys\":[]}".to_vec()));
    assert_eq!(outbound.fetch_json(&url, 10).await, Err(FailureKind::InvalidAnswer));
    let missing = answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(outbound.fetch_json(&missing, 10).await, Err(FailureKind::Status4xx));
}
