//! How many attempts one endpoint and one host see at the same time. Kept in memory: nothing is lost with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::endpoint::EndpointId;

/// The limits of one process.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Attempts at one endpoint at the same time.
    pub per_endpoint: usize,
    /// Attempts at one host at the same time.
    pub per_host: usize,
}

/// Counts who is busy; clones count together.
#[derive(Debug, Clone)]
pub struct Gate {
    limits: Limits,
    busy: Arc<Mutex<HashMap<String, usize>>>,
}

/// The right to make one attempt; given back when dropped.
#[derive(Debug)]
pub struct Pass {
    gate: Gate,
    endpoint: String,
    host: String,
}

impl Gate {
    /// A gate that nobody has passed yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, busy: Arc::default() }
    }

    /// A pass for one attempt, unless the endpoint or its host has as many as it may.
    pub fn admit(&self, endpoint: &EndpointId, host: &str) -> Option<Pass> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |name: &str| busy.get(name).copied().unwrap_or_default();
        if count(endpoint.as_str()) >= self.limits.per_endpoint || count(host) >= self.limits.per_host {
            return None;
        }
        let pass = Pass { gate: self.clone(), endpoint: endpoint.to_string(), host: host.to_owned() };
        for name in [&pass.endpoint, &pass.host] {
            *busy.entry(name.clone()).or_default() += 1;
        }
        Some(pass)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut busy = self.gate.busy.lock().unwrap_or_else(PoisonError::into_inner);
        for name in [&self.endpoint, &self.host] {
            if let Some(count) = busy.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    busy.remove(name);
                }
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::id::WebhookId;

    fn endpoint(number: u8) -> EndpointId {
        WebhookId::from_bytes([number; 16]).into()
    }

    #[test]
    fn an_endpoint_and_a_host_have_a_limit_each() {
        let gate = Gate::new(Limits { per_endpoint: 2, per_host: 3 });
        let first = gate.admit(&endpoint(1), "a.example:443").unwrap();
        let _second = gate.admit(&endpoint(1), "a.example:443").unwrap();
        assert!(gate.admit(&endpoint(1), "a.example:443").is_none(), "the endpoint is busy");
        let _third = gate.admit(&endpoint(2), "a.example:443").unwrap();
        assert!(gate.admit(&endpoint(3), "a.example:443").is_none(), "the host is busy");
        assert!(gate.admit(&endpoint(3), "b.example:443").is_some());
        drop(first);
        assert!(gate.admit(&endpoint(3), "a.example:443").is_some());
    }

    #[test]
    fn nothing_is_kept_of_those_who_are_done() {
        let gate = Gate::new(Limits { per_endpoint: 1, per_host: 1 });
        drop(gate.admit(&endpoint(1), "a.example:443"));
        assert!(gate.busy.lock().unwrap().is_empty());
    }
}
