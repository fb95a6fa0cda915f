//! The Ed25519 key that signs receipts, ledger heads, tokens and webhooks.
//!
//! Never prints its secret half.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{KeyFileError, fixed, key_file, never_fails, sha256};
use crate::entropy::Entropy;

/// An Ed25519 key pair (RFC 8032); clones share it.
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    pair: Ed25519KeyPair,
    seed: [u8; 32],
    key_id: String,
}

impl SigningKey {
    /// A new key.
    pub fn generate(entropy: &Entropy) -> Self {
        let mut seed = [0; 32];
        entropy.fill(&mut seed);
        Self::from_seed(seed)
    }

    /// The key that grows from `seed`.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pair = never_fails(Ed25519KeyPair::from_seed_unchecked(&seed));
        let key_id = thumbprint(pair.public_key().as_ref());
        Self(Arc::new(Inner { pair, seed, key_id }))
    }

    /// The key in the file at `path`, which is made with mode 0600 if there is none.
    ///
    /// Refuses a file that others may read. Processes that start at once end up with the same key.
    pub fn load_or_create(path: &Path, entropy: &Entropy) -> Result<Self, KeyFileError> {
        key_file::load_or_create(path, entropy).map(Self::from_seed)
    }

    /// The secret that the key grows from; to be stored sealed only.
    pub fn seed(&self) -> [u8; 32] {
        self.0.seed
    }

    /// The name of the key: its JWK thumbprint (RFC 7638) in base64url.
    pub fn key_id(&self) -> &str {
        &self.0.key_id
    }

    /// The public half.
    pub fn public_key(&self) -> [u8; 32] {
        fixed(self.0.pair.public_key().as_ref())
    }

    /// The public half as Standard Webhooks writes it: `whpk_` and base64.
    pub fn webhook_public_key(&self) -> String {
        format!("whpk_{}", STANDARD.encode(self.public_key()))
    }

    /// The public half as a JWK (RFC 8037).
    pub fn to_jwk(&self) -> Value {
        jwk(&self.public_key())
    }

    /// The signature of `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        fixed(self.0.pair.sign(message).as_ref())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("SigningKey").field(&self.key_id()).finish()
    }
}

/// A public key as a JWK (RFC 8037), named by its thumbprint.
pub(super) fn jwk(public_key: &[u8; 32]) -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
        "kid": thumbprint(public_key),
        "x": URL_SAFE_NO_PAD.encode(public_key),
    })
}

/// The members that RFC 7638 prescribes for an octet key pair, in its order and without spaces.
fn thumbprint(public_key: &[u8]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public_key);
    URL_SAFE_NO_PAD.encode(sha256(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use ed25519_dalek::Verifier;

    use super::*;

    #[test]
    fn the_key_of_rfc_8037_has_the_thumbprint_of_rfc_8037() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::from_seed(fixed(&seed));
        assert_eq!(key.to_jwk()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.key_id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.to_jwk()["kid"], key.key_id());
    }

    #[test]
    fn an_independent_library_accepts_its_signatures() {
        let key = SigningKey::generate(&Entropy::seeded(1));
        let other = ed25519_dalek::VerifyingKey::from_bytes(&key.public_key()).unwrap();
        let signature = ed25519_dalek::Signature::from_bytes(&key.sign(b"message"));
        assert!(other.verify(b"message", &signature).is_ok());
        assert!(other.verify(b"another", &signature).is_err());
    }

    #[test]
    fn a_seed_gives_the_key_back() {
        let key = SigningKey::generate(&Entropy::seeded(2));
        assert_eq!(SigningKey::from_seed(key.seed()).public_key(), key.public_key());
    }

    #[test]
    fn printing_shows_the_public_name_only() {
        let key = SigningKey::generate(&Entropy::seeded(3));
        assert_eq!(format!("{key:?}"), format!("SigningKey({:?})", key.key_id()));
    }

    #[test]
    fn a_key_file_gives_the_same_key_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signing.key");
        let made = SigningKey::load_or_create(&path, &Entropy::system()).unwrap();
        let read = SigningKey::load_or_create(&path, &Entropy::system()).unwrap();
        assert_eq!(made.key_id(), read.key_id());
    }
}
