//! Token issuers as configured: who may sign, with which algorithm, and where the keys are.
//! Keys are neither read nor fetched here.

use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

/// Signature algorithm of an issuer; the token's own header never chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// Ed25519.
    EdDSA,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RS256,
}

/// Where an issuer's public keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerKeys {
    /// A JSON Web Key Set behind a URL.
    Jwks(Url),
    /// One public key in a PEM file.
    Pem(PathBuf),
}

/// One trusted issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// The only algorithm accepted from it.
    pub algorithm: Algorithm,
    /// Where its keys are.
    pub keys: IssuerKeys,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    issuer: String,
    algorithm: Algorithm,
    jwks_url: Option<Url>,
    pem_file: Option<PathBuf>,
}

impl TryFrom<Entry> for Issuer {
    type Error = &'static str;

    fn try_from(entry: Entry) -> Result<Self, Self::Error> {
        if entry.issuer.is_empty() {
            return Err("issuer is empty");
        }
        let keys = match (entry.jwks_url, entry.pem_file) {
            (Some(url), None) if matches!(url.scheme(), "https" | "http") => IssuerKeys::Jwks(url),
            (Some(_), None) => return Err("jwks_url is no http or https URL"),
            (None, Some(file)) => IssuerKeys::Pem(file),
            _ => return Err("exactly one of jwks_url and pem_file must stand"),
        };
        Ok(Self { issuer: entry.issuer, algorithm: entry.algorithm, keys })
    }
}

/// Reads all entries; answers every issuer or one sentence per faulty entry.
pub(super) fn read(entries: Vec<serde_json::Value>) -> Result<Vec<Issuer>, Vec<String>> {
    let mut issuers: Vec<Issuer> = Vec::new();
    let mut faults = Vec::new();
    for (index, value) in entries.into_iter().enumerate() {
        let read = serde_json::from_value::<Entry>(value)
            .map_err(|error| error.to_string())
            .and_then(|entry| Issuer::try_from(entry).map_err(str::to_owned));
        match read {
            Ok(new) if issuers.iter().any(|known| known.issuer == new.issuer) => {
                faults.push(format!("[{index}]: issuer {} stands twice", new.issuer));
            }
            Ok(new) => issuers.push(new),
            Err(problem) => faults.push(format!("[{index}]: {problem}")),
        }
    }
    if faults.is_empty() { Ok(issuers) } else { Err(faults) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_kinds_of_keys_are_read() {
        let issuers = read(vec![
            json!({"issuer": "https://id.example", "algorithm": "ES256", "jwks_url": "https://id.example/jwks"}),
            json!({"issuer": "https://b.example", "algorithm": "EdDSA", "pem_file": "b.pem"}),
        ])
        .unwrap();
        assert_eq!(issuers[0].algorithm, Algorithm::ES256);
        assert_eq!(issuers[1].keys, IssuerKeys::Pem("b.pem".into()));
    }

    #[test]
    fn every_faulty_entry_is_named() {
        let faults = read(vec![
            json!({"issuer": "a", "algorithm": "HS256", "pem_file": "a.pem"}),
            json!({"issuer": "b", "algorithm": "RS256"}),
            json!({"issuer": "c", "algorithm": "RS256", "pem_file": "c.pem", "key": 1}),
            json!({"issuer": "d", "algorithm": "RS256", "jwks_url": "file:///etc/passwd"}),
            json!({"issuer": "e", "algorithm": "RS256", "pem_file": "e.pem"}),
            json!({"issuer": "e", "algorithm": "ES256", "pem_file": "e.pem"}),
        ])
        .unwrap_err();
        assert_eq!(faults.len(), 5, "{faults:?}");
        for (fault, part) in faults.iter().zip(["HS256", "exactly one", "key", "jwks_url", "twice"]) {
            assert!(fault.contains(part), "{fault} lacks {part}");
        }
    }
}
