//! Reports as mail servers write them, letters that are none, and bytes that are nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

/// A report as Postfix writes it.
const FAILED: &str = "From: MAILER-DAEMON@relay.example.net (Mail Delivery System)\r
To: bounce+token@example.org\r
Subject: Undelivered Mail Returned to Sender\r
Auto-Submitted: auto-replied\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status;\r
\tboundary=\"B/relay.example.net\"\r
\r
This is a MIME-encapsulated message.\r
\r
--B/relay.example.net\r
Content-Type: text/plain; charset=us-ascii\r
\r
Action: delivered\r
--B/relay.example.net\r
Content-Description: Delivery report\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; relay.example.net\r
Original-Envelope-Id: dlv_1.7\r
Arrival-Date: Wed, 18 Nov 2026 10:00:00 +0000 (UTC)\r
\r
Final-Recipient: rfc822; desk@example.com\r
Original-Recipient: rfc822;desk@example.com\r
Action: failed\r
Status: 5.1.1\r
Remote-MTA: dns; mx.example.com\r
Diagnostic-Code: smtp; 550 5.1.1 <desk@example.com>: Recipient address\r
    rejected: User unknown\r
\r
--B/relay.example.net\r
Content-Type: text/rfc822-headers\r
\r
Subject: x\r
\r
--B/relay.example.net--\r
";

fn parse(message: &str) -> Result<BounceReport, NoReport> {
    BounceReport::parse(message.as_bytes())
}

#[test]
fn a_report_of_a_failure_is_read_in_full() {
    let expected = BounceReport {
        action: BounceAction::Failed,
        status: "5.1.1".into(),
        diagnostic: Some("550 5.1.1 <desk@example.com>: Recipient address rejected: User unknown".into()),
        original_envelope_id: Some("dlv_1.7".into()),
        final_recipient: Some("desk@example.com".into()),
    };
    assert_eq!(parse(FAILED), Ok(expected));
}

#[test]
fn every_action_is_told_apart() {
    for (action, status, expected) in [
        ("delivered", "2.0.0", BounceAction::Delivered),
        ("Relayed", "2.0.0 (relayed)", BounceAction::Relayed),
        ("EXPANDED", "2.1.5", BounceAction::Expanded),
        ("delayed (still trying)", "4.4.7", BounceAction::Delayed),
        ("failed", "4.4.7", BounceAction::Failed),
    ] {
        let message = FAILED
            .replace("Action: failed", &format!("Action: {action}"))
            .replace("Status: 5.1.1", &format!("Status: {status}"));
        assert_eq!(parse(&message).unwrap().action, expected);
    }
}

#[test]
fn of_several_recipients_the_one_that_proves_least_counts() {
    let both = FAILED.replace(
        "Final-Recipient: rfc822; desk@",
        "Final-Recipient: rfc822; other@example.com\r\nAction: delivered\r\nStatus: 2.0.0\r\n\r\nFinal-Recipient: rfc822; desk@",
    );
    let report = parse(&both).unwrap();
    assert_eq!((report.action, report.final_recipient.as_deref()), (BounceAction::Failed, Some("desk@example.com")));
}

#[test]
fn a_report_that_lacks_something_or_contradicts_itself_proves_nothing() {
    for (from, to) in [
        ("Action: failed\r\n", ""),
        ("Action: failed", "Action: lost"),
        ("Status: 5.1.1", "Status: 5.1"),
        ("Status: 5.1.1", "Status: 3.0.0"),
        ("Status: 5.1.1", "Status: five"),
        ("Action: failed", "Action: delivered"),
        ("Content-Type: message/delivery-status", "Content-Type: text/plain"),
        ("Final-Recipient: rfc822; desk@example.com\r\nOriginal", "\r\nX: y\r\n\r\nOriginal"),
    ] {
        assert_eq!(parse(&FAILED.replace(from, to)), Err(NoReport::Malformed), "{from} -> {to}");
    }
}

#[test]
fn what_is_no_report_on_delivery_says_what_it_is() {
    let letter = "From: a@example.com\r\nSubject: Re: notice\r\n\r\nAction: delivered\r\nStatus: 2.0.0\r\n";
    assert_eq!(parse(letter), Err(NoReport::Letter));
    let absent = format!("Auto-Submitted: auto-replied\r\n{letter}");
    assert_eq!(parse(&absent), Err(NoReport::AutomaticReply));
    assert_eq!(parse(&format!("Auto-Submitted: auto-generated\r\n{letter}")), Err(NoReport::Letter));
    assert_eq!(parse(&format!("Auto-Submitted: no\r\n{letter}")), Err(NoReport::Letter));
    let displayed = FAILED.replace("report-type=delivery-status", "report-type=disposition-notification");
    assert_eq!(parse(&displayed), Err(NoReport::OtherReport));
    assert_eq!(parse(""), Err(NoReport::Unreadable));
    assert_eq!(BounceReport::parse(&vec![b'a'; SIZE_LIMIT + 1]), Err(NoReport::TooLarge));
}

#[test]
fn a_long_diagnostic_is_cut() {
    let long = FAILED.replace("User unknown", &"ü".repeat(4000));
    let diagnostic = parse(&long).unwrap().diagnostic.unwrap();
    assert!(diagnostic.len() <= TEXT_LIMIT && diagnostic.len() > TEXT_LIMIT - 4, "{}", diagnostic.len());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_none_of_them_is_a_report(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(BounceReport::parse(&bytes).is_err());
    }

    #[test]
    fn a_report_with_bytes_changed_is_read_or_refused(changes in prop::collection::vec((0..FAILED.len(), any::<u8>()), 1..40)) {
        let mut bytes = FAILED.as_bytes().to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        // A changed byte may make another status, but never a proof of delivery out of a failure.
        prop_assert!(BounceReport::parse(&bytes).map_or(true, |report| report.action != BounceAction::Delivered));
    }

    #[test]
    fn deep_nesting_ends(depth in 1usize..400) {
        let nested = "Content-Type: multipart/report; report-type=delivery-status; boundary=bLEVEL\r\n\r\n--bLEVEL\r\n";
        let mut message = String::new();
        for level in 0..depth {
            message += &nested.replace("LEVEL", &level.to_string());
        }
        prop_assert!(parse(&message).is_err());
    }
}
