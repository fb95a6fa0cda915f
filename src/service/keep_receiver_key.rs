//! The public keys of receivers: registered and retired by their own organisation alone, and shown to it.

use serde_json::{Value, json};

use super::record::{Deed, digest};
use super::{Answer, Idempotency, Service, ServiceError};
use crate::crypto::SenderKey;
use crate::domain::actor::Actor;
use crate::domain::fault::Faults;
use crate::domain::id::ReceiverKeyId;
use crate::domain::page::{Page, PageRequest};
use crate::domain::receiver_key::{NewReceiverKey, ReceiverKey};
use crate::store::{AnyConnection, ledger, receiver_keys};

impl Service {
    /// Reads the body of a key; answers all faults at once.
    ///
    /// # Errors
    /// Every fault of the body.
    pub fn parse_receiver_key(body: &Value) -> Result<NewReceiverKey, Faults> {
        NewReceiverKey::parse(body, &|text| SenderKey::parse(text).is_ok())
    }

    /// Registers a key of the caller's own organisation, with which it will sign acknowledgements.
    pub async fn create_receiver_key(
        &self,
        actor: Actor,
        new: NewReceiverKey,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, ServiceError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| {
            service.once(connection, &actor, idempotency.as_ref(), now, |connection| {
                let (id, owner): (ReceiverKeyId, _) = (service.id(now), &actor.organisation);
                if !receiver_keys::insert(connection, owner, &id, &new, now)? {
                    let detail = "Your organisation has registered this key already.".to_owned();
                    return Err(ServiceError::Conflict { code: "key-known", detail });
                }
                let facts = json!({"public_key": new.public_key, "name_sha256": digest(&new.name)?});
                let deed = Deed { actor: &actor, owner, at: now };
                ledger::append(connection, &[deed.entry("receiver_key.created", id.as_str(), None, facts)])?;
                let created = receiver_keys::find(connection, owner, &id)?.ok_or(ServiceError::NotFound)?;
                Ok(Answer::of(&created)?.at(format!("/v1/keys/{id}")))
            })
        };
        self.store.write(work).await
    }

    /// One key.
    pub async fn show_receiver_key(&self, actor: Actor, id: ReceiverKeyId) -> Result<ReceiverKey, ServiceError> {
        let read = move |connection: &mut _| receiver_keys::find(connection, &actor.organisation, &id);
        self.store.read(read).await?.ok_or(ServiceError::NotFound)
    }

    /// A page of keys, oldest first, retired ones included.
    pub async fn list_receiver_keys(&self, actor: Actor, page: PageRequest) -> Result<Page<ReceiverKey>, ServiceError> {
        let limit = page.limit;
        let read = move |connection: &mut _| receiver_keys::list(connection, &actor.organisation, &page);
        Ok(Page::cut(self.store.read(read).await?, limit, |key| key.id.to_string()))
    }

    /// Retires a key: what it signs from now on is not believed. A second time changes nothing.
    pub async fn retire_receiver_key(&self, actor: Actor, id: ReceiverKeyId) -> Result<ReceiverKey, ServiceError> {
        let now = self.clock.now();
        let work = move |connection: &mut AnyConnection| {
            let owner = &actor.organisation;
            if receiver_keys::retire(connection, owner, &id, now)? {
                let deed = Deed { actor: &actor, owner, at: now };
                ledger::append(connection, &[deed.entry("receiver_key.retired", id.as_str(), None, json!({}))])?;
            }
            receiver_keys::find(connection, owner, &id)?.ok_or(ServiceError::NotFound)
        };
        self.store.write(work).await
    }
}
