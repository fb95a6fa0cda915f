//! The client alone against every receiver: the outcome counts, that it ends at all, and how little was taken.

use std::time::Duration;

use art33::crypto::sha256_hex;
use art33::domain::delivery_outcome::{FailureKind, Outcome};
use art33::outbound::{Exchange, Outbound, OutboundSettings};
use futures::future::join_all;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use url::Url;

use super::cases::{self, Case, answer, bare};
use super::receiver::{Act, Receiver, Script};

/// For receivers that come to an end; nothing here waits so long.
pub(crate) const PATIENT: Duration = Duration::from_secs(30);
/// For those that do not.
pub(crate) const HASTY: Duration = Duration::from_secs(2);
/// How much later than it should the machine may find out that a time limit has passed.
pub(crate) const GRACE: Duration = Duration::from_secs(1);
/// What a receiver may get rid of at most: what is read, and what the sockets and a header buffer between hold.
const LITTLE: usize = 8 * 1024 * 1024;
/// As much of a body as is ever read.
const READ_LIMIT: usize = 16 * 1024;

/// Loopback is open, for a client that is so patient.
pub(crate) fn settings(patience: Duration) -> OutboundSettings {
    OutboundSettings {
        allow: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        allow_http: true,
        connect_timeout: patience,
        total_timeout: patience,
        ..OutboundSettings::default()
    }
}

/// Posts an empty object; fails the test when that does not end in good time after the client's own deadline.
pub(crate) async fn post(outbound: &Outbound, url: &Url) -> Exchange {
    let posted = outbound.post(url, Vec::new(), b"{}".to_vec());
    tokio::time::timeout(PATIENT * 2, posted).await.expect("the client keeps to its deadline")
}

/// A client on loopback that is so patient.
pub(crate) fn client(patience: Duration) -> Outbound {
    Outbound::new(&settings(patience)).unwrap()
}

/// Plays one case; answers what was wrong with what came of it.
async fn play(case: Case, patient: &Outbound, hasty: &Outbound) -> Vec<String> {
    let receiver = Receiver::start(case.script());
    let exchange = post(if case.endless { hasty } else { patient }, &receiver.url).await;
    let left_alone = tokio::time::timeout(PATIENT, receiver.is_left_alone()).await.is_ok();
    // Interim answers are read as they come, and dropped; time alone bounds them.
    let little = receiver.written() < LITTLE || case.name.starts_with("interim answers");
    let in_time = if case.endless { HASTY..HASTY + GRACE } else { Duration::ZERO..PATIENT };
    let peer = receiver.url.socket_addrs(|| None).unwrap()[0].to_string();
    let checks = [
        ("in the time allowed", in_time.contains(&exchange.duration)),
        ("the peer of every answer", exchange.peer == case.status.map(|_| peer)),
        ("the outcome", exchange.outcome == case.outcome && exchange.status == case.status),
        ("a digest for every answer", exchange.body_sha256.is_some() == case.status.is_some()),
        ("little kept", exchange.body_prefix.len() <= 1024),
        ("one attempt, one request", receiver.requests() <= 1 && receiver.connections() == 1),
        ("the connection given up", left_alone),
        ("little taken", little),
    ];
    let (name, requests, connections) = (&case.name, receiver.requests(), receiver.connections());
    let wrong = checks.into_iter().filter(|(_, holds)| !holds);
    let wrong = wrong.map(|(what, _)| {
        format!("{name}: not {what}: {requests} in {connections}, {} bytes, {exchange:?}", receiver.written())
    });
    wrong.collect()
}

