//! Why a token or the configuration of an issuer is refused.
//!
//! Every text here may be shown to the caller: none holds a part of the token, a key or an inner error.

use thiserror::Error;

/// Why a token is refused.
///
/// The text is fit for `WWW-Authenticate: Bearer error="invalid_token", error_description="…"` (RFC 6750).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// It is longer than any honest token.
    #[error("the token is too long")]
    TooLong,
    /// It is no compact JWS with JSON inside, or names a member twice.
    #[error("the token is malformed")]
    Malformed,
    /// It is signed, but as something else than an access token.
    #[error("the token is not an access token")]
    WrongType,
    /// It demands extensions (`crit`).
    #[error("the token demands an extension that is not supported")]
    UnknownCritical,
    /// Its `iss` is missing or not trusted.
    #[error("the issuer is not trusted")]
    UnknownIssuer,
    /// Its `alg` is not the one that is configured for its issuer.
    #[error("the algorithm is not the one expected of this issuer")]
    WrongAlgorithm,
    /// Its `kid` is missing or names no key of its issuer.
    #[error("the signing key is not known")]
    UnknownKey,
    /// The keys of its issuer have never been within reach.
    #[error("the keys of the issuer are not available at the moment")]
    KeysUnavailable,
    /// Its signature is not by the key that it names.
    #[error("the signature is not valid")]
    WrongSignature,
    /// Its `aud` does not hold this service.
    #[error("the token is for another audience")]
    WrongAudience,
    /// A member that every token must have is missing or empty.
    #[error("the token lacks the member `{0}`")]
    Missing(&'static str),
    /// Its `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// Its `exp` lies further ahead than is allowed.
    #[error("the token lives longer than is allowed")]
    TooLongLived,
    /// Its `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// Why the configuration of an issuer is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IssuerError {
    /// Two issuers of the same name.
    #[error("the issuer {0} is configured twice")]
    Twice(String),
    /// A key that is not one for the configured algorithm.
    #[error("the key of the issuer {0} is not a public key for its algorithm")]
    WrongKey(String),
}
