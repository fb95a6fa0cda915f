//! The client of the mail relay against an independent server that takes, refuses, breaks off and misbehaves.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../support/pki.rs"]
mod pki;
#[path = "../support/smtp.rs"]
mod support;

mod letters;
mod trust;

use std::time::Duration;

use art33::crypto::sha256_hex;
use art33::domain::delivery_outcome::{FailureKind, Outcome};
use art33::outbound::{Mail, MailExchange, Relay, RelayCredentials, RelayError, RelaySettings, RelayTls};
use serde_json::{Value, json};

use support::SmtpServer;

const PATIENT: Duration = Duration::from_secs(30);
const HASTY: Duration = Duration::from_secs(3);
const MESSAGE: &str =
    "From: notices@example.org\r\nSubject: =?utf-8?Q?=C3=9C?=\r\n\r\n.\r\n..dots\r\n \r\ntext\r\n\r\n";

fn settings(server: &SmtpServer, tls: RelayTls) -> RelaySettings {
    RelaySettings {
        host: "127.0.0.1".into(),
        port: server.port,
        tls,
        credentials: None,
        hello_name: "art33.example.org".into(),
        connect_timeout: PATIENT,
        total_timeout: PATIENT,
        reply_timeout: Duration::ZERO,
        extra_ca: None,
        areas: Vec::new(),
    }
}

fn mail_to(local: &str) -> Mail {
    Mail {
        return_path: "bounce+01k-1-ff@bounces.example.org".into(),
        recipient: format!("{local}@example.com"),
        envelope_id: "dlv_1+1".into(),
        message: MESSAGE.into(),
    }
}

async fn send(server: &SmtpServer, mail: &Mail) -> MailExchange {
    Relay::new(settings(server, RelayTls::None)).unwrap().send(mail).await
}

async fn send_hastily(server: &SmtpServer, mail: &Mail) -> MailExchange {
    let settings = RelaySettings { total_timeout: HASTY, ..settings(server, RelayTls::None) };
    Relay::new(settings).unwrap().send(mail).await
}

fn credentials() -> RelayCredentials {
    RelayCredentials { user: "art33".into(), password: "open sesame".into() }
}

#[tokio::test]
async fn a_message_arrives_byte_for_byte_and_asks_for_reports() {
    let server = SmtpServer::start(&json!({}));
    let exchange = send(&server, &mail_to("desk")).await;
    assert_eq!(exchange.outcome, Outcome::Accepted, "{}", exchange.dialogue);
    assert_eq!((exchange.reply_code, exchange.enhanced_code.as_deref()), (Some(250), Some("2.0.0")));
    assert_eq!(exchange.queue_reply.as_deref(), Some("Ok: queued as 4C1F0A"));
    assert_eq!((exchange.peer, exchange.tls), (Some(format!("127.0.0.1:{}", server.port)), None));
    assert!(exchange.dsn_requested && !exchange.may_have_been_sent);
    let seen = server.event("message");
    assert_eq!(SmtpServer::bytes(&seen), MESSAGE.as_bytes());
    assert_eq!(seen["mail"], "FROM:<bounce+01k-1-ff@bounces.example.org> RET=HDRS ENVID=dlv_1+2B1");
    assert_eq!(seen["rcpt"], "TO:<desk@example.com> NOTIFY=SUCCESS,DELAY,FAILURE ORCPT=rfc822;desk@example.com");
    assert_eq!((&seen["recipients"], &seen["hello"]), (&json!(["desk@example.com"]), &json!("art33.example.org")));
    server.event("quit");
}

#[tokio::test]
async fn the_dialogue_is_evidence_without_the_message() {
    let server = SmtpServer::start(&json!({}));
    let dialogue = send(&server, &mail_to("desk")).await.dialogue;
    let noted = format!("C: [message of {} bytes, sha256 {}]\n", MESSAGE.len(), sha256_hex(MESSAGE.as_bytes()));
    let expected =
        ["S: 220 relay.test", "C: EHLO art33.example.org\n", "S: 250-DSN\n", "C: RCPT TO:<desk@example.com> ", &noted];
    for line in expected.into_iter().chain(["S: 250 2.0.0 Ok: queued as 4C1F0A\n", "C: QUIT\nS: 221 Bye\n"]) {
        assert!(dialogue.contains(line), "{line} is not in\n{dialogue}");
    }
    assert!(!dialogue.contains("dots"), "{dialogue}");
}

