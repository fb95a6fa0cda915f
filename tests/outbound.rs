//! The outbound client against hostile and broken servers on loopback: the outcome counts, and that it ends at all.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use art33::crypto::sha256_hex;
use art33::domain::delivery_outcome::{FailureKind, Outcome};
use art33::outbound::{Exchange, Outbound, OutboundSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

const PATIENT: Duration = Duration::from_secs(30);
const HASTY: Duration = Duration::from_secs(1);

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

async fn outcome(answer: impl Into<Vec<u8>>) -> Outcome {
    post(&answering(answer).await, PATIENT).await.outcome
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
async fn statuses_are_told_apart() {
    assert_eq!(outcome("HTTP/1.1 204 No Content\r\n\r\n").await, Outcome::Delivered);
    assert_eq!(outcome("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await, Outcome::Accepted);
    assert_eq!(outcome("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n").await, Outcome::Gone);
    let not_found = outcome("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(not_found, Outcome::Configuration(FailureKind::Status4xx));
    let switching = outcome("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n").await;
    assert!(!switching.is_success());
}

#[tokio::test]
async fn a_wish_for_fewer_requests_is_handed_on() {
    let url = answering("HTTP/1.1 429 Slow Down\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n").await;
    let exchange = post(&url, PATIENT).await;
    assert_eq!(exchange.outcome, Outcome::Transient(FailureKind::Throttled));
    assert_eq!(exchange.retry_after.as_deref(), Some("86400"));
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let visits = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&visits);
    let inner = server(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
        async {}
    })
    .await;
    let answer = format!("HTTP/1.1 307 Elsewhere\r\nLocation: {inner}\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(outcome(answer).await, Outcome::Configuration(FailureKind::Redirect));
    assert_eq!(visits.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn silence_ends_in_time() {
    let url = server(drain).await;
    assert_eq!(post(&url, HASTY).await.outcome, Outcome::Transient(FailureKind::Timeout));
}

#[tokio::test]
async fn a_status_line_without_more_ends_in_time() {
    let url = server(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ").await.unwrap();
        drain(stream).await;
    })
    .await;
    assert_eq!(post(&url, HASTY).await.outcome, Outcome::Transient(FailureKind::Timeout));
}

#[tokio::test]
async fn endless_interim_answers_end_in_time() {
    let url = server(|mut stream| async move {
        read_request(&mut stream).await;
        while stream.write_all(b"HTTP/1.1 102 Processing\r\n\r\n").await.is_ok() {}
    })
    .await;
    assert_eq!(post(&url, HASTY).await.outcome, Outcome::Transient(FailureKind::Timeout));
}

#[tokio::test]
async fn a_body_that_never_ends_is_no_delivery() {
    let url = server(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1").await.unwrap();
        drain(stream).await;
    })
    .await;
    let exchange = post(&url, HASTY).await;
    assert_eq!((exchange.outcome, exchange.status), (Outcome::Transient(FailureKind::BodyTooSlow), Some(200)));
    assert_eq!(exchange.body_prefix, b"1");
}

#[tokio::test]
async fn a_giant_body_is_cut_off() {
    for head in ["Content-Length: 1000000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3fffffff\r\n"] {
        let written = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&written);
        let url = server(move |mut stream| {
            let counter = Arc::clone(&counter);
            async move {
                read_request(&mut stream).await;
                let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes()).await;
                while stream.write_all(&[b'x'; 1024]).await.is_ok() {
                    counter.fetch_add(1024, Ordering::Relaxed);
                }
            }
        })
        .await;
        let exchange = post(&url, PATIENT).await;
        assert_eq!(exchange.outcome, Outcome::Delivered, "{head}");
        assert_eq!(exchange.body_prefix, [b'x'; 1024]);
        assert_eq!(exchange.body_sha256, Some(sha256_hex(&[b'x'; 16 * 1024])));
        assert!(written.load(Ordering::Relaxed) < 100_000_000, "the connection was dropped long before the end");
    }
}

#[tokio::test]
async fn an_oversized_header_is_refused() {
    let many = (0..10_000).map(|n| format!("X-Flood-{n}: x\r\n")).collect::<Vec<_>>().concat();
    let long = format!("X-Flood: {}\r\n", "x".repeat(1_000_000));
    let medium = (0..40).map(|n| format!("X-Flood-{n}: {}\r\n", "x".repeat(1000))).collect::<Vec<_>>().concat();
    for flood in [many, long, medium] {
        let answer = format!("HTTP/1.1 200 OK\r\n{flood}Content-Length: 0\r\n\r\n");
        assert_eq!(outcome(answer).await, Outcome::Transient(FailureKind::InvalidAnswer));
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    for answer in
        ["HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 ABC\r\n\r\n", "HTTP/1.1 000 Zero\r\n\r\n", "<html>hello</html>\r\n\r\n"]
    {
        assert_eq!(outcome(answer).await, Outcome::Transient(FailureKind::InvalidAnswer), "{answer}");
    }
    let beyond = outcome("HTTP/1.1 600 Beyond\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(beyond, Outcome::Transient(FailureKind::InvalidAnswer));
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n";
    assert!(!outcome(chunks).await.is_success());
}

#[tokio::test]
async fn a_connection_that_breaks_is_no_delivery() {
    assert_eq!(outcome("").await, Outcome::Transient(FailureKind::Reset));
    assert_eq!(outcome("HTTP/1.1 200 O").await, Outcome::Transient(FailureKind::Reset));
    let short = outcome("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort").await;
    assert_eq!(short, Outcome::Transient(FailureKind::Reset));
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_a_failed_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    assert_eq!(post(&url, PATIENT).await.outcome, Outcome::Transient(FailureKind::Connect));
}

#[tokio::test]
async fn a_server_without_tls_is_a_matter_of_configuration() {
    let mut url = server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        drain(stream).await;
    })
    .await;
    url.set_scheme("https").unwrap();
    assert_eq!(post(&url, PATIENT).await.outcome, Outcome::Configuration(FailureKind::Tls));
}

#[tokio::test]
async fn a_tls_handshake_without_answer_ends_in_time() {
    let mut url = server(drain).await;
    url.set_scheme("https").unwrap();
    let outbound = Outbound::new(&OutboundSettings { connect_timeout: HASTY, ..settings(PATIENT) }).unwrap();
    let exchange = outbound.post(&url, Vec::new(), Vec::new()).await;
    assert_eq!(exchange.outcome, Outcome::Transient(FailureKind::Connect));
}

#[tokio::test]
async fn nothing_is_decompressed() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n".to_vec();
    answer.extend([0x1f, 0x8b, 0x08, 0x00]);
    let exchange = post(&answering(answer).await, PATIENT).await;
    assert_eq!((exchange.outcome, &exchange.body_prefix[..]), (Outcome::Delivered, &[0x1f, 0x8b, 0x08, 0x00][..]));
}

#[tokio::test]
async fn an_inner_address_is_never_even_dialled() {
    let visits = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&visits);
    let url = server(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
        async {}
    })
    .await;
    let port = url.port().unwrap();
    let strict = OutboundSettings { allow: Vec::new(), ports: vec![port], ..settings(PATIENT) };
    let outbound = Outbound::new(&strict).unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1"] {
        let url: Url = format!("http://{host}:{port}/").parse().unwrap();
        let exchange = outbound.post(&url, Vec::new(), Vec::new()).await;
        assert_eq!(exchange.outcome, Outcome::Configuration(FailureKind::ForbiddenAddress), "{host}");
    }
    assert_eq!(visits.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_name_is_reached_through_the_guard() {
    let url = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let port = url.port().unwrap();
    let named: Url = format!("http://localhost:{port}/").parse().unwrap();
    let outbound = Outbound::new(&OutboundSettings { ports: vec![port], ..settings(PATIENT) }).unwrap();
    assert_eq!(outbound.post(&named, Vec::new(), Vec::new()).await.outcome, Outcome::Delivered);
    let unlisted = Outbound::new(&settings(PATIENT)).unwrap();
    let refused = unlisted.post(&named, Vec::new(), Vec::new()).await;
    assert_eq!(refused.outcome, Outcome::Configuration(FailureKind::InvalidRequest));
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
async fn a_connection_killed_between_requests_never_makes_a_second_post() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let url = server(move |mut stream| {
        let counter = Arc::clone(&counter);
        async move {
            if read_request(&mut stream).await.is_some() {
                counter.fetch_add(1, Ordering::Relaxed);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            }
        }
    })
    .await;
    let outbound = Outbound::new(&settings(PATIENT)).unwrap();
    for posts in 1..=20 {
        let outcome = outbound.post(&url, Vec::new(), b"{}".to_vec()).await.outcome;
        assert!(matches!(outcome, Outcome::Delivered | Outcome::Transient(FailureKind::Reset)), "{outcome:?}");
        assert!(requests.load(Ordering::Relaxed) <= posts);
    }
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
