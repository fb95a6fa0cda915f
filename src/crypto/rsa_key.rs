//! An RSA key that signs mail. Never prints its secret half.
//!
//! RSA stands here only because receivers of mail know little else; everything of ours is Ed25519.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};

use super::{CryptoError, never_fails};

/// An RSA key pair of at least 2048 bits; clones share it.
#[derive(Clone)]
pub struct RsaKey(Arc<RsaKeyPair>);

impl RsaKey {
    /// The key from its DER form, be it PKCS#8 or PKCS#1.
    pub fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
        pair.map(|pair| Self(Arc::new(pair))).map_err(|_| CryptoError::Malformed)
    }

    /// The signature of `message`: PKCS#1 v1.5 with SHA-256 (RFC 8017).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        never_fails(self.0.sign(&RSA_PKCS1_SHA256, &unused_randomness(), message, &mut signature));
        signature
    }

    /// The public half in DER (PKCS#1).
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the signature asks for a source of randomness, but draws nothing from it"
)]
fn unused_randomness() -> SystemRandom {
    SystemRandom::new()
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RsaKey(***)")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    #[test]
    fn its_signature_fits_its_public_key_and_its_message_only() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let key = RsaKey::from_der(pair.as_der().unwrap().as_ref()).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key());
        assert!(public.verify(b"message", &key.sign(b"message")).is_ok());
        assert!(public.verify(b"another", &key.sign(b"message")).is_err());
        assert_eq!(key.sign(b"message"), key.sign(b"message"));
        assert_eq!(format!("{key:?}"), "RsaKey(***)");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(RsaKey::from_der(b"no key").unwrap_err(), CryptoError::Malformed);
    }
}
