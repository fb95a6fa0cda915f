//! Receivers that take their time.

use std::time::Duration;

use art33::domain::delivery_outcome::FailureKind::{BodyTooSlow, Reset, Timeout};
use art33::domain::delivery_outcome::Outcome::Delivered;

use super::super::receiver::Act;
use super::{Case, answer, bare, raw, transient};

/// Between two bytes: short enough that something always comes, long enough that it never ends in time.
const DROP: Duration = Duration::from_millis(100);
/// Longer than any client here waits.
const EVER: Duration = Duration::from_mins(10);

fn then(mut acts: Vec<Act>, more: Act) -> Vec<Act> {
    acts.push(more);
    acts
}

pub(super) fn cases() -> Vec<Case> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let drip = |bytes: String| Act::Drip(bytes.into_bytes(), DROP);
    let header_drip = drip(format!("{ok}X-Slow: {}", "x".repeat(2000)));
    let chunks = "1\r\nx\r\n".repeat(1000);
    let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(64).into_bytes();
    let late = |pause| vec![Act::Read, Act::Pause(pause), Act::Write(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())];
    vec![
        Case::new("takes the connection, and nothing more", vec![Act::Hold], transient(Timeout), None).endless(),
        Case::new("takes the request in silence", vec![Act::Read, Act::Hold], transient(Timeout), None).endless(),
        Case::new("hangs up at once", vec![], transient(Reset), None),
        Case::new("hangs up in the status line", raw("HTTP/1.1 200 O"), transient(Reset), None),
        Case::new("hangs up in the headers", raw(format!("{ok}X: ")), transient(Reset), None),
        Case::new("headers drop by drop", vec![Act::Read, header_drip], transient(Timeout), None).endless(),
        Case::new("a status line and nothing more", then(raw(ok), Act::Hold), transient(Timeout), None).endless(),
        Case::new(
            "a body drop by drop",
            then(answer("200 OK\r\nContent-Length: 2000", ""), drip("x".repeat(2000))),
            transient(BodyTooSlow),
            200,
        )
        .endless(),
        Case::new(
            "chunks drop by drop",
            then(answer("202 Accepted\r\nTransfer-Encoding: chunked", ""), drip(chunks)),
            transient(BodyTooSlow),
            202,
        )
        .endless(),
        Case::new(
            "a body that stops",
            then(answer("200 OK\r\nContent-Length: 100", "begun"), Act::Hold),
            transient(BodyTooSlow),
            200,
        )
        .endless(),
        Case::new(
            "a body without length that never ends",
            then(answer("200 OK", "begun"), Act::Hold),
            transient(BodyTooSlow),
            200,
        )
        .endless(),
        Case::new("never hangs up", then(bare("200 OK"), Act::Hold), Delivered, 200),
        Case::new("answers late, but in time", late(Duration::from_millis(500)), Delivered, 204),
        Case::new("answers too late", late(EVER), transient(Timeout), None).endless(),
        Case::new(
            "interim answers without end",
            vec![Act::Read, Act::Repeat(interim, usize::MAX)],
            transient(Timeout),
            None,
        )
        .endless(),
        Case::new(
            "one interim answer, then a good one",
            raw(format!("HTTP/1.1 103 Hints\r\n\r\n{ok}\r\n")),
            Delivered,
            200,
        ),
    ]
}
