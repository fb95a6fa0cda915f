//! The public keys with which a controller signs its own acknowledgements: how they are entered and shown. Checks no signature.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::fault::Faults;
use super::id::ReceiverKeyId;
use super::parse::Place;
use super::statement::SKEW;

/// A key to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReceiverKey {
    /// What it is called.
    pub name: String,
    /// `whpk_` and 32 bytes in base64.
    pub public_key: String,
}

impl NewReceiverKey {
    /// Reads the body of a key; answers all faults at once. The rule judges the written form of the key.
    pub fn parse(body: &Value, is_key: &dyn Fn(&str) -> bool) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body).object(&mut faults).and_then(|mut object| {
            let name = object.required("name", &mut faults, |place, faults| place.text(200, faults));
            let public_key = object.required("public_key", &mut faults, |place, faults| {
                let text = place.text(200, faults)?;
                let good = is_key(&text);
                if !good {
                    faults.add(&place.pointer, "key", "Expected whpk_ and the 32 bytes of an Ed25519 key in base64.");
                }
                good.then_some(text)
            });
            object.close(&mut faults);
            Some(Self { name: name?, public_key: public_key? })
        });
        faults.finish(read)
    }
}

/// A key as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiverKey {
    /// Its id, which is the `kid` of what it signs.
    pub id: ReceiverKeyId,
    /// What it is called.
    pub name: String,
    /// `whpk_` and 32 bytes in base64.
    pub public_key: String,
    /// When it was registered, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Since when nothing that it signs is believed, UTC.
    #[serde(with = "time::serde::rfc3339::option")]
    pub retired_at: Option<OffsetDateTime>,
}

impl ReceiverKey {
    /// Whether a statement that the key signed as of `signed_at` is believed at `now`.
    ///
    /// What comes in long after the key was retired is not, whatever time it bears: whoever has a lost key can write any time.
    pub fn speaks(&self, signed_at: OffsetDateTime, now: OffsetDateTime) -> bool {
        let in_use = |at| self.retired_at.is_none_or(|retired| signed_at < retired && at <= retired + SKEW);
        signed_at <= now + SKEW && in_use(now)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const MADE: OffsetDateTime = datetime!(2026-11-22 00:40 UTC);

    fn key(retired_at: Option<OffsetDateTime>) -> ReceiverKey {
        let (id, name) = (ReceiverKeyId::from_bytes([1; 16]), "Signing desk".to_owned());
        ReceiverKey { id, name, public_key: "whpk_".to_owned(), created_at: MADE, retired_at }
    }

    #[test]
    fn a_key_speaks_until_it_is_retired_and_not_ahead_of_time() {
        let at = |minutes| MADE + Duration::minutes(minutes);
        assert!(key(None).speaks(at(0), at(600)));
        assert!(key(None).speaks(at(5), at(0)));
        assert!(!key(None).speaks(at(6), at(0)));
        let retired = key(Some(at(60)));
        assert!(retired.speaks(at(59), at(65)));
        assert!(!retired.speaks(at(60), at(61)), "not from then on");
        assert!(!retired.speaks(at(1), at(66)), "nor dated back");
    }

    #[test]
    fn all_faults_come_at_once() {
        let parse = |body: &Value| NewReceiverKey::parse(body, &|text| text == "good");
        assert_eq!(parse(&json!({"name": "x", "public_key": "good"})).unwrap().name, "x");
        let faults = parse(&json!({"public_key": "bad", "organisation": "org_1"})).err().unwrap();
        let found: Vec<_> = faults.as_slice().iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(found, ["/name", "/public_key", "/organisation"]);
    }
}
