//! Endpoints that lead inside: at registration, and again when something is sent.

use art33::domain::delivery_outcome::{FailureKind, Outcome};
use art33::outbound::{Outbound, OutboundSettings};
use serde_json::json;

use super::cases::bare;
use super::client::{PATIENT, post, settings};
use super::receiver::{Receiver, Script};
use crate::harness::app::TestApp;
use crate::harness::world::PROCESSOR;

/// Inner addresses in every spelling that a parser of URLs may take for one.
const INNER: [&str; 27] = [
    "127.0.0.1",
    "127.1",
    "127.0.0.1.",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.1",
    "2130706433",
    "017700000001",
    "%31%32%37.0.0.1",
    "１２７.０.０.１",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "0.0.0.0",
    "0",
    "169.254.169.254",
    "10.0.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "[::1]",
    "[::]",
    "[::ffff:7f00:1]",
    "[::ffff:127.0.0.1]",
    "[::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[fd00:ec2::254]",
    "[fe80::1]",
];

/// What else is refused by its looks alone.
const UNFIT: [&str; 12] = [
    "https://hooks.example.org:22/x",
    "https://hooks.example.org:25/x",
    "https://hooks.example.org:6379/x",
    "https://1.1.1.1:6379/x",
    "https://user@hooks.example.org/x",
    "https://user:password@hooks.example.org/x",
    "https://hooks.example.org@127.0.0.1/x",
    "http://hooks.example.org/x",
    "file:///etc/passwd",
    "gopher://hooks.example.org/x",
    "https://hooks.example.org/x#part",
    "https://:443/x",
];

both! {
    async fn no_spelling_of_an_inner_address_is_registered(
        app: TestApp, settings = [("ART33_OUTBOUND_ALLOW", "203.0.113.0/24"), ("ART33_OUTBOUND_ALLOW_HTTP", "false")]
    ) {
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        let staff = app.as_org(&processor, PROCESSOR);
        let inner = INNER.map(|host| format!("https://{host}/x"));
        for url in inner.iter().map(String::as_str).chain(UNFIT) {
            let refused = staff.post("/v1/webhooks", &json!({"url": url, "events": ["*"]})).await;
            assert_eq!((refused.status, &refused.json["errors"][0]["pointer"]), (422, &json!("/url")), "{url}: {refused}");
        }
        assert_eq!(staff.get("/v1/webhooks").await.expect(200).json["items"], json!([]));
    }

    async fn a_name_that_only_looks_like_another_is_shown_as_it_is(app: TestApp) {
        let processor = app.organisation("Muster Lernsysteme GmbH", &["processor"]).await;
        // The first letter is a Cyrillic one.
        let body = json!({"url": "https://%D0%B0pple.example/x", "events": ["*"]});
        let registered = app.as_org(&processor, PROCESSOR).post("/v1/webhooks", &body).await.expect(201);
        assert_eq!(registered.json["url"], "https://xn--pple-43d.example/x");
    }
}

#[tokio::test]
async fn no_spelling_of_an_inner_address_is_ever_dialled() {
    let trap = Receiver::start(Script { acts: bare("200 OK"), honest: false });
    let port = trap.url.port().unwrap();
    let strict = OutboundSettings { allow: Vec::new(), ports: vec![port, 443], ..settings(PATIENT) };
    let outbound = Outbound::new(&strict).unwrap();
    for host in INNER.iter().chain(&["localhost", "localhost.", "LOCALHOST"]) {
        let exchange = post(&outbound, &format!("http://{host}:{port}/").parse().unwrap()).await;
        assert_eq!(exchange.outcome, Outcome::Configuration(FailureKind::ForbiddenAddress), "{host}");
    }
    for url in UNFIT.iter().filter(|url| !url.contains('@') && !url.starts_with("http://")) {
        let Ok(url) = url.parse() else { continue };
        let exchange = post(&outbound, &url).await;
        assert_eq!(exchange.outcome, Outcome::Configuration(FailureKind::InvalidRequest), "{url}");
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_name_is_reached_through_the_guard() {
    let receiver = Receiver::start(Script { acts: bare("200 OK"), honest: false });
    let port = receiver.url.port().unwrap();
    let named = format!("http://localhost:{port}/").parse().unwrap();
    let outbound = Outbound::new(&OutboundSettings { ports: vec![port], ..settings(PATIENT) }).unwrap();
    assert_eq!(post(&outbound, &named).await.outcome, Outcome::Delivered);
    let unlisted = post(&super::client::client(PATIENT), &named).await;
    assert_eq!(unlisted.outcome, Outcome::Configuration(FailureKind::InvalidRequest));
}
