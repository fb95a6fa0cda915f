//! Identifiers: TypeIDs (prefix and UUIDv7), one Rust type per kind of thing. Never makes randomness; the bytes are handed in.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use type_safe_id::{StaticType, TypeSafeId};

/// The id of one thing of kind `K`, in its canonical text form.
pub struct Id<K>(String, PhantomData<fn() -> K>);

/// A text that is not an id of the expected kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected an id that starts with `{expected}_`")]
pub struct InvalidId {
    /// The prefix that was expected.
    pub expected: &'static str,
}

impl<K: StaticType> Id<K> {
    /// Builds an id from the 16 bytes of a UUIDv7.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(TypeSafeId::<K>::from_uuid(uuid::Uuid::from_bytes(bytes)).to_string(), PhantomData)
    }

    /// The canonical text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<K: StaticType> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.parse::<TypeSafeId<K>>() {
            Ok(_) => Ok(Self(text.to_owned(), PhantomData)),
            Err(_) => Err(InvalidId { expected: K::TYPE }),
        }
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, K: StaticType> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

macro_rules! kinds {
    ($($kind:ident $alias:ident $prefix:literal $doc:literal;)*) => {
        $(
            #[doc = concat!("Marks ids of ", $doc, ".")]
            #[derive(Debug, Default)]
            pub struct $kind;
            impl StaticType for $kind {
                const TYPE: &'static str = $prefix;
            }
            #[doc = concat!("The id of ", $doc, ".")]
            pub type $alias = Id<$kind>;
        )*
    };
}

kinds! {
    Organisation OrganisationId "org" "an organisation";
    Agreement AgreementId "agr" "an agreement";
    Incident IncidentId "inc" "an incident";
    Notice NoticeId "ntc" "a notice";
    Duty DutyId "dut" "a duty";
    Delivery DeliveryId "dlv" "a delivery";
    Receipt ReceiptId "rcp" "a receipt";
    Webhook WebhookId "whk" "a webhook endpoint";
    Mailbox MailboxId "mbx" "a mailbox";
    Task TaskId "tsk" "a task for a person";
    ReceiverKey ReceiverKeyId "rky" "a receiver's public key";
    MailReport MailReportId "mrp" "a report of a mail server";
    Instruction InstructionId "ins" "an instruction";
    Decision DecisionId "dec" "a decision";
    AuthorityFiling FilingId "fil" "a filing with an authority";
    Source SourceId "src" "a sub-processor whose notices are received";
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_keeps_its_kind() {
        let id = IncidentId::from_bytes([7; 16]);
        assert!(id.as_str().starts_with("inc_"));
        assert_eq!(id.as_str().parse::<IncidentId>().unwrap(), id);
        assert_eq!(id.as_str().parse::<NoticeId>(), Err(InvalidId { expected: "ntc" }));
    }
}
