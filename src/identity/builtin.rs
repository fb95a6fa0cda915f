//! The issuer inside the service, for those who have no identity provider of their own.
//!
//! Only signs what it is told to; who may ask it is decided elsewhere.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{Algorithm, Issuer, KeySource};
use crate::crypto::SigningKey;

/// Issues tokens under a key of our own.
#[derive(Clone, Debug)]
pub struct BuiltinIssuer {
    /// The key that signs them.
    pub key: SigningKey,
    /// What they carry as `iss`.
    pub issuer: String,
    /// What they carry as `aud`.
    pub audience: String,
}

/// What a token is to say about its holder.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The person or program (`sub`).
    pub subject: String,
    /// The organisation it acts for (`org`).
    pub organisation: String,
    /// What it may do (`scope`).
    pub scopes: Vec<String>,
    /// Its name for people (`name`).
    pub name: Option<String>,
    /// The id of the token (`jti`).
    pub token_id: Option<String>,
}

impl BuiltinIssuer {
    /// A token that is good from `now` for as long as `ttl`, counted in whole seconds.
    pub fn issue(&self, grant: &Grant, now: OffsetDateTime, ttl: Duration) -> String {
        let from = now.unix_timestamp();
        let mut payload = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "iat": from,
            "nbf": from,
            "exp": from.saturating_add(ttl.whole_seconds()),
            "sub": grant.subject,
            "org": grant.organisation,
            "scope": grant.scopes.join(" "),
        });
        for (member, value) in [("name", &grant.name), ("jti", &grant.token_id)] {
            if let Some(value) = value {
                payload[member] = json!(value);
            }
        }
        self.key.sign_jws("JWT", &payload)
    }

    /// The entry that makes a verifier trust this issuer.
    pub fn trusted(&self) -> Issuer {
        Issuer { issuer: self.issuer.clone(), algorithm: Algorithm::EdDSA, keys: KeySource::Builtin(self.key.to_jwk()) }
    }
}
