//! The key outside the database that seals the secrets inside it.
//!
//! Never prints itself.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{CryptoError, KeyFileError, key_file, never_fails};
use crate::entropy::Entropy;

/// The version of the sealed form: AES-256-GCM, nonce first, base64url.
const PREFIX: &str = "v1.";

/// A key of 256 bits that seals small secrets; clones share it.
#[derive(Clone)]
pub struct MasterKey(Arc<LessSafeKey>);

impl MasterKey {
    /// The key from 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Arc::new(LessSafeKey::new(never_fails(UnboundKey::new(&AES_256_GCM, bytes)))))
    }

    /// The key from 32 bytes in base64, as the configuration holds it.
    pub fn from_base64(text: &str) -> Result<Self, CryptoError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| CryptoError::Malformed)?;
        Ok(Self::from_bytes(&bytes.try_into().map_err(|_| CryptoError::Malformed)?))
    }

    /// The key in the file at `path`, which is made with mode 0600 if there is none.
    ///
    /// Refuses a file that others may read. Processes that start at once end up with the same key.
    pub fn load_or_create(path: &Path, entropy: &Entropy) -> Result<Self, KeyFileError> {
        key_file::load_or_create(path, entropy).map(|bytes| Self::from_bytes(&bytes))
    }

    /// `plain` sealed for one `context`, such as the id of the row that keeps it; it opens for no other.
    pub fn seal(&self, entropy: &Entropy, context: &str, plain: &[u8]) -> String {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = plain.to_vec();
        let bound = Nonce::assume_unique_for_key(nonce);
        never_fails(self.0.seal_in_place_append_tag(bound, Aad::from(context), &mut sealed));
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// What was sealed for `context` under this key.
    pub fn open(&self, context: &str, sealed: &str) -> Result<Vec<u8>, CryptoError> {
        let text = sealed.strip_prefix(PREFIX).ok_or(CryptoError::Malformed)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CryptoError::Malformed)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(CryptoError::Malformed)?;
        let mut opened = sealed.to_vec();
        let length = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut opened)
            .map_err(|_| CryptoError::SealBroken)?
            .len();
        opened.truncate(length);
        Ok(opened)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey(***)")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn key() -> MasterKey {
        MasterKey::from_bytes(&[7; 32])
    }

    #[test]
    fn what_was_sealed_opens_again() {
        let sealed = key().seal(&Entropy::seeded(1), "whk_1", b"secret");
        assert!(sealed.starts_with("v1."));
        assert_eq!(key().open("whk_1", &sealed).unwrap(), b"secret");
        assert_eq!(key().open("", &key().seal(&Entropy::seeded(1), "", b"")).unwrap(), b"");
    }

    #[test]
    fn no_two_seals_are_alike() {
        let entropy = Entropy::seeded(1);
        assert_ne!(key().seal(&entropy, "whk_1", b"secret"), key().seal(&entropy, "whk_1", b"secret"));
    }

    #[test]
    fn another_context_another_key_or_any_change_breaks_the_seal() {
        let sealed = key().seal(&Entropy::seeded(1), "whk_1", b"secret");
        assert_eq!(key().open("whk_2", &sealed), Err(CryptoError::SealBroken));
        assert_eq!(MasterKey::from_bytes(&[8; 32]).open("whk_1", &sealed), Err(CryptoError::SealBroken));
        let mut bytes = URL_SAFE_NO_PAD.decode(&sealed[3..]).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            let changed = format!("v1.{}", URL_SAFE_NO_PAD.encode(&bytes));
            assert_eq!(key().open("whk_1", &changed), Err(CryptoError::SealBroken), "byte {at}");
            bytes[at] ^= 1;
        }
    }

    #[test]
    fn what_is_no_seal_is_refused() {
        for text in ["", "v1.", "v1.AAAA", "v2.AAAA", "v1.***"] {
            assert_eq!(key().open("whk_1", text), Err(CryptoError::Malformed), "{text}");
        }
    }

    #[test]
    fn the_configured_key_is_32_bytes_in_base64() {
        let sealed = key().seal(&Entropy::seeded(1), "c", b"p");
        let configured = MasterKey::from_base64(&format!("{}\n", STANDARD.encode([7; 32]))).unwrap();
        assert_eq!(configured.open("c", &sealed).unwrap(), b"p");
        assert!(MasterKey::from_base64(&STANDARD.encode([7; 16])).is_err());
        assert_eq!(format!("{configured:?}"), "MasterKey(***)");
    }
}
