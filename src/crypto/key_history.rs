//! Which signing keys there were, and when: what was signed with an old key can be checked for as long as anybody keeps it.
//!
//! Beside `signing.key` stand `signing-keys.json`, with public keys only, and for the time of an overlap `signing.key.previous`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::signing_key::jwk;
use super::{KeyFileError, SenderKey, SigningKey, key_file};
use crate::entropy::Entropy;

/// The key in use and those before it; without the secret of any but the one that still signs beside it.
#[derive(Debug, Clone)]
pub struct KeyHistory {
    current: SigningKey,
    since: Option<OffsetDateTime>,
    previous: Option<(SigningKey, OffsetDateTime)>,
    retired: Vec<Entry>,
}

/// What a change of keys brought about.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The name of the new key.
    pub key_id: String,
    /// The name of the one before.
    pub previous_key_id: String,
    /// Until when the one before is good.
    pub previous_valid_until: OffsetDateTime,
}

/// A key as the file lists it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    public_key: SenderKey,
    /// Nothing for the first key of all.
    #[serde(with = "time::serde::rfc3339::option")]
    valid_from: Option<OffsetDateTime>,
    /// Nothing for the key in use.
    #[serde(with = "time::serde::rfc3339::option")]
    valid_until: Option<OffsetDateTime>,
}

/// Where everything stands.
struct Files {
    directory: PathBuf,
    current: PathBuf,
    next: PathBuf,
    previous: PathBuf,
    list: PathBuf,
}

impl KeyHistory {
    /// The keys in `directory` at `now`; the one in use is made if there is none. A secret whose overlap is over is removed.
    pub fn load_or_create(directory: &Path, entropy: &Entropy, now: OffsetDateTime) -> Result<Self, KeyFileError> {
        let files = Files::of(directory);
        let current = SigningKey::load_or_create(&files.current, entropy)?;
        let history = Self::of(&files, current)?;
        if history.previous.as_ref().is_some_and(|(_, until)| *until <= now) {
            files.keep_previous(None)?;
        }
        Ok(history)
    }

    fn of(files: &Files, current: SigningKey) -> Result<Self, KeyFileError> {
        let listed = files.listed()?;
        let own = |entry: &&Entry| entry.public_key == SenderKey::of(&current);
        let since = listed.iter().find(own).and_then(|entry| entry.valid_from);
        // A key without an end that is not in use never came into use.
        let retired: Vec<Entry> =
            listed.iter().filter(|entry| !own(entry) && entry.valid_until.is_some()).cloned().collect();
        let previous = if exists(&files.previous)? { Some(key_file::load(&files.previous)?) } else { None };
        let previous = previous.map(SigningKey::from_seed).and_then(|key| {
            let entry = retired.iter().find(|entry| entry.public_key == SenderKey::of(&key))?;
            Some((key, entry.valid_until?))
        });
        Ok(Self { current, since, previous, retired })
    }

    /// The key in use.
    pub fn current(&self) -> &SigningKey {
        &self.current
    }

    /// The keys that sign webhooks at `now`: the one in use, and the one before it during the overlap.
    pub fn signers(&self, now: OffsetDateTime) -> Vec<&SigningKey> {
        let previous = self.previous.as_ref().filter(|(_, until)| now < *until).map(|(key, _)| key);
        std::iter::once(&self.current).chain(previous).collect()
    }

    /// `at`, but no earlier than the key in use: what is signed now of earlier times is dated within the time of its key.
    pub fn earliest(&self, at: OffsetDateTime) -> OffsetDateTime {
        self.since.map_or(at, |since| at.max(since))
    }

    /// The JWK set of all keys, the one in use first, each with the time in which it is or was good.
    pub fn to_jwk_set(&self) -> Value {
        let current = Entry { public_key: SenderKey::of(&self.current), valid_from: self.since, valid_until: None };
        let keys: Vec<Value> = std::iter::once(&current).chain(self.retired.iter().rev()).map(Entry::to_jwk).collect();
        json!({"keys": keys})
    }

