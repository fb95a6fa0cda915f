//! Letters as others read them, their signatures as others check them, and the reports that others send about them.
//! Reports are made by Python's `email`, signatures are checked by dkimpy.

use art33::crypto::ReturnPath;
use art33::domain::bounce::{BounceAction, BounceReport, NoReport};
use art33::domain::id::DeliveryId;
use art33::outbound::{Dkim, DkimSettings, Letter, Mailbox};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::macros::datetime;

use super::pki::dkim_key;
use super::*;

fn letter() -> Letter {
    Letter {
        from: Mailbox { name: "Müller Lernsysteme".into(), address: "notices@example.org".into() },
        to: "desk@example.com".into(),
        reply_to: Some("dpo@example.org".into()),
        subject: "Meldung einer Verletzung des Schutzes personenbezogener Daten – bitte bestätigen".into(),
        message_id: "n.1.2@example.org".into(),
        in_reply_to: None,
        references: vec!["n.1.0@example.org".into(), "n.1.1@example.org".into()],
        date: datetime!(2026-11-18 10:00:00 UTC),
        text: format!("Guten Tag,\n\n.\n  zwei  Leerzeichen \n{}\n", "Wörter und mehr ".repeat(20)),
        language: "de".into(),
    }
}

/// A signer and the DNS record of its key.
fn signer() -> (Dkim, String) {
    let (private_key_pem, record) = dkim_key();
    let settings = DkimSettings { domain: "example.org".into(), selector: "mail".into(), private_key_pem };
    (Dkim::new(&settings).unwrap(), record)
}

#[tokio::test]
async fn a_letter_goes_out_as_it_was_composed_and_signed() {
    let server = SmtpServer::start(&json!({}));
    let (dkim, record) = signer();
    let message = dkim.sign(&letter().compose().unwrap(), letter().date);
    let exchange = send(&server, &Mail { message: message.clone(), ..mail_to("desk") }).await;
    assert_eq!(exchange.outcome, Outcome::Accepted, "{}", exchange.dialogue);
    let arrived = SmtpServer::bytes(&server.event("message"));
    assert_eq!(arrived, message);
    assert!(is_valid(&server, &arrived, &record));
}

#[tokio::test]
async fn a_signature_holds_for_what_was_signed_and_for_nothing_else() {
    let server = SmtpServer::start(&json!({}));
    let (dkim, record) = signer();
    let signed = String::from_utf8(dkim.sign(&letter().compose().unwrap(), letter().date)).unwrap();
    assert!(is_valid(&server, signed.as_bytes(), &record), "{signed}");
    // What relaxed signatures let servers do on the way.
    let refolded = signed.replace("To: <desk@example.com>", "to:  <desk@example.com> ") + "\r\n\r\n";
    assert!(refolded.contains("to:  <desk@") && is_valid(&server, refolded.as_bytes(), &record), "{refolded}");
    for (from, to) in [
        ("desk@example.com", "desk@example.net"),
        ("Guten", "Guter"),
        ("Content-Language: de", "Content-Language: en"),
        ("To: <desk", "Subject: another\r\nTo: <desk"),
        ("To: <desk", "Cc: x@example.com\r\nReply-To: x@example.net\r\nTo: <desk"),
    ] {
        let changed = signed.replace(from, to);
        assert_ne!(changed, signed, "{from}");
        assert!(!is_valid(&server, changed.as_bytes(), &record), "{from} -> {to}");
    }
    assert!(!is_valid(&server, signed.as_bytes(), &signer().1), "another key");
}

fn is_valid(server: &SmtpServer, message: &[u8], record: &str) -> bool {
    let request = json!({"op": "verify_dkim", "message": STANDARD.encode(message), "record": record});
    server.ask(&request, "verified")["valid"].as_bool().unwrap()
}

#[test]
fn reports_of_another_library_are_read() {
    let server = SmtpServer::start(&json!({}));
    let paths = ReturnPath::new(&[3; 32], "bounces.example.org");
    let delivery = DeliveryId::from_bytes([9; 16]);
    for (action, status, expected) in [
        ("delivered", "2.1.5", BounceAction::Delivered),
        ("relayed", "2.1.9", BounceAction::Relayed),
        ("expanded", "2.1.5", BounceAction::Expanded),
        ("delayed", "4.4.1", BounceAction::Delayed),
        ("failed", "5.1.1", BounceAction::Failed),
    ] {
        let request = json!({
            "op": "report", "action": action, "status": status, "return_path": paths.address(&delivery, 2),
            "envelope_id": "dlv_1.2", "recipient": "desk@example.com", "diagnostic": "550 5.1.1 unknown",
        });
        let report = BounceReport::parse(&SmtpServer::bytes(&server.ask(&request, "report"))).unwrap();
        assert_eq!((report.action, report.status.as_str()), (expected, status));
        assert_eq!(report.diagnostic.as_deref(), Some("550 5.1.1 unknown"));
        assert_eq!(report.original_envelope_id.as_deref(), Some("dlv_1.2"));
        assert_eq!(report.final_recipient.as_deref(), Some("desk@example.com"));
    }
}

#[test]
fn a_report_to_a_return_path_that_was_made_up_is_told_by_the_path() {
    let genuine = ReturnPath::new(&[3; 32], "bounces.example.org");
    let forged = ReturnPath::new(&[4; 32], "bounces.example.org");
    let delivery = DeliveryId::from_bytes([9; 16]);
    assert_eq!(genuine.open(&genuine.address(&delivery, 2)), Some((delivery.clone(), 2)));
    assert_eq!(genuine.open(&forged.address(&delivery, 2)), None);
}

#[test]
fn letters_of_another_library_are_no_reports() {
    let server = SmtpServer::start(&json!({}));
    for (automatic, reason) in [(true, NoReport::AutomaticReply), (false, NoReport::Letter)] {
        let request = json!({"op": "letter", "return_path": "bounce+1@example.org", "automatic": automatic});
        let letter = SmtpServer::bytes(&server.ask(&request, "letter"));
        assert_eq!(BounceReport::parse(&letter), Err(reason));
    }
}