#[tokio::test]
async fn reports_are_asked_for_only_where_they_are_offered() {
    let server = SmtpServer::start(&json!({"dsn": false}));
    let exchange = send(&server, &mail_to("desk")).await;
    assert_eq!((exchange.outcome, exchange.dsn_requested), (Outcome::Accepted, false), "{}", exchange.dialogue);
    let seen = server.event("message");
    assert_eq!(seen["mail"], "FROM:<bounce+01k-1-ff@bounces.example.org>");
    assert_eq!(seen["rcpt"], "TO:<desk@example.com>");
}

#[tokio::test]
async fn every_recipient_has_a_transaction_of_its_own() {
    let server = SmtpServer::start(&json!({}));
    let relay = Relay::new(settings(&server, RelayTls::None)).unwrap();
    for local in ["first", "second"] {
        assert_eq!(relay.send(&mail_to(local)).await.outcome, Outcome::Accepted);
    }
    for local in ["first", "second"] {
        assert_eq!(server.event("message")["recipients"], json!([format!("{local}@example.com")]));
    }
}

#[tokio::test]
async fn a_refusal_has_its_class_and_its_codes() {
    let deferred = Outcome::Transient(FailureKind::MailDeferred);
    let refused = Outcome::Configuration(FailureKind::MailRefused);
    let server = SmtpServer::start(&json!({}));
    for (local, outcome, code, enhanced) in [
        ("greylist", deferred, 451, "4.7.1"),
        ("busy", deferred, 421, "4.3.2"),
        ("later", deferred, 452, "4.3.1"),
        ("unknown", refused, 550, "5.1.1"),
        ("full", refused, 552, "5.3.4"),
    ] {
        let exchange = send(&server, &mail_to(local)).await;
        assert_eq!(exchange.outcome, outcome, "{local}: {}", exchange.dialogue);
        assert_eq!((exchange.reply_code, exchange.enhanced_code.as_deref()), (Some(code), Some(enhanced)), "{local}");
        assert!(exchange.dialogue.contains(&format!("S: {code} {enhanced}")), "{local}: {}", exchange.dialogue);
        assert_eq!((exchange.queue_reply, exchange.may_have_been_sent), (None, false), "{local}");
    }
    assert_eq!(send(&server, &mail_to("greylist")).await.outcome, Outcome::Accepted, "the second time");
}

#[tokio::test]
async fn a_greeting_that_is_none_ends_it() {
    for (greeting, outcome, code) in [
        ("421 4.3.2 Too busy", Outcome::Transient(FailureKind::MailDeferred), Some(421)),
        ("554 5.7.1 Go away", Outcome::Transient(FailureKind::RelayRefused), Some(554)),
        ("SSH-2.0-OpenSSH_9.2", Outcome::Transient(FailureKind::InvalidAnswer), None),
    ] {
        let server = SmtpServer::start(&json!({"greeting": greeting}));
        let exchange = send(&server, &mail_to("desk")).await;
        assert_eq!((exchange.outcome, exchange.reply_code), (outcome, code), "{}", exchange.dialogue);
        assert!(exchange.dialogue.contains(greeting), "{}", exchange.dialogue);
    }
}

