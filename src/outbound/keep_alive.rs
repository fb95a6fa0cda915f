//! Which hosts get a connection that is kept open.
//!
//! A breach is told to thousands of hosts once each: keeping all those connections would use up the file descriptors.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// As many hosts as may have connections kept open.
const CAPACITY: usize = 64;

/// The hosts called last, the latest at the back.
#[derive(Default)]
pub(super) struct RecentHosts(Mutex<VecDeque<String>>);

impl RecentHosts {
    /// Whether `host` was among the hosts called last, and makes it the latest.
    pub(super) fn note(&self, host: &str) -> bool {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = hosts.iter().position(|known| known == host) {
            let known = hosts.remove(at);
            hosts.extend(known);
            return true;
        }
        if hosts.len() == CAPACITY {
            hosts.pop_front();
        }
        hosts.push_back(host.to_owned());
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_recent_until_as_many_others_were_called() {
        let recent = RecentHosts::default();
        assert!(!recent.note("a"));
        assert!(recent.note("a"));
        for other in 0..CAPACITY - 1 {
            assert!(!recent.note(&other.to_string()));
        }
        assert!(recent.note("a"), "called at last, so the last to be forgotten");
        for other in 0..CAPACITY {
            recent.note(&format!("more {other}"));
        }
        assert!(!recent.note("a"));
    }
}
