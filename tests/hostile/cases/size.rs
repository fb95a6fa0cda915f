//! Receivers that answer with too much, with too little, or with something else than HTTP.

use std::io::Write as _;

use art33::domain::delivery_outcome::FailureKind::{InvalidAnswer, Reset};
use art33::domain::delivery_outcome::Outcome::Delivered;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::receiver::Act;
use super::{Case, answer, raw, transient};

const KILOBYTE: usize = 1024;
const MEGABYTE: usize = KILOBYTE * KILOBYTE;

/// Sends this, and then these bytes so many times.
fn flood(begin: &str, bytes: impl Into<Vec<u8>>, times: usize) -> Vec<Act> {
    vec![Act::Read, Act::Write(begin.as_bytes().to_vec()), Act::Repeat(bytes.into(), times)]
}

pub(super) fn cases() -> Vec<Case> {
    [bodies(), heads(), lies(), garbage()].into_iter().flatten().collect()
}

fn bodies() -> Vec<Case> {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let gigabyte = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1000 * MEGABYTE);
    let one_chunk = format!("{chunked}3fffffff\r\n");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(KILOBYTE));
    let bomb = bomb();
    vec![
        Case::new("a gigabyte", flood(&gigabyte, "x".repeat(KILOBYTE), 1000 * KILOBYTE), Delivered, 200),
        Case::new("a chunk of a gigabyte", flood(&one_chunk, "x".repeat(KILOBYTE), MEGABYTE), Delivered, 200),
        Case::new("chunks without end", flood(chunked, chunk, usize::MAX), Delivered, 200),
        Case::new(
            "a body without end",
            flood("HTTP/1.1 200 OK\r\n\r\n", vec![0; KILOBYTE], usize::MAX),
            Delivered,
            200,
        ),
        Case::new(
            "fifty kilobytes of gzip that hold fifty megabytes",
            answer(&format!("200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}", bomb.len()), bomb),
            Delivered,
            200,
        ),
        Case::new(
            "an extension of a chunk without end",
            flood(&format!("{chunked}1;"), "x".repeat(KILOBYTE), 100 * KILOBYTE),
            transient(InvalidAnswer),
            200,
        ),
        Case::new(
            "trailers without end",
            flood(&format!("{chunked}1\r\nx\r\n0\r\n"), "X-Flood: x\r\n".repeat(64), MEGABYTE),
            transient(InvalidAnswer),
            200,
        ),
        Case::new("no UTF-8 in the body", answer("200 OK\r\nContent-Length: 4", b"\xff\xfe\0\x80"), Delivered, 200),
        Case::new("a body after 204", answer("204 No Content\r\nContent-Length: 5", "hello"), Delivered, 204),
    ]
}

/// Fifty megabytes of nothing, compressed.
pub(crate) fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..50 {
        encoder.write_all(&vec![0; MEGABYTE]).unwrap();
    }
    encoder.finish().unwrap()
}

fn heads() -> Vec<Case> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let headers = (0..10_000).map(|n| format!("X-Flood-{n}: x\r\n")).collect::<Vec<_>>().concat();
    let forty = (0..40).map(|n| format!("X-{n}: {}\r\n", "x".repeat(1000))).collect::<Vec<_>>().concat();
    let invalid = |name, acts| Case::new(name, acts, transient(InvalidAnswer), None);
    vec![
        invalid("a header of a hundred megabytes", flood(&format!("{ok}X: "), "x".repeat(KILOBYTE), 100 * KILOBYTE)),
        invalid("ten thousand headers", raw(format!("{ok}{headers}\r\n"))),
        invalid("headers without end", flood(ok, "X-Flood: x\r\n".repeat(64), usize::MAX)),
        invalid("forty kilobytes of headers", raw(format!("{ok}{forty}Content-Length: 0\r\n\r\n"))),
        invalid("a status line without end", flood("HTTP/1.1 200 ", "x".repeat(KILOBYTE), usize::MAX)),
        invalid("empty lines without end", flood("", "\r\n".repeat(512), usize::MAX)),
        invalid("a NUL in a header", raw(format!("{ok}X: \0\r\nContent-Length: 0\r\n\r\n"))),
        Case::new(
            "no UTF-8 in a header",
            raw([ok.as_bytes(), b"X: \xff\xfe\r\nRetry-After: \xff\r\nContent-Length: 0\r\n\r\n"].concat()),
            Delivered,
            200,
        ),
    ]
}

fn lies() -> Vec<Case> {
    let lie = |name, head: &str, body| Case::new(name, answer(head, body), transient(InvalidAnswer), None);
    vec![
        Case::new("more than its length", answer("200 OK\r\nContent-Length: 2", "okHTTP/1.1 500"), Delivered, 200),
        Case::new("less than its length", answer("200 OK\r\nContent-Length: 100", "short"), transient(Reset), 200),
        Case::new(
            "chunks that break off",
            answer("200 OK\r\nTransfer-Encoding: chunked", "5\r\nab"),
            transient(Reset),
            200,
        ),
        lie("two lengths", "200 OK\r\nContent-Length: 2\r\nContent-Length: 3", "ok"),
        lie("a length below nothing", "200 OK\r\nContent-Length: -1", ""),
        lie("a length beyond all numbers", "200 OK\r\nContent-Length: 99999999999999999999", ""),
        Case::new(
            "chunks that are none",
            answer("200 OK\r\nTransfer-Encoding: chunked", "no chunk\r\n"),
            transient(InvalidAnswer),
            200,
        ),
        Case::new(
            "a chunk beyond all numbers",
            answer("200 OK\r\nTransfer-Encoding: chunked", "fffffffffffffffff\r\n"),
            transient(InvalidAnswer),
            200,
        ),
    ]
}

/// The frames with which a server of HTTP/2 begins, and some that it hurts with.
fn frames(more: &[u8]) -> Vec<u8> {
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    [SETTINGS, more].concat()
}

fn garbage() -> Vec<Case> {
    let reset = frames(b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08");
    let goaway = frames(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b");
    let invalid = |name, acts| Case::new(name, acts, transient(InvalidAnswer), None);
    vec![
        invalid("HTTP/0.9", raw("<html>hello</html>\r\n\r\n")),
        invalid("a version that is none", raw("HTTP/9.9 200 OK\r\n\r\n")),
        invalid("another protocol", raw("220 mail.example ESMTP\r\n250 OK\r\n")),
        invalid("noise", raw((0..=255_u8).collect::<Vec<_>>())),
        invalid("HTTP/2 that resets", raw(reset)),
        invalid("HTTP/2 that goes away", raw(goaway)),
        invalid("settings of HTTP/2 without end", flood("", frames(&[]).repeat(100), usize::MAX)),
    ]
}
