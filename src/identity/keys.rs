//! Public keys in the forms that issuers publish them: JWK sets and PEM.
//!
//! Picks the keys that fit the configured algorithm; fetches nothing.

use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::Algorithm;

/// The keys of one issuer by key id.
pub(super) type KeyMap = HashMap<String, Arc<DecodingKey>>;

/// More keys than any honest issuer has in use at once.
const MOST_KEYS: usize = 100;

/// The keys of a JWK set that sign with `algorithm`; those of other kinds or without a key id are passed over.
///
/// None if the document is no key set at all.
pub(super) fn from_jwk_set(document: &[u8], algorithm: Algorithm) -> Option<KeyMap> {
    #[derive(Deserialize)]
    struct JwkSet {
        keys: Vec<Value>,
    }
    let set: JwkSet = serde_json::from_slice(document).ok()?;
    Some(set.keys.iter().take(MOST_KEYS).filter_map(|jwk| from_jwk(jwk, algorithm)).collect())
}

/// The key id and the key of a JWK, if it is one that signs with `algorithm`.
pub(super) fn from_jwk(jwk: &Value, algorithm: Algorithm) -> Option<(String, Arc<DecodingKey>)> {
    let text = |member: &str| jwk[member].as_str();
    let unless_other = |member: &str, expected: &str| jwk.get(member).is_none_or(|value| value == expected);
    if !unless_other("use", "sig") || !unless_other("alg", algorithm.as_str()) || !may_verify(jwk) {
        return None;
    }
    let key = match (algorithm, text("kty")?, text("crv")) {
        (Algorithm::EdDSA, "OKP", Some("Ed25519")) => DecodingKey::from_ed_components(text("x")?),
        (Algorithm::ES256, "EC", Some("P-256")) => DecodingKey::from_ec_components(text("x")?, text("y")?),
        (Algorithm::RS256, "RSA", None) => DecodingKey::from_rsa_components(text("n")?, text("e")?),
        _ => return None,
    };
    Some((text("kid")?.to_owned(), Arc::new(key.ok()?)))
}

fn may_verify(jwk: &Value) -> bool {
    jwk.get("key_ops").is_none_or(|uses| uses.as_array().is_some_and(|uses| uses.iter().any(|one| one == "verify")))
}

/// The public key in `pem`, if it is one for `algorithm`.
pub(super) fn from_pem(pem: &str, algorithm: Algorithm) -> Option<Arc<DecodingKey>> {
    let key = match algorithm {
        Algorithm::EdDSA => DecodingKey::from_ed_pem(pem.as_bytes()),
        Algorithm::ES256 => DecodingKey::from_ec_pem(pem.as_bytes()),
        Algorithm::RS256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
    };
    key.ok().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::SigningKey;
    use crate::entropy::Entropy;

    fn jwk() -> Value {
        SigningKey::generate(&Entropy::seeded(1)).to_jwk()
    }

    fn changed(member: &str, value: Value) -> Value {
        let mut jwk = jwk();
        jwk[member] = value;
        jwk
    }

    #[test]
    fn keys_for_another_purpose_are_passed_over() {
        assert!(from_jwk(&jwk(), Algorithm::EdDSA).is_some());
        assert!(from_jwk(&jwk(), Algorithm::ES256).is_none());
        for (member, value) in [
            ("use", json!("enc")),
            ("alg", json!("ES256")),
            ("kty", json!("oct")),
            ("crv", json!("X25519")),
            ("kid", json!(7)),
            ("x", json!("***")),
            ("key_ops", json!(["sign"])),
        ] {
            assert!(from_jwk(&changed(member, value), Algorithm::EdDSA).is_none(), "{member}");
        }
        assert!(from_jwk(&changed("key_ops", json!(["verify"])), Algorithm::EdDSA).is_some());
    }

    #[test]
    fn a_set_is_read_around_what_is_not_understood() {
        let set = json!({"keys": [{"kty": "AKP", "alg": "ML-DSA-44"}, 7, jwk()], "more": true}).to_string();
        assert_eq!(from_jwk_set(set.as_bytes(), Algorithm::EdDSA).map(|keys| keys.len()), Some(1));
        for no_set in ["", "<html>", "{}", "[]", r#"{"keys": 1}"#] {
            assert!(from_jwk_set(no_set.as_bytes(), Algorithm::EdDSA).is_none(), "{no_set}");
        }
    }
}
