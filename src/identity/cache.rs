//! Tokens whose signature was checked before, so that a busy caller does not cost a signature check per request.
//!
//! Holds digests, never tokens; the time of a token is checked anew on every use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::DecodingKey;
use time::OffsetDateTime;

use super::Claims;
use super::claims::Validity;

/// As many tokens as are remembered at most.
const CAPACITY: usize = 10_000;

#[derive(Default)]
pub(super) struct TokenCache(Mutex<HashMap<[u8; 32], Entry>>);

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) claims: Claims,
    pub(super) validity: Validity,
    /// The key that the signature was checked with. The entry is good for as long as its issuer uses this very key.
    pub(super) key: Arc<DecodingKey>,
}

impl TokenCache {
    pub(super) fn get(&self, digest: &[u8; 32], key: &Arc<DecodingKey>) -> Option<Entry> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(digest).filter(|entry| Arc::ptr_eq(&entry.key, key)).cloned()
    }

    pub(super) fn put(&self, digest: [u8; 32], entry: Entry, now: OffsetDateTime) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= CAPACITY {
            held.retain(|_, entry| !entry.validity.has_passed(now));
        }
        if held.len() >= CAPACITY {
            held.clear();
        }
        held.insert(digest, entry);
    }
}
