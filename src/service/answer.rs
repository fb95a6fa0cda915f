//! Answers of creating verbs, and the rule that the same request gives the same answer again.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Service, ServiceError};
use crate::crypto::sha256_hex;
use crate::domain::actor::Actor;
use crate::store::{AnyConnection, idempotency};

/// What a creating verb answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The body, JSON.
    pub body: String,
    /// Path of what was created.
    pub location: Option<String>,
    /// Version of what was created, for `ETag`.
    pub version: Option<i32>,
    /// Whether this answer was given before.
    #[serde(skip)]
    pub replayed: bool,
    /// Whether the change put anything into the outbox that is due now.
    #[serde(skip)]
    pub has_deliveries: bool,
}

/// The key that makes a request safe to repeat, and the digest of the request it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// As the client chose it.
    pub key: String,
    /// SHA-256 over method, path and body.
    pub request_sha256: String,
}

impl Idempotency {
    /// The key together with the digest of what it covers: method, path and body.
    pub fn new(key: &str, covered: &[u8]) -> Self {
        Self { key: key.to_owned(), request_sha256: sha256_hex(covered) }
    }
}

impl Answer {
    /// An answer with `value` as its body.
    pub fn of(value: &impl Serialize) -> Result<Self, ServiceError> {
        Ok(Self {
            body: serde_json::to_string(value)?,
            location: None,
            version: None,
            replayed: false,
            has_deliveries: false,
        })
    }

    /// The same with the path of what was created.
    #[must_use]
    pub fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    /// The same with the version of what was created.
    #[must_use]
    pub fn version(mut self, version: i32) -> Self {
        self.version = Some(version);
        self
    }
}

impl Service {
    /// The answer that was given to this request before, if any; a conflict if the key came with another request.
    pub(crate) fn earlier_answer(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Answer>, ServiceError> {
        let Some(idempotency) = idempotency else { return Ok(None) };
        let Some(kept) = idempotency::find(connection, &actor.organisation, &idempotency.key)? else { return Ok(None) };
        if kept.request_sha256 != idempotency.request_sha256 {
            return Err(ServiceError::Conflict {
                code: "idempotency-key-reused",
                detail: "This idempotency key came with another request before.".to_owned(),
            });
        }
        let Some(sealed) = kept.answer_sealed else { return Ok(None) };
        let opened = self.master_key.open(&context(actor, idempotency), &sealed)?;
        let answer: Answer = serde_json::from_slice(&opened)?;
        Ok(Some(Answer { replayed: true, ..answer }))
    }

    /// Runs `work` once per idempotency key, inside the caller's transaction.
    pub(crate) fn once(
        &self,
        connection: &mut AnyConnection,
        actor: &Actor,
        idempotency: Option<&Idempotency>,
        now: OffsetDateTime,
        work: impl FnOnce(&mut AnyConnection) -> Result<Answer, ServiceError>,
    ) -> Result<Answer, ServiceError> {
        let Some(key) = idempotency else { return work(connection) };
        if !idempotency::claim(connection, &actor.organisation, &key.key, &key.request_sha256, now)? {
            let earlier = self.earlier_answer(connection, actor, idempotency)?;
            return earlier.ok_or_else(|| ServiceError::Internal("an idempotency key without an answer".into()));
        }
        let answer = work(connection)?;
        let sealed = self.master_key.seal(&self.entropy, &context(actor, key), &serde_json::to_vec(&answer)?);
        idempotency::keep(connection, &actor.organisation, &key.key, &sealed)?;
        Ok(answer)
    }
}

fn context(actor: &Actor, idempotency: &Idempotency) -> String {
    format!("idempotency:{}:{}", actor.organisation, idempotency.key)
}
