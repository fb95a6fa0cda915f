//! Receivers with every status, good and bad.

use art33::domain::delivery_outcome::FailureKind::{InvalidAnswer, Redirect, Reset, Status4xx, Status5xx, Throttled};
use art33::domain::delivery_outcome::Outcome::{Accepted, Delivered, Gone};

use super::{Case, answer, bare, configuration, raw, transient};

/// Values of `Retry-After`, and whether they are a wish that can be granted.
pub(crate) const WISHES: [(&str, Wish); 9] = [
    ("0", Wish::None),
    ("1", Wish::None),
    ("86400", Wish::TooLong),
    ("-5", Wish::None),
    ("Sun, 06 Nov 1994 08:49:37 GMT", Wish::None),
    ("Thu, 01 Jan 2099 00:00:00 GMT", Wish::TooLong),
    ("NaN", Wish::None),
    ("1e309", Wish::None),
    ("", Wish::None),
];

/// What a receiver may wish for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing that would delay the next attempt.
    None,
    /// More than is granted.
    TooLong,
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = redirects();
    for status in [200, 201, 203, 205, 206, 208, 226, 299] {
        cases.push(Case::new(format!("status {status}"), bare(&format!("{status} Fine")), Delivered, status));
    }
    cases.push(Case::new("status 204", raw("HTTP/1.1 204 No Content\r\n\r\n"), Delivered, 204));
    cases.push(Case::new("status 202", bare("202 Accepted"), Accepted, 202));
    cases.push(Case::new("status 410", bare("410 Gone"), Gone, 410));
    let error = r#"{"error":"cannot store"}"#;
    let error = answer(&format!("200 OK\r\nContent-Length: {}", error.len()), error);
    cases.push(Case::new("an error under a good status", error, Delivered, 200));
    for status in (400..=407).chain([411, 412, 413, 414, 415, 416, 417, 418, 422, 426, 431, 451, 499]) {
        let acts = bare(&format!("{status} No\r\nWWW-Authenticate: Basic realm=\"x\""));
        cases.push(Case::new(format!("status {status}"), acts, configuration(Status4xx), status));
    }
    for status in [408, 409, 423, 425] {
        cases.push(Case::new(
            format!("status {status}"),
            bare(&format!("{status} Later")),
            transient(Status4xx),
            status,
        ));
    }
    for status in [500, 501, 502, 503, 504, 511, 599] {
        let acts = bare(&format!("{status} Down\r\nRetry-After: 30"));
        cases.push(Case::new(format!("status {status}"), acts, transient(Status5xx), status));
    }
    for (value, _) in WISHES {
        let acts = bare(&format!("429 Slow Down\r\nRetry-After: {value}"));
        cases.push(Case::new(format!("status 429, Retry-After: {value}"), acts, transient(Throttled), 429));
    }
    cases.push(Case::new("status 429 without a wish", bare("429 Slow Down"), transient(Throttled), 429));
    cases.extend(beyond());
    cases
}

fn redirects() -> Vec<Case> {
    let targets = [
        "/hook",
        "//127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "http://[::1]/",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "",
    ];
    let redirect = |status: u16, target: &str| {
        let acts = bare(&format!("{status} Elsewhere\r\nLocation: {target}"));
        Case::new(format!("status {status} to `{target}`"), acts, configuration(Redirect), status)
    };
    let each = [300, 301, 302, 303, 305, 307, 308].map(|status| redirect(status, "/hook"));
    let everywhere = targets.map(|target| redirect(307, target));
    let unchanged = Case::new("status 304", raw("HTTP/1.1 304 Not Modified\r\n\r\n"), configuration(Redirect), 304);
    each.into_iter().chain(everywhere).chain([unchanged]).collect()
}

fn beyond() -> Vec<Case> {
    let invalid = |status: &str, known: Option<u16>| {
        Case::new(format!("status {status}"), bare(&format!("{status} What")), transient(InvalidAnswer), known)
    };
    let switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    vec![
        invalid("000", None),
        invalid("099", None),
        invalid("600", Some(600)),
        invalid("999", Some(999)),
        invalid("1000", None),
        invalid("2xx", None),
        invalid("-200", None),
        Case::new("status 101", raw(switching), transient(InvalidAnswer), 101),
        Case::new("status 100 and no more", raw("HTTP/1.1 100 Continue\r\n\r\n"), transient(Reset), None),
    ]
}
