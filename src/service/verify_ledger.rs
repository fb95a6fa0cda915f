//! Checking the whole ledger: every hash, every sequence, every stream's end, and the content that filings vouch for.

use std::collections::HashMap;

use serde::Serialize;

use super::{Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::ledger::GENESIS;
use crate::store::ledger::{self, EntryRow};
use crate::store::{AnyConnection, Store, incident_versions, incidents, notices};

/// The entries that vouch for a version of an incident and for its notices.
const VERSIONS: &[&str] = &["incident.filed", "incident.amended"];

/// How many entries are read at a time.
const BATCH: i64 = 1000;

/// The first entry that does not fit, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// The stream.
    pub stream: String,
    /// Place within the stream.
    pub sequence: i64,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What a check of the ledger found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How many entries were read.
    pub entries: u64,
    /// How many streams.
    pub streams: u64,
    /// Whether everything fits.
    pub verified: bool,
    /// The first that does not.
    pub misfit: Option<Misfit>,
}

/// Where the walk over one stream stands.
struct Walk {
    stream: String,
    sequence: i64,
    hash: String,
    found: Verification,
    ends: HashMap<String, (i64, String)>,
}

impl Service {
    /// Reads the whole ledger and names the first entry that was changed, removed, inserted or reordered. For operators.
    pub async fn verify_ledger(&self) -> Result<Verification, ServiceError> {
        verify_ledger(&self.store).await
    }
}

/// The same without a service: it needs neither key nor clock, so a copy of the database can be checked anywhere.
pub async fn verify_ledger(store: &Store) -> Result<Verification, ServiceError> {
    store.read(verify).await
}

fn verify(connection: &mut AnyConnection) -> Result<Verification, ServiceError> {
    let found = Verification { entries: 0, streams: 0, verified: true, misfit: None };
    let mut walk =
        Walk { stream: String::new(), sequence: 0, hash: GENESIS.to_owned(), found, ends: recorded_ends(connection)? };
    loop {
        let batch = ledger::walk(connection, (&walk.stream, walk.sequence), BATCH)?;
        if batch.is_empty() {
            break;
        }
        for entry in &batch {
            if let Some(misfit) = walk.step(entry) {
                return Ok(walk.fail(misfit));
            }
        }
        let filings = batch.iter().filter(|entry| VERSIONS.contains(&entry.kind.as_str()));
        for entry in filings {
            if let Some(reason) = content_misfit(connection, entry)? {
                return Ok(walk.fail(Misfit { stream: entry.stream.clone(), sequence: entry.sequence, reason }));
            }
        }
    }
    if let Some(misfit) = walk.leave() {
        return Ok(walk.fail(misfit));
    }
    let lost = walk.ends.iter().map(|(stream, (sequence, _))| (stream.clone(), *sequence)).min();
    let lost = match lost {
        Some(lost) => Some(lost),
        None => ledger::without_story(connection)?.map(|stream| (stream, 1)),
    };
    if let Some((stream, sequence)) = lost {
        return Ok(walk.fail(Misfit { stream, sequence, reason: "the stream is missing" }));
    }
    Ok(walk.found)
}

impl Walk {
    /// Takes the next entry; what does not fit, which may be the end of the stream before.
    fn step(&mut self, entry: &EntryRow) -> Option<Misfit> {
        if entry.stream != self.stream {
            if let Some(misfit) = self.leave() {
                return Some(misfit);
            }
            self.stream.clone_from(&entry.stream);
            (self.sequence, self.hash) = (0, GENESIS.to_owned());
            self.found.streams += 1;
        }
        if let Some(reason) = self.fault_of(entry) {
            return Some(Misfit { stream: entry.stream.clone(), sequence: entry.sequence, reason });
        }
        self.sequence = entry.sequence;
        self.hash.clone_from(&entry.hash);
        self.found.entries += 1;
        None
    }