#[tokio::test]
async fn every_receiver_has_its_outcome_in_bounded_time_and_bytes() {
    let (patient, hasty) = (client(PATIENT), client(HASTY));
    let wrong = join_all(cases::all().into_iter().map(|case| play(case, &patient, &hasty))).await.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_answer_just_in_time_counts_and_one_just_too_late_does_not() {
    for (percent, outcome) in [(80, Outcome::Delivered), (120, Outcome::Transient(FailureKind::Timeout))] {
        let pause = HASTY * percent / 100;
        let acts = [vec![Act::Read, Act::Pause(pause)], bare("200 OK")[1..].to_vec()].concat();
        let receiver = Receiver::start(Script { acts, honest: false });
        let exchange = post(&client(HASTY), &receiver.url).await;
        assert_eq!(exchange.outcome, outcome, "{exchange:?}");
        let end = pause.min(HASTY);
        assert!((end..end + GRACE / 2).contains(&exchange.duration), "{exchange:?}");
    }
}

#[tokio::test]
async fn of_a_giant_body_the_beginning_is_kept() {
    let bomb = cases::bomb();
    assert!(bomb.len() > READ_LIMIT, "{}", bomb.len());
    let begin = bomb[..READ_LIMIT].to_vec();
    let head = format!("200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}", bomb.len());
    for (acts, begin) in [
        (answer(&head, bomb), begin),
        (
            answer(&format!("200 OK\r\nContent-Length: {READ_LIMIT}0"), vec![b'x'; 10 * READ_LIMIT]),
            vec![b'x'; READ_LIMIT],
        ),
    ] {
        let receiver = Receiver::start(Script { acts, honest: false });
        let exchange = post(&client(PATIENT), &receiver.url).await;
        assert_eq!(exchange.outcome, Outcome::Delivered);
        assert_eq!(exchange.body_prefix, begin[..1024]);
        assert_eq!(exchange.body_sha256, Some(sha256_hex(&begin)), "as it came, and no more");
    }
}

#[tokio::test]
async fn a_wish_is_handed_on_as_it_came_but_never_as_what_is_no_text() {
    for (value, kept) in
        [("86400", Some("86400")), ("-5", Some("-5")), ("1e309", Some("1e309")), ("", Some("")), ("ü", None)]
    {
        let acts = bare(&format!("429 Slow Down\r\nRetry-After: {value}"));
        let receiver = Receiver::start(Script { acts, honest: false });
        let exchange = post(&client(PATIENT), &receiver.url).await;
        assert_eq!(exchange.retry_after.as_deref(), kept, "{value}");
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let trap = Receiver::start(Script { acts: bare("200 OK"), honest: false });
    for status in [301, 302, 303, 307, 308] {
        let acts = bare(&format!("{status} Elsewhere\r\nLocation: {}", trap.url));
        let receiver = Receiver::start(Script { acts, honest: false });
        let exchange = post(&client(PATIENT), &receiver.url).await;
        assert_eq!(exchange.outcome, Outcome::Configuration(FailureKind::Redirect), "{status}");
    }
    assert_eq!(trap.connections(), 0);
}

/// A port that is taken, but on which nobody listens.
pub(crate) fn closed_door() -> (Url, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (format!("http://{}/", socket.local_addr().unwrap()).parse().unwrap(), socket)
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_a_failed_connection() {
    let (url, _socket) = closed_door();
    let exchange = post(&client(PATIENT), &url).await;
    assert_eq!(exchange.outcome, Outcome::Transient(FailureKind::Connect));
    assert!(exchange.duration < GRACE && exchange.peer.is_none(), "{exchange:?}");
}

/// A listener that takes no more connections: to whoever comes now, it is as if nobody were there.
pub(crate) async fn black_hole() -> (Url, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    (format!("http://{address}/").parse().unwrap(), listener, waiting)
}

#[tokio::test]
async fn a_connection_that_is_never_taken_ends_in_time() {
    let (url, _listener, _waiting) = black_hole().await;
    let hasty = Outbound::new(&OutboundSettings { total_timeout: PATIENT, ..settings(HASTY) }).unwrap();
    let exchange = post(&hasty, &url).await;
    assert_eq!(exchange.outcome, Outcome::Transient(FailureKind::Connect));
    assert!((HASTY..HASTY + GRACE).contains(&exchange.duration), "{exchange:?}");
}

#[tokio::test]
async fn a_connection_killed_between_requests_never_makes_a_second_post() {
    let receiver = Receiver::start(Script { acts: bare("200 OK"), honest: false });
    let outbound = client(PATIENT);
    for posts in 1..=20 {
        let outcome = outbound.post(&receiver.url, Vec::new(), b"{}".to_vec()).await.outcome;
        assert!(matches!(outcome, Outcome::Delivered | Outcome::Transient(FailureKind::Reset)), "{outcome:?}");
        assert!(receiver.requests() <= posts);
    }
}

#[tokio::test]
async fn what_follows_an_answer_is_not_the_answer_to_the_next_request() {
    let acts = vec![
        Act::Read,
        Act::Write(
            b"HTTP/1.1 500 Down\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        Act::Hold,
    ];
    let receiver = Receiver::start(Script { acts, honest: false });
    let outbound = client(PATIENT);
    for _ in 0..4 {
        let exchange = outbound.post(&receiver.url, Vec::new(), b"{}".to_vec()).await;
        assert!(!exchange.outcome.is_success(), "{exchange:?}");
    }
}

#[tokio::test]
async fn nonsense_before_the_request_is_no_answer() {
    let acts = vec![Act::Write(b"HTTP/1.1 nonsense\r\n\r\n".to_vec()), Act::Hold];
    let receiver = Receiver::start(Script { acts, honest: false });
    let outcome = post(&client(PATIENT), &receiver.url).await.outcome;
    // Whether the request is on its way before the nonsense is seen is a matter of chance.
    let (reset, invalid) = (Outcome::Transient(FailureKind::Reset), Outcome::Transient(FailureKind::InvalidAnswer));
    assert!(outcome == reset || outcome == invalid, "{outcome:?}");
}
