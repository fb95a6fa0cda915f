//! An issuer with an Ed25519 key, tokens made by hand, and verifiers that trust it.

use std::sync::Arc;

use art33::crypto::SigningKey;
use art33::entropy::Entropy;
use art33::identity::{Algorithm, Claims, Fetch, Issuer, KeySource, TokenError, Verifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-22 00:40:00 UTC);
pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const AUDIENCE: &str = "art33";

pub(crate) fn key(seed: u64) -> SigningKey {
    SigningKey::generate(&Entropy::seeded(seed))
}

pub(crate) fn seconds(offset: i64) -> i64 {
    NOW.unix_timestamp() + offset
}

pub(crate) fn header(key: &SigningKey) -> Value {
    json!({"alg": "EdDSA", "typ": "JWT", "kid": key.key_id()})
}

pub(crate) fn payload() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "org": "org_1", "scope": "incidents:read notices:ack",
        "exp": seconds(3600), "nbf": seconds(-10), "iat": seconds(-10), "name": "Breach desk", "jti": "t-1",
    })
}

/// What `value` becomes with one member changed, or taken away by null.
pub(crate) fn with(mut value: Value, member: &str, new: Value) -> Value {
    let members = value.as_object_mut().unwrap();
    if new.is_null() {
        members.remove(member);
    } else {
        members.insert(member.to_owned(), new);
    }
    value
}

/// The signed input of a token, from whatever texts stand for its header and payload.
pub(crate) fn signed_input(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

pub(crate) fn token_of_texts(key: &SigningKey, header: &str, payload: &str) -> String {
    let signed = signed_input(header, payload);
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

pub(crate) fn token(key: &SigningKey, header: &Value, payload: &Value) -> String {
    token_of_texts(key, &header.to_string(), &payload.to_string())
}

/// A verifier that trusts one issuer with this algorithm and these keys, and fetches nothing.
pub(crate) fn verifier_for(algorithm: Algorithm, keys: KeySource) -> Verifier {
    let fetch: Fetch = Arc::new(|_| Box::pin(async { Err("nothing is fetched here".to_owned()) }));
    verifier_with(algorithm, keys, &fetch)
}

pub(crate) fn verifier_with(algorithm: Algorithm, keys: KeySource, fetch: &Fetch) -> Verifier {
    let issuer = Issuer { issuer: ISSUER.to_owned(), algorithm, keys };
    Verifier::new(vec![issuer], AUDIENCE, Duration::DAY, fetch).unwrap()
}

/// What a verifier that trusts `key` says to `token` at the time of these tests.
pub(crate) async fn verify(key: &SigningKey, token: &str) -> Result<Claims, TokenError> {
    verifier_for(Algorithm::EdDSA, KeySource::Builtin(key.to_jwk())).verify(token, NOW).await
}
