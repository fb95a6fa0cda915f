//! What a token says, and whether it says so for us and for now.
//!
//! Judges the content of a token only; whether it was signed is judged elsewhere.

use serde::Deserialize;
use serde::de::IgnoredAny;
use time::{Duration, OffsetDateTime};

use super::TokenError;

/// How far the clocks of issuers may be ahead of ours.
const LEEWAY: Duration = Duration::seconds(30);

/// Names and ids in tokens go into the ledger; longer ones are refused, in bytes.
const LONGEST_NAME: usize = 255;

/// Who is calling, as a checked token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The person or program (`sub`), unique within its issuer.
    pub subject: String,
    /// The organisation it acts for (`org`).
    pub organisation: String,
    /// What it may do (`scope`).
    pub scopes: Vec<String>,
    /// Its name for people (`name`).
    pub name: Option<String>,
    /// Who vouches for it (`iss`).
    pub issuer: String,
    /// The id of the token (`jti`).
    pub token_id: Option<String>,
}

/// The header of a token. A member that is named twice is refused.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) typ: Option<String>,
    pub(super) kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) crit: bool,
}

/// The payload of a token. A member that is named twice is refused.
#[derive(Deserialize)]
pub(super) struct Payload {
    pub(super) iss: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    sub: Option<String>,
    org: Option<String>,
    scope: Option<String>,
    name: Option<String>,
    jti: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// When a token is good: not before one time, and before another.
#[derive(Clone, Copy)]
pub(super) struct Validity {
    not_before: OffsetDateTime,
    expires_at: OffsetDateTime,
}

impl Validity {
    /// Refuses a token outside its time, or with more time ahead of it than `longest`.
    pub(super) fn check(self, now: OffsetDateTime, longest: Duration) -> Result<(), TokenError> {
        if self.has_passed(now) {
            return Err(TokenError::Expired);
        }
        if self.expires_at - now > longest.saturating_add(LEEWAY) {
            return Err(TokenError::TooLongLived);
        }
        if self.not_before - now > LEEWAY {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }

    pub(super) fn has_passed(self, now: OffsetDateTime) -> bool {
        now >= self.expires_at
    }
}

impl Header {
    /// Whether it heads an access token, and not a receipt or whatever else its issuer may sign.
    pub(super) fn is_access_token(&self) -> bool {
        self.typ.as_deref().is_none_or(|typ| {
            let typ = typ.to_ascii_lowercase();
            matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
        })
    }
}

impl Payload {
    /// The claims and their time, if the token is for `audience` and lacks nothing.
    pub(super) fn into_claims(self, audience: &str) -> Result<(Claims, Validity), TokenError> {
        let for_us = match &self.aud {
            Some(Audience::One(one)) => one == audience,
            Some(Audience::Several(several)) => several.iter().any(|one| one == audience),
            None => false,
        };
        if !for_us {
            return Err(TokenError::WrongAudience);
        }
        let expires_at = instant(self.exp.ok_or(TokenError::Missing("exp"))?);
        let mut not_before = OffsetDateTime::UNIX_EPOCH;
        for seconds in [self.nbf, self.iat].into_iter().flatten() {
            not_before = not_before.max(instant(seconds));
        }
        let scope = required(self.scope, "scope", usize::MAX)?;
        let claims = Claims {
            subject: required(self.sub, "sub", LONGEST_NAME)?,
            organisation: required(self.org, "org", LONGEST_NAME)?,
            scopes: scope.split_ascii_whitespace().map(str::to_owned).collect(),
            name: optional(self.name)?,
            issuer: required(self.iss, "iss", LONGEST_NAME)?,
            token_id: optional(self.jti)?,
        };
        Ok((claims, Validity { not_before, expires_at }))
    }
}

fn required(value: Option<String>, member: &'static str, longest: usize) -> Result<String, TokenError> {
    let value = value.filter(|value| !value.trim().is_empty()).ok_or(TokenError::Missing(member))?;
    if value.len() > longest || value.chars().any(char::is_control) { Err(TokenError::Malformed) } else { Ok(value) }
}

fn optional(value: Option<String>) -> Result<Option<String>, TokenError> {
    match value {
        Some(value) if value.len() > LONGEST_NAME || value.chars().any(char::is_control) => Err(TokenError::Malformed),
        other => Ok(other),
    }
}

/// A `NumericDate` (RFC 7519): seconds since 1970, fractions allowed. Beyond the year 9999 it is as late as can be.
fn instant(seconds: f64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::saturating_seconds_f64(seconds))
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}
