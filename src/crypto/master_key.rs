//! The key outside the database that seals the secrets inside it.
//!
//! Never prints itself.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{CryptoError, KeyFileError, key_file, never_fails};
use crate::entropy::Entropy;

/// The version of the sealed form: AES-256-GCM, nonce first, base64url.
const PREFIX: &str = "v1.";

/// A key of 256 bits that seals small secrets; clones share it.
#[derive(Clone)]
pub struct MasterKey(Arc<Keys>);

/// What the 256 bits are used for: sealing by themselves, tags under a key that follows from them.
struct Keys {
    seal: LessSafeKey,
    tag: hmac::Key,
}

impl MasterKey {
    /// The key from 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let seal = LessSafeKey::new(never_fails(UnboundKey::new(&AES_256_GCM, bytes)));
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), TAGS);
        Self(Arc::new(Keys { seal, tag: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()) }))
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
        never_fails(self.0.seal.seal_in_place_append_tag(bound, Aad::from(context), &mut sealed));
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
            .seal
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut opened)
            .map_err(|_| CryptoError::SealBroken)?
            .len();
        opened.truncate(length);
        Ok(opened)
    }
}

/// How a tag is told from other uses of the same key.
const TAGS: &[u8] = b"art33 tags v1";

impl MasterKey {
    /// A tag that only this key makes of `text` for one `purpose`: 160 bits, lower-case base32 without padding.
    ///
    /// Whoever shows it was given it by this service, so nothing has to be stored for links, challenges and return paths.
    pub fn tag(&self, purpose: &str, text: &str) -> String {
        let message = format!("{purpose}\0{text}");
        base32(&hmac::sign(&self.0.tag, message.as_bytes()).as_ref()[..20])
    }

    /// A key for one `purpose` that follows from this one, for what makes tags of its own form.
    pub fn derived(&self, purpose: &str) -> [u8; 32] {
        let signed = hmac::sign(&self.0.tag, format!("key\0{purpose}").as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(&signed.as_ref()[..32]);
        key
    }

    /// Whether `tag` is the one of `text` for `purpose`, told in constant time.
    pub fn is_tag(&self, purpose: &str, text: &str, tag: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.tag(purpose, text).as_bytes(), tag.as_bytes()).is_ok()
    }
}

/// RFC 4648 base32 in lower case; 20 bytes are 32 letters, and mail servers keep them whatever they do to case.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |index: usize| bytes.get(index / 8).is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1);
    let letter = |start: usize| (start..start + 5).fold(0, |value, index| value << 1 | usize::from(bit(index)));
    (0..bytes.len() * 8).step_by(5).map(|start| char::from(LETTERS[letter(start)])).collect()
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
    fn a_tag_belongs_to_one_key_one_purpose_and_one_text() {
        let tag = key().tag("link", "dlv_1");
        assert_eq!((tag.len(), key().tag("link", "dlv_1")), (32, tag.clone()));
        assert!(key().is_tag("link", "dlv_1", &tag));
        for (purpose, text) in [("link", "dlv_2"), ("challenge", "dlv_1"), ("linkdlv", "_1")] {
            assert!(!key().is_tag(purpose, text, &tag), "{purpose} {text}");
        }
        assert!(!MasterKey::from_bytes(&[8; 32]).is_tag("link", "dlv_1", &tag));
        assert!(!key().is_tag("link", "dlv_1", &tag[..31]));
        assert_eq!(base32(b"foobar"), "mzxw6ytboi", "RFC 4648, section 10");
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
