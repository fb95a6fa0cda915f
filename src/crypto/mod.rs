//! Keys, signatures, seals and digests, all made by aws-lc-rs.
//!
//! Knows nothing of the field: what is signed or sealed, and why, is decided elsewhere. No key is ever printed.

mod jws;
mod key_file;
mod key_history;
mod master_key;
mod received;
mod return_path;
mod rsa_key;
mod signing_key;
mod webhook;

use aws_lc_rs::{digest, hmac};
use thiserror::Error;

pub use self::jws::{UncheckedJws, verify_jws};
pub use self::key_file::KeyFileError;
pub use self::key_history::{KeyHistory, Rotation};
pub use self::master_key::MasterKey;
pub use self::received::{SenderKey, SignedHeaders, is_genuine};
pub use self::return_path::ReturnPath;
pub use self::rsa_key::RsaKey;
pub use self::signing_key::SigningKey;
pub use self::webhook::{WebhookSecret, webhook_signature, webhook_signatures};

/// Why something signed, sealed or encoded was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CryptoError {
    /// The text is not in the form it should have.
    #[error("malformed")]
    Malformed,
    /// The signature names no key of the set, or not the algorithm that the key is for.
    #[error("unknown key or algorithm")]
    UnknownKey,
    /// The signature does not fit the content and the key.
    #[error("wrong signature")]
    WrongSignature,
    /// The seal was made with another key, for another context, or was changed since.
    #[error("the seal does not open with this key and context")]
    SealBroken,
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    fixed(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}

/// HMAC with SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    fixed(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref())
}

/// The bytes as an array of the length that the algorithm prescribes.
fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    never_fails(bytes.try_into())
}

/// The value of a step that cannot fail for input of the right length.
///
/// The process stops if it does: going on without a signature or a seal would be worse.
fn never_fails<T, E>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|_| {
        tracing::error!("the cryptographic library refused well-formed input");
        std::process::abort()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_match_published_vectors() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        // RFC 4231, test case 2.
        assert_eq!(
            hex::encode(hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
