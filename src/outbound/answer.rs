//! What an answer, or the lack of one, means for a delivery.
//!
//! Translates statuses and errors into the fixed vocabulary; inner error texts go no further than here.

use std::error::Error;
use std::io;

use super::resolver::ResolveFault;
use crate::domain::delivery_outcome::{FailureKind, Outcome};

/// How reading the body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// It was read to its end, or as far as is ever read.
    Enough,
    /// Time ran out.
    TooSlow,
    /// The connection broke, or what came was no body.
    Broken(FailureKind),
}

/// The outcome of an answer with this status whose body ended like that.
///
/// Only a good status needs the body: an answer that breaks off is no proof of receipt.
pub(super) fn outcome_of(status: u16, body: BodyEnd) -> Outcome {
    match (by_status(status), body) {
        (Outcome::Delivered | Outcome::Accepted, BodyEnd::TooSlow) => Outcome::Transient(FailureKind::BodyTooSlow),
        (Outcome::Delivered | Outcome::Accepted, BodyEnd::Broken(kind)) => Outcome::Transient(kind),
        (outcome, _) => outcome,
    }
}

fn by_status(status: u16) -> Outcome {
    match status {
        202 => Outcome::Accepted,
        200..=299 => Outcome::Delivered,
        300..=399 => Outcome::Configuration(FailureKind::Redirect),
        410 => Outcome::Gone,
        429 => Outcome::Transient(FailureKind::Throttled),
        // Request timeout, conflict, locked, too early: they pass by themselves.
        408 | 409 | 423 | 425 => Outcome::Transient(FailureKind::Status4xx),
        400..=499 => Outcome::Configuration(FailureKind::Status4xx),
        500..=599 => Outcome::Transient(FailureKind::Status5xx),
        _ => Outcome::Transient(FailureKind::InvalidAnswer),
    }
}

/// The outcome of a request that got no answer.
pub(super) fn outcome_of_error(error: &reqwest::Error) -> Outcome {
    if error.is_builder() {
        return Outcome::Configuration(FailureKind::InvalidRequest);
    }
    if let Some(fault) = find::<ResolveFault>(error) {
        return match fault {
            ResolveFault::NotFound => Outcome::Configuration(FailureKind::Dns),
            ResolveFault::Unavailable => Outcome::Transient(FailureKind::Dns),
            ResolveFault::Forbidden => Outcome::Configuration(FailureKind::ForbiddenAddress),
        };
    }
    if is_tls(error) {
        return Outcome::Configuration(FailureKind::Tls);
    }
    Outcome::Transient(kind_of_error(error))
}

/// The kind of failure of a connection or of the rest of an answer.
pub(super) fn kind_of_error(error: &reqwest::Error) -> FailureKind {
    if error.is_connect() {
        FailureKind::Connect
    } else if error.is_timeout() {
        FailureKind::Timeout
    } else if is_no_http(error) {
        FailureKind::InvalidAnswer
    } else {
        FailureKind::Reset
    }
}

/// Whether what came is not HTTP: a head that cannot be read, or chunks that are none, which are reported as bad input.
fn is_no_http(error: &reqwest::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput};
    find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
        || find::<io::Error>(error).is_some_and(|error| matches!(error.kind(), InvalidData | InvalidInput))
}

/// Whether TLS itself went wrong. In a handshake that may also show as the end of the connection in the midst of it.
///
/// Under TLS 1.3 a server that demands a certificate of ours refuses only after the handshake.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut found = find::<io::Error>(error);
    while let Some(inner) = found {
        if inner.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>)
            || error.is_connect() && inner.kind() == io::ErrorKind::UnexpectedEof
        {
            return true;
        }
        found = inner.get_ref().and_then(|inner| inner.downcast_ref());
    }
    false
}

fn find<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_meaning() {
        for (statuses, outcome) in [
            (&[200, 201, 204, 208, 299][..], Outcome::Delivered),
            (&[202], Outcome::Accepted),
            (&[300, 301, 302, 303, 304, 307, 308], Outcome::Configuration(FailureKind::Redirect)),
            (&[400, 401, 403, 404, 405, 413, 415, 418], Outcome::Configuration(FailureKind::Status4xx)),
            (&[408, 409, 423, 425], Outcome::Transient(FailureKind::Status4xx)),
            (&[410], Outcome::Gone),
            (&[429], Outcome::Transient(FailureKind::Throttled)),
            (&[500, 502, 503, 504, 599], Outcome::Transient(FailureKind::Status5xx)),
            (&[100, 101, 600, 999], Outcome::Transient(FailureKind::InvalidAnswer)),
        ] {
            for status in statuses {
                assert_eq!(outcome_of(*status, BodyEnd::Enough), outcome, "{status}");
            }
        }
    }

    #[test]
    fn only_a_good_answer_is_spoilt_by_its_body() {
        assert_eq!(outcome_of(200, BodyEnd::TooSlow), Outcome::Transient(FailureKind::BodyTooSlow));
        assert_eq!(outcome_of(202, BodyEnd::TooSlow), Outcome::Transient(FailureKind::BodyTooSlow));
        assert_eq!(outcome_of(200, BodyEnd::Broken(FailureKind::Reset)), Outcome::Transient(FailureKind::Reset));
        assert_eq!(outcome_of(410, BodyEnd::TooSlow), Outcome::Gone);
        assert_eq!(outcome_of(503, BodyEnd::TooSlow), Outcome::Transient(FailureKind::Status5xx));
    }
}
