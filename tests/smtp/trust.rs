//! Encryption and authentication: nothing is sent to a relay that cannot prove who it is, and no password is written down.
//! Certificates are made for each test.

use super::pki::Pki;
use super::*;

impl Pki {
    fn server(&self, options: Value) -> SmtpServer {
        SmtpServer::start(&self.serving(options))
    }

    fn trusted(&self, server: &SmtpServer, tls: RelayTls) -> RelaySettings {
        RelaySettings { extra_ca: Some(self.authority.clone()), ..settings(server, tls) }
    }
}

async fn hand_over(settings: RelaySettings) -> MailExchange {
    Relay::new(settings).unwrap().send(&mail_to("desk")).await
}

#[tokio::test]
async fn both_ways_to_encrypt_work_with_a_trusted_certificate() {
    let pki = Pki::vouching_for("127.0.0.1");
    for (word, tls) in [("implicit", RelayTls::Implicit), ("starttls", RelayTls::StartTls)] {
        let server = pki.server(json!({"tls": word}));
        let exchange = hand_over(pki.trusted(&server, tls)).await;
        assert_eq!(exchange.outcome, Outcome::Accepted, "{}", exchange.dialogue);
        assert!(exchange.tls.unwrap().starts_with("TLSv1_3 TLS13_"), "{word}");
        assert_eq!(exchange.dialogue.contains("C: STARTTLS\nS: 220 "), word == "starttls", "{}", exchange.dialogue);
        let seen = server.event("message");
        assert_eq!((&seen["encrypted"], SmtpServer::bytes(&seen)), (&json!(true), MESSAGE.as_bytes().to_vec()));
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusted_vouches_for_is_refused() {
    let (pki, other) = (Pki::vouching_for("127.0.0.1"), Pki::vouching_for("127.0.0.1"));
    for (word, tls) in [("implicit", RelayTls::Implicit), ("starttls", RelayTls::StartTls)] {
        let server = pki.server(json!({"tls": word}));
        let exchange = hand_over(other.trusted(&server, tls)).await;
        assert_eq!(exchange.outcome, Outcome::Configuration(FailureKind::Tls), "{}", exchange.dialogue);
        assert!(exchange.dialogue.contains("[TLS: ") && !exchange.dialogue.contains("MAIL"), "{}", exchange.dialogue);
        assert!(server.events_so_far().iter().all(|event| event["event"] == "connected"));
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let pki = Pki::vouching_for("relay.example.org");
    let server = pki.server(json!({"tls": "implicit"}));
    let exchange = hand_over(pki.trusted(&server, RelayTls::Implicit)).await;
    assert_eq!(exchange.outcome, Outcome::Configuration(FailureKind::Tls), "{}", exchange.dialogue);
}

#[tokio::test]
async fn a_relay_by_name_is_found_and_checked_by_name() {
    let pki = Pki::vouching_for("localhost");
    let server = pki.server(json!({"tls": "implicit"}));
    let by_name = RelaySettings { host: "localhost".into(), ..pki.trusted(&server, RelayTls::Implicit) };
    let exchange = hand_over(by_name).await;
    assert_eq!(exchange.outcome, Outcome::Accepted, "{}", exchange.dialogue);
}

#[tokio::test]
async fn where_encryption_is_not_offered_nothing_is_sent() {
    let pki = Pki::vouching_for("127.0.0.1");
    let server = SmtpServer::start(&json!({}));
    let exchange = hand_over(pki.trusted(&server, RelayTls::StartTls)).await;
    assert_eq!(exchange.outcome, Outcome::Configuration(FailureKind::Tls), "{}", exchange.dialogue);
    assert!(!exchange.dialogue.contains("MAIL"), "{}", exchange.dialogue);
    // What speaks no TLS at all gives no certificate either.
    let exchange = hand_over(pki.trusted(&server, RelayTls::Implicit)).await;
    assert_eq!((exchange.outcome, exchange.tls), (Outcome::Configuration(FailureKind::Tls), None));
}

#[tokio::test]
async fn authorities_that_are_none_are_a_fault_of_the_settings() {
    let server = SmtpServer::start(&json!({}));
    let no_certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
    let settings = RelaySettings { extra_ca: Some(no_certificate), ..settings(&server, RelayTls::Implicit) };
    assert!(matches!(Relay::new(settings), Err(RelayError::Trust(_))));
}

#[tokio::test]
async fn a_password_opens_the_relay_and_is_never_written_down() {
    let pki = Pki::vouching_for("127.0.0.1");
    let auth = json!({"user": "art33", "password": "open sesame"});
    for (word, tls) in [("implicit", RelayTls::Implicit), ("starttls", RelayTls::StartTls)] {
        for mechanism in ["PLAIN", "LOGIN"] {
            let server = pki.server(json!({"tls": word, "auth": auth, "mechanism": mechanism}));
            let known = RelaySettings { credentials: Some(credentials()), ..pki.trusted(&server, tls) };
            let exchange = hand_over(known).await;
            assert_eq!(exchange.outcome, Outcome::Accepted, "{word} {mechanism}: {}", exchange.dialogue);
            assert_eq!(server.event("message")["user"], "art33");
            assert!(exchange.dialogue.contains(&format!("C: AUTH {mechanism}")), "{}", exchange.dialogue);
            assert_no_secret(&exchange.dialogue);
        }
    }
}

#[tokio::test]
async fn a_relay_that_repeats_the_password_does_not_bring_it_into_the_evidence() {
    let auth = json!({"user": "art33", "password": "open sesame"});
    let server = SmtpServer::start(&json!({"auth": auth}));
    let known = RelaySettings { credentials: Some(credentials()), ..settings(&server, RelayTls::None) };
    let exchange = Relay::new(known).unwrap().send(&mail_to("echo")).await;
    assert_eq!(exchange.outcome, Outcome::Configuration(FailureKind::MailRefused), "{}", exchange.dialogue);
    assert!(exchange.dialogue.contains("S: 550 5.7.1 not for ***"), "{}", exchange.dialogue);
    assert_no_secret(&exchange.dialogue);
}

#[tokio::test]
async fn a_relay_that_does_not_know_us_is_a_matter_for_the_operator() {
    let refused = Outcome::Configuration(FailureKind::MailAuthentication);
    let server = SmtpServer::start(&json!({"auth": {"user": "art33", "password": "another"}}));
    let known = RelaySettings { credentials: Some(credentials()), ..settings(&server, RelayTls::None) };
    let exchange = hand_over(known).await;
    assert_eq!((exchange.outcome, exchange.reply_code), (refused, Some(535)), "{}", exchange.dialogue);
    assert_no_secret(&exchange.dialogue);
    let unknown = hand_over(settings(&server, RelayTls::None)).await;
    assert_eq!((unknown.outcome, unknown.reply_code), (refused, Some(530)), "{}", unknown.dialogue);
    let open = SmtpServer::start(&json!({"mechanism": "NONE"}));
    let known = RelaySettings { credentials: Some(credentials()), ..settings(&open, RelayTls::None) };
    let exchange = hand_over(known).await;
    assert_eq!((exchange.outcome, exchange.reply_code), (refused, None), "{}", exchange.dialogue);
}

fn assert_no_secret(dialogue: &str) {
    // The password, itself in base64, and both parts together in base64.
    for secret in ["open sesame", "b3BlbiBzZXNhbWU", "AGFydDMzAG9wZW4gc2VzYW1l"] {
        assert!(!dialogue.contains(secret), "{dialogue}");
    }
}