#[tokio::test]
async fn a_refusal_before_the_mailbox_is_named_is_about_us() {
    for command in ["EHLO", "MAIL", "DATA"] {
        let server = SmtpServer::start(&json!({"refuse": command}));
        let exchange = send(&server, &mail_to("desk")).await;
        assert_eq!(exchange.outcome, Outcome::Transient(FailureKind::RelayRefused), "{command}: {}", exchange.dialogue);
        assert_eq!((exchange.reply_code, exchange.may_have_been_sent), (Some(554), false), "{command}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_may_be_tried_again() {
    let reset = Outcome::Transient(FailureKind::Reset);
    let server = SmtpServer::start(&json!({}));
    let before = send(&server, &mail_to("closed")).await;
    assert_eq!((before.outcome, before.may_have_been_sent), (reset, false), "{}", before.dialogue);
    let after = send(&server, &mail_to("dropped")).await;
    assert_eq!((after.outcome, after.may_have_been_sent), (reset, true), "{}", after.dialogue);
    assert!(after.dialogue.contains("C: [message of "), "{}", after.dialogue);
    assert_eq!(SmtpServer::bytes(&server.event("message")), MESSAGE.as_bytes());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left() {
    let timeout = Outcome::Transient(FailureKind::Timeout);
    let (server, silent) = (SmtpServer::start(&json!({})), SmtpServer::start(&json!({"greeting": "hang"})));
    let (hang, slow, desk) = (mail_to("hang"), mail_to("slow"), mail_to("desk"));
    let (at_message, at_recipient, at_greeting) =
        tokio::join!(send_hastily(&server, &hang), send_hastily(&server, &slow), send_hastily(&silent, &desk));
    for (exchange, may_have_been_sent) in [(at_message, true), (at_recipient, false)] {
        assert_eq!(
            (exchange.outcome, exchange.may_have_been_sent),
            (timeout, may_have_been_sent),
            "{}",
            exchange.dialogue
        );
        assert!(exchange.dialogue.contains("C: RCPT TO:"), "{}", exchange.dialogue);
    }
    assert_eq!((at_greeting.outcome, at_greeting.dialogue.as_str()), (timeout, ""));
    assert!(at_greeting.peer.is_some());
}

#[tokio::test]
async fn the_reply_to_a_whole_message_is_waited_for_longer() {
    let server = SmtpServer::start(&json!({"reply_delay": 4}));
    let exchange = send_hastily(&server, &mail_to("desk")).await;
    let lost = (Outcome::Transient(FailureKind::Timeout), true);
    assert_eq!((exchange.outcome, exchange.may_have_been_sent), lost, "{}", exchange.dialogue);
    let settings = RelaySettings { total_timeout: HASTY, reply_timeout: PATIENT, ..settings(&server, RelayTls::None) };
    let exchange = Relay::new(settings).unwrap().send(&mail_to("desk")).await;
    assert_eq!((exchange.outcome, exchange.may_have_been_sent), (Outcome::Accepted, false), "{}", exchange.dialogue);
    assert!(exchange.duration > HASTY);
}

#[tokio::test]
async fn an_answer_without_end_or_sense_is_cut_off() {
    let server = SmtpServer::start(&json!({}));
    for local in ["flood", "line", "garbage"] {
        let exchange = send(&server, &mail_to(local)).await;
        assert_eq!(exchange.outcome, Outcome::Transient(FailureKind::InvalidAnswer), "{local}: {}", exchange.dialogue);
        assert!(exchange.dialogue.len() <= 8 * 1024, "{local}: {}", exchange.dialogue.len());
    }
}

#[tokio::test]
async fn nobody_there_is_no_connection() {
    let server = SmtpServer::start(&json!({}));
    let settings = settings(&server, RelayTls::None);
    drop(server);
    let exchange = Relay::new(settings.clone()).unwrap().send(&mail_to("desk")).await;
    assert_eq!((exchange.outcome, exchange.peer), (Outcome::Transient(FailureKind::Connect), None));
    let nowhere = RelaySettings { host: "relay.invalid".into(), tls: RelayTls::Implicit, ..settings };
    let exchange = Relay::new(nowhere).unwrap().send(&mail_to("desk")).await;
    assert_eq!(exchange.outcome.kind(), Some(FailureKind::Dns));
}

#[tokio::test]
async fn what_cannot_be_said_is_not_even_tried() {
    let server = SmtpServer::start(&json!({}));
    let evil = Mail { recipient: "a@example.com>\r\nRCPT TO:<b@example.com".into(), ..mail_to("desk") };
    let exchange = send(&server, &evil).await;
    assert_eq!(exchange.outcome, Outcome::Configuration(FailureKind::InvalidRequest));
    assert_eq!((exchange.dialogue.as_str(), exchange.peer), ("", None));
    assert_eq!(server.events_so_far(), [Value::Null; 0]);
}
