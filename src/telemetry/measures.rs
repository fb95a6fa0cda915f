//! The measures: their names, and one small function per measure for the other rooms to call.
//! Labels are words of fixed vocabularies, never ids, addresses or content.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

pub(super) const HTTP_REQUEST_DURATION: &str = "art33_http_request_duration_seconds";
pub(super) const LATENESS: &str = "art33_lateness_seconds";
pub(super) const STORE_BATCH_SIZE: &str = "art33_store_write_batch_size";
const AUDIT_FINDINGS: &str = "art33_audit_findings";
const AUDITED_AT: &str = "art33_audit_timestamp_seconds";
const CLOCK_STEPS: &str = "art33_clock_steps_total";
const HEARTBEATS: &str = "art33_heartbeats_total";
const LADDER_STEPS: &str = "art33_ladder_steps_total";
const RELEASES_OVERDUE: &str = "art33_releases_overdue_total";

/// What steps do, and what came of it, where nobody was reached who should have been.
const REACHED_NOBODY: [(&str, &str); 6] = [
    ("tell_management", "nobody"),
    ("last_call", "nobody"),
    ("next_channel", "no_channel"),
    ("next_channel", "withheld"),
    ("email_contacts", "withheld"),
    ("remind", "withheld"),
];

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
    (Kind::Counter, "art33_delivery_attempts_total", "Delivery attempts, by class of outcome and channel."),
    (Kind::Histogram, LATENESS, "How long after its due time an attempt, a step or an alarm began, by kind."),
    (
        Kind::Gauge,
        "art33_oldest_overdue_seconds",
        "How long the oldest delivery, step or alarm is overdue, by kind; zero if none is.",
    ),
    (Kind::Gauge, "art33_queue_depth", "Messages that are owed and not held back for a release, by lane."),
    (Kind::Gauge, "art33_endpoints", "Endpoints, by channel and health."),
    (Kind::Gauge, "art33_duties", "Duties that are open, by state."),
    (
        Kind::Gauge,
        AUDIT_FINDINGS,
        "What the last audit of delivery found: notices without a next step, and kinds of overdue work.",
    ),
    (Kind::Gauge, AUDITED_AT, "When the last audit of delivery was finished, in seconds since 1970."),
    (Kind::Counter, HEARTBEATS, "Signs of life, by whether they were sent, failed or were withheld."),
    (Kind::Gauge, "art33_network_outage", "1 while our own network is taken to be down, otherwise 0."),
    (Kind::Counter, CLOCK_STEPS, "Clocks that were set by more than a minute, by clock."),
    (Kind::Histogram, STORE_BATCH_SIZE, "Writes committed together; the embedded database only."),
    (Kind::Counter, "art33_ledger_entries_total", "Ledger entries written."),
    (Kind::Counter, LADDER_STEPS, "Steps of ladders that fired, by action and outcome."),
    (Kind::Counter, RELEASES_OVERDUE, "Versions that nobody released in time."),
];

/// Hands all descriptions to the recorder in force, and begins the counters that alerts watch at zero: of a counter that begins with
/// its first event no rule can see that event.
pub(super) fn describe() {
    for (kind, name, about) in MEASURES {
        match kind {
            Kind::Counter => describe_counter!(*name, *about),
            Kind::Gauge => describe_gauge!(*name, *about),
            Kind::Histogram => describe_histogram!(*name, *about),
        }
    }
    counter!(RELEASES_OVERDUE).increment(0);
    for (action, outcome) in REACHED_NOBODY {
        counter!(LADDER_STEPS, "action" => action, "outcome" => outcome).increment(0);
    }
    for source in ClockSource::ALL {
        counter!(CLOCK_STEPS, "clock" => source.as_str()).increment(0);
    }
    for timed in Timed::ALL {
        oldest_overdue(*timed, time::Duration::ZERO);
    }
    for beat in Beat::ALL {
        counter!(HEARTBEATS, "result" => beat.as_str()).increment(0);
    }
}

/// Declares what a label can say, with its words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$about:meta])* $variant:ident $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$about])* $variant,)+
        }

        impl $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in the label.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words! {
    /// What has a time at which it is due.
    Timed {
        /// An attempt to deliver.
        Delivery "delivery",
        /// A step of a ladder.
        Step "step",
        /// An alarm of a duty.
        Alarm "alarm",
    }
}

words! {
    /// Which clock was set.
    ClockSource {
        /// The machine's.
        Machine "machine",
        /// The database server's.
        Database "database",
        /// None while the service ran; when it started, the ledger was ahead of the time.
        Restart "restart",
    }
}

words! {
    /// What became of a sign of life.
    Beat {
        /// It was taken.
        Sent "sent",
        /// It could not be sent, or was not taken.
        Failed "failed",
        /// It was not sent, since something is wrong.
        Withheld "withheld",
    }
}

/// Counts a step of a ladder that fired, by what it does and what came of it.
pub fn step_fired(action: &'static str, outcome: &'static str) {
    counter!(LADDER_STEPS, "action" => action, "outcome" => outcome).increment(1);
}

/// Counts a version that nobody released in time.
pub fn release_overdue() {
    counter!(RELEASES_OVERDUE).increment(1);
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

/// Counts a delivery attempt, by the class of its outcome and the channel.
pub fn delivery_attempted(class: &'static str, channel: &'static str) {
    counter!("art33_delivery_attempts_total", "class" => class, "channel" => channel).increment(1);
}

/// Notes how long after its due time something began.
pub fn late_by(timed: Timed, lateness: time::Duration) {
    histogram!(LATENESS, "kind" => timed.as_str()).record(lateness.as_seconds_f64().max(0.0));
}

/// Sets how long the oldest of its kind is overdue; zero when none is.
pub fn oldest_overdue(timed: Timed, overdue: time::Duration) {
    gauge!("art33_oldest_overdue_seconds", "kind" => timed.as_str()).set(overdue.as_seconds_f64());
}

/// Sets how many endpoints of one channel are in one state of health.
pub fn endpoints(channel: &'static str, health: &'static str, count: u32) {
    gauge!("art33_endpoints", "channel" => channel, "health" => health).set(count);
}

/// Sets what an audit that was finished at `at` has found.
pub fn audited(findings: u32, at: time::OffsetDateTime) {
    gauge!(AUDIT_FINDINGS).set(findings);
    gauge!(AUDITED_AT).set((at - time::OffsetDateTime::UNIX_EPOCH).as_seconds_f64());
}

/// Counts a sign of life.
pub fn heartbeat(beat: Beat) {
    counter!(HEARTBEATS, "result" => beat.as_str()).increment(1);
}

/// Sets whether our own network is taken to be down.
pub fn network_outage(is_down: bool) {
    gauge!("art33_network_outage").set(u8::from(is_down));
}

/// Counts a clock that was set by more than a minute.
pub fn clock_stepped(source: ClockSource) {
    counter!(CLOCK_STEPS, "clock" => source.as_str()).increment(1);
}

/// Sets the number of duties in one state.
pub fn duties_in_state(state: &'static str, count: u32) {
    gauge!("art33_duties", "state" => state).set(count);
}

/// Sets how many messages are owed in one lane.
pub fn queue_depth(lane: &'static str, count: u32) {
    gauge!("art33_queue_depth", "lane" => lane).set(count);
}

/// Notes how many writes one commit carried.
pub fn store_batch(writes: u32) {
    histogram!(STORE_BATCH_SIZE).record(writes);
}

/// Counts ledger entries of a committed transaction.
pub fn ledger_entries_added(count: u64) {
    counter!("art33_ledger_entries_total").increment(count);
}
