//! What arrived, and which endpoints misbehave. Shared by all connections of the sink.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::bench::BenchError;
use crate::clock::Clock;
use crate::store::micros;

/// The one endpoint that drips when others hang.
const DRIPS: usize = 99;

/// Whether the endpoint `number` hangs when `percent` of all do; they lie evenly among the others.
pub(in crate::bench) fn hangs(number: usize, percent: usize) -> bool {
    number % 100 < percent
}

/// How an endpoint treats a request.
pub(super) enum Manner {
    /// Answers 200 with this body.
    Answer(String),
    /// Reads the request and never answers.
    Hang,
    /// Answers without an end.
    Drip,
}

/// What came since the last beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::bench) struct Count {
    /// Requests to verify an endpoint.
    pub(in crate::bench) verifications: usize,
    /// Requests with messages.
    pub(in crate::bench) requests: usize,
    /// Different messages among them.
    pub(in crate::bench) messages: usize,
    /// Different messages at endpoints that answer.
    pub(in crate::bench) healthy: usize,
}

#[derive(Default)]
struct State {
    hanging_percent: usize,
    count: Count,
    /// When each message came first, unless its endpoint misbehaves; by `webhook-id`.
    first: HashMap<String, Option<i64>>,
}

/// The count that is kept.
pub(super) struct Tally {
    clock: Clock,
    state: Mutex<State>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { clock: Clock::system(), state: Mutex::default() }
    }
}

impl Tally {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An endpoint was verified.
    pub(super) fn verified(&self) {
        self.state().count.verifications += 1;
    }

    /// A message has come for `endpoint`; says how it is treated.
    pub(super) fn received(&self, endpoint: usize, message: &str) -> Manner {
        let now = self.clock.now();
        let mut state = self.state();
        let manner = state.manner(endpoint);
        let is_healthy = matches!(manner, Manner::Answer(_));
        state.count.requests += 1;
        if !state.first.contains_key(message) {
            let at = is_healthy.then(|| micros(now));
            state.first.insert(message.to_owned(), at);
            state.count.messages += 1;
            state.count.healthy += usize::from(is_healthy);
        }
        manner
    }

    /// Carries out a command and answers what to say, one line of JSON.
    pub(super) fn obey(&self, command: &str) -> Result<String, BenchError> {
        let mut state = self.state();
        Ok(match command.split_once(' ').unwrap_or((command, "")) {
            ("begin", percent) => {
                let hanging_percent = percent.parse().unwrap_or_default();
                *state = State { hanging_percent, ..State::default() };
                "null".to_owned()
            }
            ("count", _) => serde_json::to_string(&state.count)?,
            ("arrivals", _) => {
                let mut arrivals: Vec<i64> = state.first.values().copied().flatten().collect();
                arrivals.sort_unstable();
                serde_json::to_string(&arrivals)?
            }
            _ => return Err(BenchError::Unusable(format!("the sink does not know {command:?}"))),
        })
    }
}

impl State {
    fn manner(&self, endpoint: usize) -> Manner {
        if hangs(endpoint, self.hanging_percent) {
            Manner::Hang
        } else if endpoint == DRIPS && self.hanging_percent > 0 {
            Manner::Drip
        } else {
            Manner::Answer("{}".to_owned())
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_comes_again_is_a_request_but_no_message() {
        let tally = Tally::default();
        tally.obey("begin 10").unwrap();
        for (endpoint, message) in [(3, "a"), (50, "b"), (50, "b"), (DRIPS, "c"), (51, "d")] {
            tally.received(endpoint, message);
        }
        let count: Count = serde_json::from_str(&tally.obey("count").unwrap()).unwrap();
        assert_eq!(count, Count { verifications: 0, requests: 5, messages: 4, healthy: 2 });
        let arrivals: Vec<i64> = serde_json::from_str(&tally.obey("arrivals").unwrap()).unwrap();
        assert_eq!(arrivals.len(), 2);
        tally.obey("begin 0").unwrap();
        assert_eq!(tally.obey("arrivals").unwrap(), "[]");
    }

    #[test]
    fn as_many_hang_as_were_asked_for() {
        for percent in [0, 10, 30, 100] {
            assert_eq!((0..300).filter(|number| hangs(*number, percent)).count(), 3 * percent);
        }
    }
}
