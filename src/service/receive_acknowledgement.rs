//! An acknowledgement that a controller signed with its own key: neither side can deny it later. Comes in without a token.

use serde_json::Value;
use time::OffsetDateTime;

use super::acknowledge::{Acknowledgement, Proof};
use super::{Service, ServiceError};
use crate::crypto::{SenderKey, UncheckedJws, sha256_hex};
use crate::domain::actor::Actor;
use crate::domain::fault::Faults;
use crate::domain::id::{NoticeId, OrganisationId, ReceiverKeyId};
use crate::domain::parse::Place;
use crate::domain::receipt::{Means, Receipt, ReceiptLevel};
use crate::domain::receiver_key::ReceiverKey;
use crate::store::notices::{self, NoticeFacts};
use crate::store::{AnyConnection, receipts, receiver_keys, standing};

/// Why a signed acknowledgement is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AcknowledgementError {
    /// No key of the controller who was told has signed it, or not at a time at which that key speaks. One answer for all of these:
    /// nobody learns which keys and notices there are.
    #[error("no key of the controller who was told has signed this as of a possible time")]
    NotGenuine,
    /// Anything else.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<crate::store::StoreError> for AcknowledgementError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Service(error.into())
    }
}

/// What the signed statement says.
struct Statement {
    notice: NoticeId,
    signed_at: OffsetDateTime,
    acknowledgement: Acknowledgement,
}

impl Service {
    /// The key of a controller that has signed `jws`; nothing if none has. Takes no turn of whoever writes.
    pub async fn signer(&self, jws: &str) -> Result<Option<ReceiverKeyId>, ServiceError> {
        let jws = jws.to_owned();
        let look = move |connection: &mut AnyConnection| opened(connection, &jws);
        Ok(self.store.read(look).await?.map(|(_, key, _)| key.id))
    }

    /// Takes an acknowledgement of a notice, signed by a key of the controller who was told, and answers the counter-signed receipt,
    /// which keeps it; the same one again answers the same receipt.
    pub async fn receive_acknowledgement(&self, jws: String) -> Result<Receipt, AcknowledgementError> {
        let (service, now) = (self.clone(), self.clock.now());
        let work = move |connection: &mut AnyConnection| service.receive_in(connection, &jws, now);
        let (receipt, told) = self.store.write(work).await?;
        if told {
            self.nudge.notify_waiters();
        }
        Ok(receipt)
    }

    fn receive_in(
        &self,
        connection: &mut AnyConnection,
        jws: &str,
        now: OffsetDateTime,
    ) -> Result<(Receipt, bool), AcknowledgementError> {
        let (controller, key, payload) = opened(connection, jws)?.ok_or(AcknowledgementError::NotGenuine)?;
        let statement = Statement::parse(&payload).map_err(ServiceError::Refused)?;
        let notice = told(connection, &controller, &statement.notice)?.ok_or(AcknowledgementError::NotGenuine)?;
        let digest = sha256_hex(jws.as_bytes());
        if let Some(given) = given(connection, &notice, &digest)? {
            return Ok((given, false));
        }
        let is_possible = statement.signed_at.unix_timestamp() >= notice.created_at.unix_timestamp();
        if !is_possible || !key.speaks(statement.signed_at, now) {
            return Err(AcknowledgementError::NotGenuine);
        }
        let actor = Actor { subject: key.id.to_string(), ..Actor::service(controller) };
        let proof = Proof { means: Means::Signature, evidence_sha256: Some(digest), evidence: Some(jws.to_owned()) };
        Ok(self.acknowledge_in(connection, (&actor, &notice), statement.acknowledgement, proof, now)?)
    }
}

impl Statement {
    fn parse(payload: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(payload).object(&mut faults).and_then(|mut object| {
            let notice = object.required("notice", &mut faults, Place::parsed);
            let signed_at = object.required("iat", &mut faults, |place, faults| {
                let seconds = i64::try_from(place.whole_number(faults)?).ok();
                let at = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
                if at.is_none() {
                    faults.add(&place.pointer, "time", "Expected seconds since 1970.");
                }
                at
            });
            let acknowledgement = Acknowledgement::members(&mut object, &mut faults);
            object.close(&mut faults);
            Some(Self { notice: notice?, signed_at: signed_at?, acknowledgement: acknowledgement? })
        });
        faults.finish(read)
    }
}

/// The payload of a JWS with the key that has signed it and whose key that is; nothing if none has.
fn opened(
    connection: &mut AnyConnection,
    jws: &str,
) -> Result<Option<(OrganisationId, ReceiverKey, Value)>, ServiceError> {
    let Ok(unchecked) = UncheckedJws::read(jws) else { return Ok(None) };
    let Some(id) = unchecked.key_id().and_then(|id| id.parse::<ReceiverKeyId>().ok()) else { return Ok(None) };
    let Some((owner, key)) = receiver_keys::known(connection, &id)? else { return Ok(None) };
    let public = SenderKey::parse(&key.public_key)?;
    Ok(unchecked.payload(public.as_bytes()).ok().map(|payload| (owner, key, payload)))
}

/// The notice `id`, locked, if `controller` was told by it.
fn told(
    connection: &mut AnyConnection,
    controller: &OrganisationId,
    id: &NoticeId,
) -> Result<Option<NoticeFacts>, ServiceError> {
    if !standing::sees_notice(connection, controller, id)? {
        return Ok(None);
    }
    let found = notices::facts(connection, &[id.as_str()])?.pop();
    Ok(found.filter(|notice| notice.controller == *controller))
}

/// The receipt that was given for the acknowledgement with this digest.
fn given(connection: &mut AnyConnection, notice: &NoticeFacts, digest: &str) -> Result<Option<Receipt>, ServiceError> {
    let known = receipts::of(connection, &[notice.id.as_str()])?;
    let same = |receipt: &Receipt| {
        receipt.level == ReceiptLevel::Acknowledged && receipt.evidence_sha256.as_deref() == Some(digest)
    };
    Ok(known.into_iter().find(same))
}
