//! Compact JSON Web Signatures (RFC 7515) with `EdDSA`, as receipts carry them.
//!
//! Signatures only: what the payload says, and whether its time has passed, is judged by the caller.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{CryptoError, SigningKey};

impl SigningKey {
    /// `payload` as a compact JWS with the members `alg`, `kid` and `typ` in its header.
    pub fn sign_jws(&self, typ: &str, payload: &Value) -> String {
        let header = json!({"alg": "EdDSA", "kid": self.key_id(), "typ": typ});
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload.to_string(), &mut token);
        let signature = self.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

/// A compact JWS that was taken apart and not checked yet.
#[derive(Debug, Clone)]
pub struct UncheckedJws<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    header: Value,
}

impl<'t> UncheckedJws<'t> {
    /// Takes a compact JWS apart. Refuses every algorithm but `EdDSA`, and any `crit`.
    pub fn read(token: &'t str) -> Result<Self, CryptoError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(CryptoError::Malformed)?;
        let (header, _) = signed.split_once('.').ok_or(CryptoError::Malformed)?;
        let header: Value = json_part(header)?;
        if header["alg"] != "EdDSA" || header.get("crit").is_some() {
            return Err(CryptoError::UnknownKey);
        }
        Ok(Self { signed, signature: bytes(signature)?, header })
    }

    /// The name of the key that is said to have signed it.
    pub fn key_id(&self) -> Option<&str> {
        self.header["kid"].as_str()
    }

    /// The payload, if `key` has signed it.
    pub fn payload(&self, key: &[u8]) -> Result<Value, CryptoError> {
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify(self.signed.as_bytes(), &self.signature).map_err(|_| CryptoError::WrongSignature)?;
        let (_, payload) = self.signed.split_once('.').ok_or(CryptoError::Malformed)?;
        json_part(payload)
    }
}

/// The payload of a compact JWS that a key of the set `{"keys": [JWK…]}` has signed with `EdDSA` as `typ`.
///
/// The key is found by the header's `kid`; another `typ`, any other algorithm and any `crit` are refused.
pub fn verify_jws(key_set: &Value, typ: &str, token: &str) -> Result<Value, CryptoError> {
    let unchecked = UncheckedJws::read(token)?;
    if unchecked.header["typ"] != typ {
        return Err(CryptoError::UnknownKey);
    }
    unchecked.payload(&find(key_set, unchecked.key_id()).ok_or(CryptoError::UnknownKey)?)
}

fn find(key_set: &Value, key_id: Option<&str>) -> Option<Vec<u8>> {
    let keys = key_set["keys"].as_array()?;
    let wanted = |jwk: &&Value| jwk["kid"].as_str() == key_id && jwk["kty"] == "OKP" && jwk["crv"] == "Ed25519";
    let jwk = keys.iter().find(wanted).filter(|_| key_id.is_some())?;
    bytes(jwk["x"].as_str()?).ok()
}

fn json_part(part: &str) -> Result<Value, CryptoError> {
    serde_json::from_slice(&bytes(part)?).map_err(|_| CryptoError::Malformed)
}

fn bytes(part: &str) -> Result<Vec<u8>, CryptoError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| CryptoError::Malformed)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    const TYP: &str = "art33-receipt+jws";

    fn key(seed: u64) -> SigningKey {
        SigningKey::generate(&Entropy::seeded(seed))
    }

    fn set(keys: &[&SigningKey]) -> Value {
        json!({"keys": keys.iter().map(|key| key.to_jwk()).collect::<Vec<_>>()})
    }

    #[test]
    fn a_signed_payload_comes_back() {
        let payload = json!({"notice": "ntc_1", "level": "delivered"});
        let (old, new) = (key(1), key(2));
        let token = old.sign_jws(TYP, &payload);
        assert_eq!(verify_jws(&set(&[&new, &old]), TYP, &token), Ok(payload));
    }

    #[test]
    fn jsonwebtoken_accepts_it_with_the_published_key() {
        let key = key(1);
        let token = key.sign_jws(TYP, &json!({"level": "delivered"}));
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.to_jwk()).unwrap();
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Value>(&token, &(&jwk).try_into().unwrap(), &rules).unwrap();
        assert_eq!(decoded.claims["level"], "delivered");
        assert_eq!(decoded.header.kid.as_deref(), Some(key.key_id()));
    }

    #[test]
    fn a_changed_payload_is_refused() {
        let key = key(1);
        let token = key.sign_jws(TYP, &json!({"level": "accepted"}));
        let other = key.sign_jws(TYP, &json!({"level": "delivered"}));
        let (signed, _) = other.rsplit_once('.').unwrap();
        let (_, signature) = token.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{signature}");
        assert_eq!(verify_jws(&set(&[&key]), TYP, &forged), Err(CryptoError::WrongSignature));
    }

    #[test]
    fn a_key_outside_the_set_another_type_or_another_form_is_refused() {
        let key = key(1);
        let token = key.sign_jws(TYP, &json!({}));
        assert_eq!(verify_jws(&set(&[]), TYP, &token), Err(CryptoError::UnknownKey));
        assert_eq!(verify_jws(&set(&[&key]), "JWT", &token), Err(CryptoError::UnknownKey));
        assert_eq!(verify_jws(&set(&[&key]), TYP, "a.b"), Err(CryptoError::Malformed));
        assert_eq!(verify_jws(&set(&[&key]), TYP, ""), Err(CryptoError::Malformed));
    }

    #[test]
    fn another_algorithm_or_a_critical_extension_is_refused() {
        let key = key(1);
        for header in [
            json!({"alg": "none", "typ": TYP, "kid": key.key_id()}),
            json!({"alg": "HS256", "typ": TYP, "kid": key.key_id()}),
            json!({"alg": "EdDSA", "typ": TYP, "kid": key.key_id(), "crit": ["b64"]}),
            json!({"alg": "EdDSA", "typ": TYP}),
        ] {
            let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode("{}"));
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())));
            assert_eq!(verify_jws(&set(&[&key]), TYP, &token), Err(CryptoError::UnknownKey), "{header}");
        }
    }
}