    /// Why `entry` does not follow the one before.
    fn fault_of(&self, entry: &EntryRow) -> Option<&'static str> {
        if entry.sequence != self.sequence + 1 {
            Some("an entry before it is missing")
        } else if !entry.facts_fit() {
            Some("its facts were changed")
        } else if entry.previous_hash != self.hash || entry.expected_hash(&self.hash) != entry.hash {
            Some("it was changed, inserted or moved")
        } else {
            None
        }
    }

    /// Compares the end of the stream with the recorded one; a misfit is named by the last entry that is there.
    fn leave(&mut self) -> Option<Misfit> {
        if self.stream.is_empty() {
            return None;
        }
        let reason = match self.ends.remove(&self.stream) {
            Some((sequence, hash)) if (sequence, &hash) == (self.sequence, &self.hash) => return None,
            Some((sequence, _)) if sequence > self.sequence => "entries after it are missing",
            _ => "it is not the recorded end of its stream",
        };
        Some(Misfit { stream: self.stream.clone(), sequence: self.sequence, reason })
    }

    fn fail(self, misfit: Misfit) -> Verification {
        Verification { verified: false, misfit: Some(misfit), ..self.found }
    }
}

fn recorded_ends(connection: &mut AnyConnection) -> Result<HashMap<String, (i64, String)>, ServiceError> {
    let mut ends = HashMap::new();
    let mut after = String::new();
    loop {
        let batch = ledger::walk_heads(connection, &after, BATCH)?;
        let Some((last, ..)) = batch.last() else { return Ok(ends) };
        after.clone_from(last);
        ends.extend(batch.into_iter().map(|(stream, sequence, hash)| (stream, (sequence, hash))));
    }
}

/// Whether what was filed, and the notices made of it, still hold the bytes that were hashed then.
fn content_misfit(connection: &mut AnyConnection, entry: &EntryRow) -> Result<Option<&'static str>, ServiceError> {
    let facts: serde_json::Value = serde_json::from_str(&entry.facts)?;
    if !incident_fits(connection, &entry.object, &facts)? {
        return Ok(Some("the incident that it vouches for was changed"));
    }
    let listed: Vec<(String, String, String)> =
        serde_json::from_value(facts.get("notices").cloned().unwrap_or_default()).unwrap_or_default();
    for part in listed.chunks(500) {
        let ids: Vec<&str> = part.iter().map(|(id, ..)| id.as_str()).collect();
        let contents = notices::contents(connection, &ids)?;
        for (id, _, digest) in part {
            match contents.get(id) {
                None => return Ok(Some("a notice that it vouches for is missing")),
                Some(content) if sha256_hex(content.as_bytes()) != *digest => {
                    return Ok(Some("a notice that it vouches for was changed"));
                }
                Some(_) => {}
            }
        }
    }
    Ok(None)
}

/// Whether an incident, and the body that the version was filed with, still hold the bytes that were hashed then.
///
/// The row of the incident holds the content of the newest version only; for the earlier ones their bodies are kept.
fn incident_fits(connection: &mut AnyConnection, id: &str, facts: &serde_json::Value) -> Result<bool, ServiceError> {
    let Some((newest, content)) = incidents::content(connection, id)? else { return Ok(false) };
    let version = facts["version"].as_i64().and_then(|version| i32::try_from(version).ok()).unwrap_or(1);
    let filed = incident_versions::filed(connection, id, version)?;
    let is_newest = version == newest;
    let content_fits = !is_newest || facts["content_sha256"].as_str() == Some(sha256_hex(content.as_bytes()).as_str());
    // Incidents that were filed before versions were kept have no body.
    let body_fits = filed.as_ref().is_none_or(|(digest, body)| sha256_hex(body.as_bytes()) == *digest);
    let vouched = facts["filing_sha256"].as_str();
    let is_vouched = vouched.is_none_or(|vouched| filed.as_ref().is_some_and(|(digest, _)| digest == vouched));
    Ok(content_fits && body_fits && is_vouched && (is_newest || filed.is_some()))
}
