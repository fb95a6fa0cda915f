//! The keys of an issuer that publishes them at an address: fetched, kept, renewed, and kept on when it fails.
//!
//! The fetching itself is a function handed in.

use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::DecodingKey;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::keys::{self, KeyMap};
use super::{Algorithm, Fetch, TokenError};

/// No issuer is asked more often than this, whatever key ids callers make up.
const SHORTEST_PAUSE: Duration = Duration::MINUTE;

/// Keys older than this are renewed while they go on being used.
const FRESH_FOR: Duration = Duration::minutes(10);

/// A larger document is no key set, in bytes.
const LARGEST_SET: usize = 256 * 1024;

pub(super) struct RemoteKeys(Arc<Inner>);

struct Inner {
    url: Url,
    algorithm: Algorithm,
    fetch: Fetch,
    held: RwLock<Held>,
    /// Held while asking the issuer, so that all who need the answer wait for one request.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    keys: KeyMap,
    fetched_at: Option<OffsetDateTime>,
    tried_at: Option<OffsetDateTime>,
}

impl RemoteKeys {
    pub(super) fn new(url: Url, algorithm: Algorithm, fetch: Fetch) -> Self {
        Self(Arc::new(Inner { url, algorithm, fetch, held: RwLock::default(), turn: tokio::sync::Mutex::default() }))
    }

    /// The key of that id.
    ///
    /// An unknown one makes the issuer be asked, at most once a minute. A known one is answered at once, also while
    /// the issuer is out of reach; when the set is older than ten minutes it is renewed behind the answer.
    pub(super) async fn find(&self, key_id: &str, now: OffsetDateTime) -> Result<Arc<DecodingKey>, TokenError> {
        let inner = Arc::clone(&self.0);
        if let Some(key) = self.0.key(key_id) {
            if self.0.is_stale(now) && self.0.may_ask(now) {
                tokio::spawn(async move { inner.refresh_unless(now, |inner| !inner.is_stale(now)).await });
            }
            return Ok(key);
        }
        let wanted = key_id.to_owned();
        // In a task of its own: a caller that hangs up must not undo the request that others are waiting for.
        let asked = tokio::spawn(async move { inner.refresh_unless(now, |inner| inner.key(&wanted).is_some()).await });
        if asked.await.is_err() {
            tracing::error!(url = %self.0.url, "renewing the keys of an issuer broke off");
        }
        let missing = if self.0.was_reached() { TokenError::UnknownKey } else { TokenError::KeysUnavailable };
        self.0.key(key_id).ok_or(missing)
    }
}

impl Inner {
    fn read<T>(&self, look: impl FnOnce(&Held) -> T) -> T {
        look(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn key(&self, key_id: &str) -> Option<Arc<DecodingKey>> {
        self.read(|held| held.keys.get(key_id).cloned())
    }

    fn was_reached(&self) -> bool {
        self.read(|held| held.fetched_at.is_some())
    }

    fn is_stale(&self, now: OffsetDateTime) -> bool {
        self.read(|held| held.fetched_at.is_none_or(|at| now - at >= FRESH_FOR))
    }

    fn may_ask(&self, now: OffsetDateTime) -> bool {
        self.read(|held| held.tried_at.is_none_or(|at| now - at >= SHORTEST_PAUSE))
    }

    async fn refresh_unless(&self, now: OffsetDateTime, settled: impl Fn(&Self) -> bool) {
        let _turn = self.turn.lock().await;
        if settled(self) || !self.may_ask(now) {
            return;
        }
        self.write(|held| held.tried_at = Some(now));
        match self.fetch_keys().await {
            Ok(keys) => self.write(|held| {
                held.keys = keys;
                held.fetched_at = Some(now);
            }),
            Err(reason) => tracing::warn!(url = %self.url, reason, "cannot renew the keys of an issuer"),
        }
    }

    async fn fetch_keys(&self) -> Result<KeyMap, String> {
        let document = (self.fetch)(self.url.clone()).await?;
        if document.len() > LARGEST_SET {
            return Err("the key set is too large".to_owned());
        }
        keys::from_jwk_set(&document, self.algorithm).ok_or_else(|| "the answer is no key set".to_owned())
    }
}
