//! Sub-processors whose notices are received as signed webhooks: how they are entered and shown. Checks no signature.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::agreement::product;
use super::fault::Faults;
use super::id::SourceId;
use super::parse::{Object, Place};
use super::span::Span;

/// What is entered of a source, or its new state.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSource {
    /// The sub-processor, by name.
    pub name: String,
    /// The secret of the endpoint, as the sub-processor's service showed it once. Without it nothing is accepted.
    pub secret: Option<String>,
    /// The sub-processor's public key; if given, its `v1a` signature must hold too.
    pub public_key: Option<String>,
    /// The product whose controllers are told at once; without it, staff say who is affected.
    pub product: Option<String>,
    /// Within which time the sub-processor has to tell.
    pub agreed_within: Option<Span>,
}

/// A source as it stands; never with its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// The sub-processor, by name.
    pub name: String,
    /// Whether a secret is set.
    pub has_secret: bool,
    /// The sub-processor's public key.
    pub public_key: Option<String>,
    /// The product whose controllers are told at once.
    pub product: Option<String>,
    /// Within which time the sub-processor has to tell.
    pub agreed_within: Option<Span>,
    /// Counts from 1.
    pub version: i32,
    /// When it was entered, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was changed last, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub changed_at: OffsetDateTime,
}

/// Says what is wrong with a key in its written form.
pub type KeyRule<'a> = &'a dyn Fn(&str) -> bool;

impl NewSource {
    /// Reads the body of a source; answers all faults at once. The rules judge the written forms of secret and key.
    pub fn parse(body: &Value, is_secret: KeyRule<'_>, is_key: KeyRule<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Place::root(body)
            .object(&mut faults)
            .and_then(|object| Self::members(object, is_secret, is_key, &mut faults));
        faults.finish(read)
    }

    fn members(
        mut object: Object<'_>,
        is_secret: KeyRule<'_>,
        is_key: KeyRule<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let name = object.required("name", faults, |place, faults| place.text(200, faults));
        let secret = object.optional("secret", faults, |place, faults| {
            written(place, is_secret, "Expected whsec_ and 24 to 64 bytes in base64.", faults)
        });
        let public_key = object.optional("public_key", faults, |place, faults| {
            written(place, is_key, "Expected whpk_ and 32 bytes in base64.", faults)
        });
        let product = object.optional("product", faults, product);
        let agreed_within = object.optional("agreed_within", faults, Place::parsed);
        object.close(faults);
        Some(Self {
            name: name?,
            secret: secret?,
            public_key: public_key?,
            product: product?,
            agreed_within: agreed_within?,
        })
    }
}

fn written(place: &Place<'_>, rule: KeyRule<'_>, expected: &str, faults: &mut Faults) -> Option<String> {
    let text = place.text(200, faults)?;
    if rule(&text) {
        return Some(text);
    }
    faults.add(&place.pointer, "key", expected);
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<NewSource, Faults> {
        NewSource::parse(body, &|text| text.starts_with("whsec_"), &|text| text.starts_with("whpk_"))
    }

    #[test]
    fn only_the_name_is_required() {
        let source = parse(&json!({"name": "Hosting GmbH"})).unwrap();
        assert_eq!((source.name.as_str(), source.secret, source.product), ("Hosting GmbH", None, None));
    }

    #[test]
    fn all_faults_come_at_once() {
        let bad = json!({"secret": "x", "public_key": "y", "agreed_within": "soon", "colour": 1});
        let faults = parse(&bad).err().unwrap();
        let found: Vec<_> = faults.as_slice().iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(found, ["/name", "/secret", "/public_key", "/agreed_within", "/colour"]);
    }
}
