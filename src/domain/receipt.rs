//! Receipts: signed statements of how far a notice has come, and by what that is proved. Signs nothing.

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::fault::Faults;
use super::id::{NoticeId, ReceiptId};
use super::parse::Place;
use super::vocabulary::{Channel, code_list};

code_list! {
    /// How far a notice has come, weakest first; the last one stands apart.
    ///
    /// `filed`: it exists. `attempted`: it was sent. `accepted`: the other side's machine took it. `delivered`: it reached the
    /// controller's sphere. `accessed`: the controller fetched it. `acknowledged`: the controller says that it has it.
    /// `disputed`: the controller says that it is not meant or that it is wrong.
    ReceiptLevel {
        Filed "filed",
        Attempted "attempted",
        Accepted "accepted",
        Delivered "delivered",
        Accessed "accessed",
        Acknowledged "acknowledged",
        Disputed "disputed",
    }
}

code_list! {
    /// By what a level is proved.
    ///
    /// `token`: the controller's own token. `link`: a link that was sent to it and works once. `signature`: its own key.
    /// `manual`: a person who spoke to it. `webhook`, `mail`: what the machine there answered.
    Means {
        Token "token",
        Link "link",
        Signature "signature",
        Manual "manual",
        Webhook "webhook",
        Mail "mail",
    }
}

impl From<Channel> for Means {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Webhook => Self::Webhook,
            Channel::Email => Self::Mail,
            Channel::Manual => Self::Manual,
        }
    }
}

code_list! {
    /// Why a controller disputes a notice.
    DisputeReason {
        NotOurs "not_ours",
        WrongContent "wrong_content",
        Other "other",
    }
}

/// The person at the controller who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acknowledger {
    /// Name.
    pub name: String,
    /// Role at the controller.
    pub role: String,
}

impl Acknowledger {
    /// Reads name and role.
    pub fn parse(place: &Place<'_>, faults: &mut Faults) -> Option<Self> {
        let mut object = place.object(faults)?;
        let name = object.required("name", faults, |place, faults| place.text(200, faults));
        let role = object.required("role", faults, |place, faults| place.text(100, faults));
        object.close(faults);
        Some(Self { name: name?, role: role? })
    }
}

/// What somebody who has a notice says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// Why.
    pub reason: DisputeReason,
    /// Who says so.
    pub by: Acknowledger,
    /// More, in words.
    pub note: Option<String>,
}

impl Dispute {
    /// Reads the body of a dispute; answers all faults at once.
    pub fn parse(body: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|mut object| {
            let reason =
                object.required("reason", &mut faults, |place, faults| place.code(DisputeReason::CODES, faults));
            let by = object.required("by", &mut faults, Acknowledger::parse);
            let note = object.optional("note", &mut faults, |place, faults| place.text(4000, faults));
            object.close(&mut faults);
            Some(Self { reason: reason?, by: by?, note: note? })
        });
        faults.finish(read)
    }

    /// The statement as it is kept and hashed.
    pub fn statement(&self) -> String {
        json!({"reason": self.reason, "note": self.note}).to_string()
    }
}

/// A level that was reached, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The level.
    pub level: ReceiptLevel,
    /// When, UTC.
    pub at: OffsetDateTime,
    /// By what; none for what happened here.
    pub means: Option<Means>,
    /// Who, where a person did it.
    pub by: Option<Acknowledger>,
    /// SHA-256 of the evidence.
    pub evidence_sha256: Option<String>,
    /// The evidence itself, where it is kept with the receipt.
    pub evidence: Option<String>,
}

impl Stage {
    /// A level that was reached at `at`, without more.
    pub fn new(level: ReceiptLevel, at: OffsetDateTime) -> Self {
        Self { level, at, means: None, by: None, evidence_sha256: None, evidence: None }
    }

    /// The same, proved by `means`.
    #[must_use]
    pub fn by_means(self, means: Means) -> Self {
        Self { means: Some(means), ..self }
    }

    /// The same, done by a person.
    #[must_use]
    pub fn by_person(self, by: Acknowledger) -> Self {
        Self { by: Some(by), ..self }
    }

    /// The same with the digest of what proves it.
    #[must_use]
    pub fn proved_by(self, evidence_sha256: Option<String>) -> Self {
        Self { evidence_sha256, ..self }
    }
}

/// The id of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptName {
    /// It is stored.
    Stored(ReceiptId),
    /// It is written anew, and the same, whenever it is read.
    Derived(NoticeId, ReceiptLevel),
}

impl std::fmt::Display for ReceiptName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stored(id) => formatter.write_str(id.as_str()),
            Self::Derived(notice, level) => write!(formatter, "{notice}#{level}"),
        }
    }
}

impl Serialize for ReceiptName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A signed statement that a notice got somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The id.
    pub id: ReceiptName,
    /// The notice.
    pub notice: NoticeId,
    /// What it proves.
    pub level: ReceiptLevel,
    /// When, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// By what that is proved.
    pub means: Option<Means>,
    /// Who, where a person did it.
    pub by: Option<Acknowledger>,
    /// SHA-256 of the notice it speaks of.
    pub content_sha256: String,
    /// SHA-256 of what proves it.
    pub evidence_sha256: Option<String>,
    /// What proves it, where that is kept with the receipt: the controller's own signed statement, or its words.
    pub evidence: Option<String>,
    /// SHA-256 of the JWS of the receipt before it.
    pub previous_sha256: Option<String>,
    /// The statement, signed: JWS, `EdDSA`, compact.
    pub jws: String,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_dispute_needs_a_reason_and_a_person() {
        let by = json!({"name": "Privacy desk", "role": "data protection officer"});
        let dispute = Dispute::parse(&json!({"reason": "not_ours", "by": by})).unwrap();
        assert_eq!(
            (dispute.reason, dispute.statement().as_str()),
            (DisputeReason::NotOurs, r#"{"note":null,"reason":"not_ours"}"#)
        );
        let faults = Dispute::parse(&json!({"reason": "lost", "by": {"name": ""}, "colour": 1})).err().unwrap();
        let found: Vec<_> = faults.as_slice().iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(found, ["/reason", "/by/name", "/by/role", "/colour"]);
    }

    #[test]
    fn derived_receipts_have_ids_that_stay() {
        let notice = NoticeId::from_bytes([7; 16]);
        let name = ReceiptName::Derived(notice.clone(), ReceiptLevel::Filed);
        assert_eq!(name.to_string(), format!("{notice}#filed"));
    }
}
