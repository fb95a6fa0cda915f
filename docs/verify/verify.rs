//! Verifies webhooks of art33. Needs the crates `base64`, `ed25519-dalek`, `http` and `standardwebhooks`.
//!
//! Either check is enough; both refuse what was signed more than five minutes ago. `body` is what came, byte for byte. Store the
//! `webhook-id` of what you took: the same id again is a repetition, to be answered with 200 and dropped.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use http::HeaderMap;
use standardwebhooks::Webhook;

/// Whether the message is signed with the secret of the endpoint.
pub fn verify_v1(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    // The crate would take an empty secret for one.
    let webhook = Webhook::new(secret).ok().filter(|_| secret.len() > "whsec_".len());
    webhook.is_some_and(|webhook| webhook.verify(body, headers).is_ok())
}

/// Whether the message is signed with the key of the service, which the crate does not check. `now` is in seconds since 1970.
pub fn verify_v1a(public_key: &str, headers: &HeaderMap, body: &[u8], now: u64) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let is_fresh = timestamp.parse::<u64>().is_ok_and(|signed_at| signed_at.abs_diff(now) <= 300);
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let fits = |signature: &str| fits(public_key, signature, &signed).is_some();
    is_fresh && !id.is_empty() && header("webhook-signature").split(' ').any(fits)
}

fn fits(public_key: &str, signature: &str, signed: &[u8]) -> Option<()> {
    let key = BASE64_STANDARD.decode(public_key.strip_prefix("whpk_")?).ok()?;
    let signature = BASE64_STANDARD.decode(signature.strip_prefix("v1a,")?).ok()?;
    let signature = Signature::from_slice(&signature).ok()?;
    VerifyingKey::try_from(key.as_slice()).ok()?.verify_strict(signed, &signature).ok()
}