    /// Makes a new key the one in use from `now` on; the one before stays good for `overlap`. Takes effect where keys are read next.
    ///
    /// Whatever interrupts this, there is one key in use, and doing it again finishes it.
    ///
    /// # Errors
    /// When there is no key yet, when an overlap has not ended, and when a file cannot be used.
    pub fn rotate(
        directory: &Path,
        entropy: &Entropy,
        now: OffsetDateTime,
        overlap: Duration,
    ) -> Result<Rotation, KeyFileError> {
        let files = Files::of(directory);
        if !exists(&files.current)? {
            return Err(KeyFileError::NoKey { path: files.current });
        }
        // Held until this returns: two changes at once would lose a key.
        let _lock = files.lock()?;
        let history = Self::of(&files, SigningKey::from_seed(key_file::load(&files.current)?))?;
        let overlapping = history.previous.as_ref().filter(|(_, until)| now < *until && overlap.is_positive());
        if let Some((_, until)) = overlapping {
            return Err(KeyFileError::Overlapping { until: *until });
        }
        let next = SigningKey::load_or_create(&files.next, entropy)?;
        files.keep_previous(overlap.is_positive().then_some(&history.current))?;
        let previous_valid_until = now + overlap;
        files.list(&history.followed_by(&next, now, previous_valid_until))?;
        key_file::rename(&files.next, &files.current).map_err(|source| unusable(&files.current, source))?;
        Ok(Rotation {
            key_id: next.key_id().to_owned(),
            previous_key_id: history.current.key_id().to_owned(),
            previous_valid_until,
        })
    }

    /// The list of keys once `next` is in use.
    fn followed_by(&self, next: &SigningKey, now: OffsetDateTime, until: OffsetDateTime) -> Vec<Entry> {
        let ended = |entry: &Entry| Entry {
            valid_until: entry.valid_until.map(|end| end.min(until.max(now))),
            ..entry.clone()
        };
        let retired = self.retired.iter().map(ended);
        let current =
            Entry { public_key: SenderKey::of(&self.current), valid_from: self.since, valid_until: Some(until) };
        let next = Entry { public_key: SenderKey::of(next), valid_from: Some(now), valid_until: None };
        retired.chain([current, next]).collect()
    }
}

impl Entry {
    fn to_jwk(&self) -> Value {
        let time = |at: Option<OffsetDateTime>| {
            at.and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
        };
        let mut key = jwk(self.public_key.as_bytes());
        key["valid_from"] = json!(time(self.valid_from));
        key["valid_until"] = json!(time(self.valid_until));
        key
    }
}

impl Files {
    fn of(directory: &Path) -> Self {
        let path = |name| directory.join(name);
        Self {
            directory: directory.to_path_buf(),
            current: path("signing.key"),
            next: path("signing.key.next"),
            previous: path("signing.key.previous"),
            list: path("signing-keys.json"),
        }
    }

    fn lock(&self) -> Result<File, KeyFileError> {
        let locked = File::open(&self.directory).and_then(|directory| directory.lock().map(|()| directory));
        locked.map_err(|source| unusable(&self.directory, source))
    }

    fn listed(&self) -> Result<Vec<Entry>, KeyFileError> {
        if !exists(&self.list)? {
            return Ok(Vec::new());
        }
        let text = fs::read(&self.list).map_err(|source| unusable(&self.list, source))?;
        serde_json::from_slice(&text).map_err(|source| unusable(&self.list, source.into()))
    }

    fn list(&self, entries: &[Entry]) -> Result<(), KeyFileError> {
        let text = serde_json::to_string_pretty(entries).map_err(io::Error::from);
        let written = text.and_then(|text| key_file::replace(&self.list, &(text + "\n"), 0o644));
        written.map_err(|source| unusable(&self.list, source))
    }

    /// Keeps the secret of the key that goes on signing for a while, or of none.
    fn keep_previous(&self, key: Option<&SigningKey>) -> Result<(), KeyFileError> {
        let kept = match key {
            Some(key) => key_file::replace(&self.previous, &key_file::encoded(&key.seed()), 0o600),
            None if exists(&self.previous)? => fs::remove_file(&self.previous),
            None => Ok(()),
        };
        kept.map_err(|source| unusable(&self.previous, source))
    }
}

fn exists(path: &Path) -> Result<bool, KeyFileError> {
    path.try_exists().map_err(|source| unusable(path, source))
}

fn unusable(path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::Io { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests;
