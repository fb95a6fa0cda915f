//! Verifies one webhook. Usage: verify SECRET PUBLIC_KEY ID TIMESTAMP SIGNATURES BODY_FILE [TOLERANCE]
//! Needs the crates `base64`, `ed25519-dalek` and `standardwebhooks`.

use std::{error::Error, process::ExitCode, time::SystemTime};

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use standardwebhooks::Webhook;

/// What arrived: three headers and the body, byte for byte.
struct Message<'a> {
    id: &'a str,
    timestamp: &'a str,
    signatures: &'a str,
    body: &'a [u8],
}

impl Message<'_> {
    /// Whether one signature is valid and the message is not older or newer than `tolerance` seconds.
    fn verify(&self, secret: &str, public_key: &str, tolerance: u64) -> Result<bool, Box<dyn Error>> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        if now.abs_diff(self.timestamp.parse()?) > tolerance {
            return Ok(false);
        }
        for signature in self.signatures.split(' ') {
            let valid = match signature.split_once(',') {
                Some(("v1", _)) if !secret.is_empty() => self.verify_hmac(secret, signature)?,
                Some(("v1a", value)) if !public_key.is_empty() => self.verify_ed25519(public_key, value)?,
                _ => false,
            };
            if valid {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `Webhook::verify` does the same for an `http::HeaderMap`, with a tolerance of five minutes.
    fn verify_hmac(&self, secret: &str, signature: &str) -> Result<bool, Box<dyn Error>> {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret))?;
        let long_enough = key.len() >= 24;
        let expected = Webhook::from_bytes(key)?.sign(self.id, self.timestamp.parse()?, self.body)?;
        let differences = expected.bytes().zip(signature.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        Ok(long_enough && expected.len() == signature.len() && differences == 0)
    }

    fn verify_ed25519(&self, public_key: &str, value: &str) -> Result<bool, Box<dyn Error>> {
        let key = BASE64_STANDARD.decode(public_key.strip_prefix("whpk_").unwrap_or(public_key))?;
        let key = VerifyingKey::try_from(key.as_slice())?;
        let signed = [format!("{}.{}.", self.id, self.timestamp).as_bytes(), self.body].concat();
        let signature = BASE64_STANDARD.decode(value).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
        Ok(signature.is_some_and(|signature| key.verify_strict(&signed, &signature).is_ok()))
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [secret, public_key, id, timestamp, signatures, body_file, tolerance @ ..] = arguments.as_slice() else {
        return Err("usage: verify SECRET PUBLIC_KEY ID TIMESTAMP SIGNATURES BODY_FILE [TOLERANCE]".into());
    };
    let tolerance = tolerance.first().map_or(Ok(300), |seconds| seconds.parse())?;
    let body = std::fs::read(body_file)?;
    let valid = Message { id, timestamp, signatures, body: &body }.verify(secret, public_key, tolerance)?;
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
