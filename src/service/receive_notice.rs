//! Receiving a sub-processor's notice: a signed message from its service becomes an incident here, once, with its origin.

use serde::Serialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::derive::Ground;
use super::telling::legal_day;
use super::{Idempotency, Service, ServiceError};
use crate::crypto::{SenderKey, SignedHeaders, WebhookSecret, is_genuine, sha256_hex};
use crate::domain::actor::Actor;
use crate::domain::content::{OpenItem, Unknown};
use crate::domain::duty_record::Duty;
use crate::domain::id::{IncidentId, OrganisationId, SourceId};
use crate::domain::ledger::{NewEntry, Stream};
use crate::domain::vocabulary::ContentMember;
use crate::store::sources::{self, KeyedSource, Message, secret_context};
use crate::store::{AnyConnection, duties, ledger, parties};

/// Within which time staff is to have read a sub-processor's notice; an alarm, never a legal limit.
const READING: Duration = Duration::hours(4);
/// What it is called until somebody has read it; controllers see it, so it names nobody.
const TITLE: &str = "Notice of a sub-processor";
/// What stands for content that nobody has read yet.
const UNREAD: &str = "the sub-processor's notice has not been read yet";

/// What the duty to pass on a later message is about.
const UPDATE: &str = "subprocessor_notice";

/// Whether the duty is to pass on what a sub-processor has said since.
pub(super) fn is_update(duty: &Duty) -> bool {
    duty.about.as_deref() == Some(UPDATE)
}

/// A message as it came in.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: String,
    /// `webhook-signature`.
    pub signature: String,
    /// The exact bytes.
    pub body: Vec<u8>,
}

/// A message that is kept with its incident.
struct Kept {
    id: String,
    body: String,
    incident: IncidentId,
    /// Whether the incident was known before.
    is_update: bool,
}

/// What the sender's service says of its notice.
struct Told {
    event: String,
    remote_incident: String,
    reference: String,
    notice_url: Option<String>,
    content_sha256: Option<String>,
}

/// What a message of a source is.
enum Read {
    Notice(Told),
    /// It only tries the endpoint; where it wants to see an echo, that is answered.
    Trial {
        challenge: Option<String>,
    },
}

/// The longest echo that is answered, in characters.
const LONGEST_CHALLENGE: usize = 200;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The incident here; none for a message that only tries the endpoint.
    pub incident: Option<IncidentId>,
    /// What the message wanted to be echoed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
}

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub enum InboundError {
    /// It is not signed as it must be.
    #[error("the signature is missing, wrong, or older than five minutes")]
    NotGenuine,
    /// No secret is set yet.
    #[error("no secret is set for this source yet")]
    NoSecret,
    /// It is signed, but not a notice of another service like this one.
    #[error("the body is not a message that is understood here")]
    NotUnderstood,
    /// Anything else.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Service {
    /// Takes a message for the source `id`: the first notice of an incident becomes one here, later ones are kept with it. The same
    /// message again changes nothing. Answers the incident; none for a message that only tries the endpoint.
    pub async fn receive_notice(&self, id: SourceId, inbound: Inbound) -> Result<Taken, InboundError> {
        let now = self.clock.now();
        let wanted = id.clone();
        let found = self.store.read(move |connection| Ok::<_, ServiceError>(sources::keyed(connection, &wanted)?));
        let keyed = found.await?.ok_or(ServiceError::NotFound)?;
        self.check(&keyed, &inbound, now)?;
        let text = String::from_utf8(inbound.body).map_err(|_| InboundError::NotUnderstood)?;
        let told = Told::read(&text)?;
        let told = match told {
            Read::Notice(told) => told,
            Read::Trial { challenge } => return Ok(Taken { incident: None, challenge }),
        };
        let (source, remote) = (id.clone(), told.remote_incident.clone());
        let known = self
            .store
            .read(move |connection| Ok::<_, ServiceError>(sources::incident_of(connection, &source, &remote)?))
            .await?;
        let is_update = known.is_some();
        let incident = match known {
            Some(incident) => incident,
            None => self.file_received(&keyed, &told, now).await?,
        };
        let message = Kept { id: inbound.id, body: text, incident: incident.clone(), is_update };
        self.keep_message(&keyed, &told, message, now).await?;
        Ok(Taken { incident: Some(incident), challenge: None })
    }

    fn check(&self, keyed: &KeyedSource, inbound: &Inbound, now: OffsetDateTime) -> Result<(), InboundError> {
        let sealed = keyed.secret_sealed.as_ref().ok_or(InboundError::NoSecret)?;
        let opened = self.master_key.open(&secret_context(&keyed.source.id), sealed).map_err(ServiceError::from)?;
        let secret = WebhookSecret::from_bytes(opened).map_err(ServiceError::from)?;
        let key = keyed.source.public_key.as_deref().map(SenderKey::parse).transpose().map_err(ServiceError::from)?;
        let headers = SignedHeaders { id: &inbound.id, timestamp: &inbound.timestamp, signature: &inbound.signature };
        if is_genuine(headers, &inbound.body, &secret, key.as_ref(), now.unix_timestamp()) {
            Ok(())
        } else {
            Err(InboundError::NotGenuine)
        }
    }

    /// Files what was received. The sender's own incident is the key, so that several messages at once file it once.
    async fn file_received(
        &self,
        keyed: &KeyedSource,
        told: &Told,
        now: OffsetDateTime,
    ) -> Result<IncidentId, ServiceError> {
        let actor = Actor::service(keyed.processor.clone());
        let product = keyed.source.product.as_deref();
        let key = format!("received:{}:{}", keyed.source.id, told.remote_incident);
        // The digest is that of the key: of two messages about one incident the first to arrive is filed, the other is kept with it.
        let idempotency = Idempotency::new(&key, key.as_bytes());
        let body = filing(keyed, told, product, now)?;
        let answer = match self.file_incident(&actor, Some(idempotency.clone()), body).await {
            // Nobody has to be told of that product, or not like this. What we know now must not be lost for that.
            Err(ServiceError::Refused(_)) if product.is_some() => {
                let body = filing(keyed, told, None, now)?;
                self.file_incident(&actor, Some(idempotency), body).await?
            }
            filed => filed?,
        };
        let filed: Value = serde_json::from_str(&answer.body)?;
        let id = filed["id"].as_str().and_then(|id| id.parse().ok());
        id.ok_or_else(|| ServiceError::Internal("a filing answered no id".into()))
    }

    async fn keep_message(
        &self,
        keyed: &KeyedSource,
        told: &Told,
        message: Kept,
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let (source, processor) = (keyed.source.id.clone(), keyed.processor.clone());
        let (event, remote) = (told.event.clone(), told.remote_incident.clone());
        let service = self.clone();
        let work = move |connection: &mut AnyConnection| {
            let Kept { id, body, incident, is_update } = &message;
            let kept = Message { source: &source, id, remote_incident: &remote, body, incident };
            if !sources::keep(connection, kept, now)? {
                return Ok(());
            }
            let entry = NewEntry {
                stream: Stream::Incident(incident.clone()),
                tenant: processor.clone(),
                counterpart: None,
                kind: "notice.received",
                object: id.clone(),
                facts: json!({"source": source, "type": event, "body_sha256": sha256_hex(body.as_bytes())}),
                actor: Actor::service(processor.clone()),
                at: now,
            };
            ledger::append(connection, &[entry])?;
            if *is_update {
                service.note_update(connection, &processor, incident, now)?;
            }
            Ok::<_, ServiceError>(())
        };
        self.store.write(work).await
    }
}

