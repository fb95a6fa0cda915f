//! The measures: their names, and one small function per measure for the other rooms to call.
//! Labels are words of fixed vocabularies, never ids, addresses or content.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

pub(super) const HTTP_REQUEST_DURATION: &str = "art33_http_request_duration_seconds";
pub(super) const DELIVERY_LATENESS: &str = "art33_delivery_lateness_seconds";
pub(super) const STORE_BATCH_SIZE: &str = "art33_store_write_batch_size";

/// What a measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Every measure with its description.
pub(super) const MEASURES: &[(Kind, &str, &str)] = &[
    (Kind::Counter, "art33_http_requests_total", "Requests answered, by method, route and status class."),
    (Kind::Histogram, HTTP_REQUEST_DURATION, "Time to answer a request, by method and route."),
    (Kind::Counter, "art33_filings_total", "Incident versions filed, by stage."),
    (Kind::Counter, "art33_delivery_attempts_total", "Delivery attempts, by class of outcome."),
    (Kind::Histogram, DELIVERY_LATENESS, "How long after its due time an attempt began."),
    (Kind::Gauge, "art33_delivery_oldest_open_seconds", "Age of the oldest delivery that is still open."),
    (Kind::Gauge, "art33_duties", "Duties, by state."),
    (Kind::Gauge, "art33_queue_depth", "Entries waiting, by queue."),
    (Kind::Histogram, STORE_BATCH_SIZE, "Writes committed together."),
    (Kind::Counter, "art33_ledger_entries_total", "Ledger entries written."),
    (Kind::Counter, "art33_releases_overdue_total", "Versions that nobody released in time."),
];

/// Hands all descriptions to the recorder in force.
pub(super) fn describe() {
    for (kind, name, about) in MEASURES {
        match kind {
            Kind::Counter => describe_counter!(*name, *about),
            Kind::Gauge => describe_gauge!(*name, *about),
            Kind::Histogram => describe_histogram!(*name, *about),
        }
    }
}

/// Counts a version that nobody released in time.
pub fn release_overdue() {
    counter!("art33_releases_overdue_total").increment(1);
}

/// Counts an answered request. `route` is the pattern of the route table, never the path of the request.
pub fn http_request(method: &str, route: Option<&str>, status: u16, took: Duration) {
    let method = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other");
    let route = route.unwrap_or("unmatched").to_owned();
    let class = match status {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    counter!("art33_http_requests_total", "method" => method, "route" => route.clone(), "status" => class).increment(1);
    histogram!(HTTP_REQUEST_DURATION, "method" => method, "route" => route).record(took);
}

/// Counts an incident version, by its stage.
pub fn incident_filed(stage: &'static str) {
    counter!("art33_filings_total", "stage" => stage).increment(1);
}

/// Counts a delivery attempt, by the class of its outcome.
pub fn delivery_attempted(class: &'static str) {
    counter!("art33_delivery_attempts_total", "class" => class).increment(1);
}

/// Notes how long after its due time an attempt began.
pub fn delivery_late_by(lateness: Duration) {
    histogram!(DELIVERY_LATENESS).record(lateness);
}

/// Sets the age of the oldest delivery that is still open; zero when none is.
pub fn oldest_open_delivery(age: Duration) {
    gauge!("art33_delivery_oldest_open_seconds").set(age);
}

/// Sets the number of duties in one state.
pub fn duties_in_state(state: &'static str, count: u32) {
    gauge!("art33_duties", "state" => state).set(count);
}

/// Sets the number of entries that wait in one queue.
pub fn queue_depth(queue: &'static str, count: u32) {
    gauge!("art33_queue_depth", "queue" => queue).set(count);
}

/// Notes how many writes one commit carried.
pub fn store_batch(writes: u32) {
    histogram!(STORE_BATCH_SIZE).record(writes);
}

/// Counts ledger entries of a committed transaction.
pub fn ledger_entries_added(count: u64) {
    counter!("art33_ledger_entries_total").increment(count);
}
