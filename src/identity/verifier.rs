//! The check of a token, from its text to its claims.
//!
//! The algorithm and the key come from the configuration of the issuer; the token can only agree or be refused.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::de::DeserializeOwned;
use time::{Duration, OffsetDateTime};

use super::cache::{Entry, TokenCache};
use super::claims::{Header, Payload};
use super::remote_keys::RemoteKeys;
use super::{Algorithm, Claims, Fetch, Issuer, IssuerError, KeySource, TokenError, keys};
use crate::crypto::sha256;

/// A longer token is refused unread, in bytes.
const LONGEST_TOKEN: usize = 8 * 1024;

/// Checks the tokens of the trusted issuers.
pub struct Verifier {
    issuers: HashMap<String, Trusted>,
    audience: String,
    longest_life: Duration,
    checked: TokenCache,
}

struct Trusted {
    algorithm: Algorithm,
    keys: Keys,
}

enum Keys {
    /// One key, and its id if tokens have to name it.
    One(Option<String>, Arc<DecodingKey>),
    Remote(RemoteKeys),
}

impl Verifier {
    /// A verifier for tokens of `issuers` made for `audience`, with at most `longest_life` ahead of them.
    ///
    /// `fetch` gets the key sets of the issuers that publish them at an address. Fails on an issuer configured twice
    /// and on a key that does not fit its algorithm.
    pub fn new(
        issuers: Vec<Issuer>,
        audience: impl Into<String>,
        longest_life: Duration,
        fetch: &Fetch,
    ) -> Result<Self, IssuerError> {
        let mut trusted = HashMap::new();
        for Issuer { issuer, algorithm, keys } in issuers {
            let keys = load(keys, algorithm, fetch).ok_or_else(|| IssuerError::WrongKey(issuer.clone()))?;
            if trusted.insert(issuer.clone(), Trusted { algorithm, keys }).is_some() {
                return Err(IssuerError::Twice(issuer));
            }
        }
        Ok(Self { issuers: trusted, audience: audience.into(), longest_life, checked: TokenCache::default() })
    }

    /// Who is calling, if `token` is good at the time `now`.
    pub async fn verify(&self, token: &str, now: OffsetDateTime) -> Result<Claims, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload): (Header, Payload) = (part(header)?, part(payload)?);
        let (algorithm, key) = self.key_for(&header, &payload, now).await?;

        let digest = sha256(token.as_bytes());
        let entry = if let Some(entry) = self.checked.get(&digest, &key) {
            entry
        } else {
            check_signature(signed, signature, &key, algorithm)?;
            let (claims, validity) = payload.into_claims(&self.audience)?;
            let entry = Entry { claims, validity, key };
            self.checked.put(digest, entry.clone(), now);
            entry
        };
        entry.validity.check(now, self.longest_life)?;
        Ok(entry.claims)
    }

    async fn key_for(
        &self,
        header: &Header,
        payload: &Payload,
        now: OffsetDateTime,
    ) -> Result<(Algorithm, Arc<DecodingKey>), TokenError> {
        if header.crit {
            return Err(TokenError::UnknownCritical);
        }
        if !header.is_access_token() {
            return Err(TokenError::WrongType);
        }
        let named = payload.iss.as_deref().ok_or(TokenError::UnknownIssuer)?;
        let issuer = self.issuers.get(named).ok_or(TokenError::UnknownIssuer)?;
        if header.alg != issuer.algorithm.as_str() {
            return Err(TokenError::WrongAlgorithm);
        }
        Ok((issuer.algorithm, issuer.keys.find(header.kid.as_deref(), now).await?))
    }
}

impl Keys {
    async fn find(&self, key_id: Option<&str>, now: OffsetDateTime) -> Result<Arc<DecodingKey>, TokenError> {
        match self {
            Self::One(None, key) => Ok(Arc::clone(key)),
            Self::One(Some(own), key) if key_id == Some(own) => Ok(Arc::clone(key)),
            Self::One(..) => Err(TokenError::UnknownKey),
            Self::Remote(keys) => keys.find(key_id.ok_or(TokenError::UnknownKey)?, now).await,
        }
    }
}

fn load(source: KeySource, algorithm: Algorithm, fetch: &Fetch) -> Option<Keys> {
    match source {
        KeySource::Jwks(url) => Some(Keys::Remote(RemoteKeys::new(url, algorithm, Arc::clone(fetch)))),
        KeySource::Pem(pem) => keys::from_pem(&pem, algorithm).map(|key| Keys::One(None, key)),
        KeySource::Builtin(jwk) => keys::from_jwk(&jwk, algorithm).map(|(id, key)| Keys::One(Some(id), key)),
    }
}

fn check_signature(signed: &str, signature: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<(), TokenError> {
    let algorithm = match algorithm {
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
    };
    match jsonwebtoken::crypto::verify(signature, signed.as_bytes(), key, algorithm) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(TokenError::WrongSignature),
    }
}

fn part<T: DeserializeOwned>(encoded: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}