impl Service {
    /// A later message of the sub-processor leaves something to do: somebody has to read it and pass on what it says.
    fn note_update(
        &self,
        connection: &mut AnyConnection,
        processor: &OrganisationId,
        incident: &IncidentId,
        now: OffsetDateTime,
    ) -> Result<(), ServiceError> {
        let Some(known) = parties::processor(connection, processor)? else { return Ok(()) };
        let ground = Ground { incident, processor, seat: &known.seat, drill: false, now };
        let unknown = Unknown { reason: UNREAD.to_owned(), owner: None, expected_by: Some(now + READING) };
        let item = OpenItem { member: ContentMember::Nature, unknown };
        let rows = self.rows_in_force(legal_day(now));
        let owed = self.item_duties(ground, &rows, processor, &[item]).into_iter();
        let owed: Vec<_> = owed.map(|duty| Duty { about: Some(UPDATE.to_owned()), ..duty }).collect();
        Ok(duties::insert(connection, &owed)?)
    }
}

impl Told {
    /// Reads the thin body of a notice; `None` for messages that tell of none.
    fn read(text: &str) -> Result<Read, InboundError> {
        let body: Value = serde_json::from_str(text).map_err(|_| InboundError::NotUnderstood)?;
        let event = body["type"].as_str().ok_or(InboundError::NotUnderstood)?;
        if !event.starts_with("notice.") {
            let challenge = body["data"]["challenge"].as_str().filter(|text| text.len() <= LONGEST_CHALLENGE);
            return Ok(Read::Trial { challenge: challenge.map(str::to_owned) });
        }
        let text = |member: &str, limit: usize| {
            let value = body["data"][member].as_str().filter(|text| !text.is_empty() && text.len() <= limit);
            value.filter(|text| !text.contains(char::is_control)).map(str::to_owned)
        };
        Ok(Read::Notice(Self {
            event: event.chars().take(64).collect(),
            remote_incident: text("incident", 100).ok_or(InboundError::NotUnderstood)?,
            reference: text("notice", 100).ok_or(InboundError::NotUnderstood)?,
            notice_url: text("notice_url", 2000),
            content_sha256: text("content_sha256", 64),
        }))
    }
}

/// The filing that a received notice becomes. Its content is unknown until staff has read it where it is kept.
fn filing(keyed: &KeyedSource, told: &Told, product: Option<&str>, now: OffsetDateTime) -> Result<Value, ServiceError> {
    let time = |at: OffsetDateTime| at.format(&Rfc3339).map_err(|error| ServiceError::Internal(error.to_string()));
    let unread = json!({"unknown": UNREAD, "expected_by": time(now + READING)?});
    let source = &keyed.source;
    let mut origin = json!({
        "subprocessor": source.name,
        "received_at": time(now)?,
        "reference": told.reference,
        "source": source.id,
    });
    for (member, value) in [
        ("agreed_within", source.agreed_within.as_ref().map(ToString::to_string)),
        ("notice_url", told.notice_url.clone()),
        ("content_sha256", told.content_sha256.clone()),
    ] {
        if let Some(value) = value {
            origin[member] = value.into();
        }
    }
    let mut filing = json!({
        "kind": "subprocessor_breach",
        "stage": "initial",
        "title": TITLE,
        "detected_at": time(now)?,
        "aware_at": time(now)?,
        "origin": origin,
    });
    for member in ["nature", "data_categories", "contact", "consequences", "measures", "subjects", "records"] {
        filing[member] = unread.clone();
    }
    if let Some(product) = product {
        filing["affected"] = json!({"product": product});
    } else {
        filing["affected"] = json!([]);
        filing["no_duty_reason"] = "which controllers the sub-processor's notice concerns is not known yet".into();
    }
    Ok(filing)
}
