//! Who is calling: tokens checked, issuers trusted, tokens issued.
//!
//! Knows no web framework and no HTTP client: a token comes in as text, and keys are fetched by a function handed in.

mod builtin;
mod cache;
mod claims;
mod error;
mod keys;
mod remote_keys;
mod verifier;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use url::Url;

pub use self::builtin::{BuiltinIssuer, Grant};
pub use self::claims::Claims;
pub use self::error::{IssuerError, TokenError};
pub use self::verifier::Verifier;

/// A function that fetches a document, such as a key set, and answers its bytes or the reason why not.
pub type Fetch = Arc<dyn Fn(Url) -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync>;

/// A party whose tokens are trusted.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// What its tokens carry as `iss`.
    pub issuer: String,
    /// The only algorithm its tokens may be signed with.
    pub algorithm: Algorithm,
    /// Where its keys are found.
    pub keys: KeySource,
}

/// A signature algorithm for tokens (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519.
    EdDSA,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// RSA, PKCS #1 v1.5, with SHA-256; at least 2048 bits.
    RS256,
}

impl Algorithm {
    /// The name as tokens and keys carry it in `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDSA => "EdDSA",
            Self::ES256 => "ES256",
            Self::RS256 => "RS256",
        }
    }
}

/// Where the keys of an issuer are found.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A key set at an address: fetched when needed, kept, and renewed.
    Jwks(Url),
    /// One public key in PEM; the key id of the token does not matter.
    Pem(String),
    /// One public JWK with its key id.
    Builtin(serde_json::Value),
}
