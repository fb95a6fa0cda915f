//! Signatures and secrets in the form of Standard Webhooks 1.0.
//!
//! Knows how a webhook is signed, not what it says.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{CryptoError, SigningKey, hmac_sha256};
use crate::entropy::Entropy;

/// The secret that one endpoint shares with us; never printed but by [`WebhookSecret::to_text`].
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// A new secret of 32 bytes.
    pub fn generate(entropy: &Entropy) -> Self {
        let mut bytes = vec![0; 32];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// A secret from its written form, `whsec_` and 24 to 64 bytes in base64.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        let encoded = text.strip_prefix("whsec_").ok_or(CryptoError::Malformed)?;
        Self::from_bytes(STANDARD.decode(encoded).map_err(|_| CryptoError::Malformed)?)
    }

    /// A secret from the bytes that [`as_bytes`](Self::as_bytes) gave.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, CryptoError> {
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(CryptoError::Malformed) }
    }

    /// The written form, to be shown once to the owner of the endpoint.
    pub fn to_text(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&self.0))
    }

    /// The bytes to sign with.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookSecret(***)")
    }
}

/// The header `webhook-signature` for an endpoint with one secret: `v1,…` (HMAC) and `v1a,…` (Ed25519).
///
/// `timestamp` is in seconds since 1970 and belongs to the attempt; `id` stays the same over all attempts and must
/// not hold a full stop.
pub fn webhook_signature(secret: &[u8], key: &SigningKey, id: &str, timestamp: i64, body: &[u8]) -> String {
    webhook_signatures(&[secret], &[key], id, timestamp, body)
}

/// The same while secrets or keys are being changed: one `v1` and one `v1a` for each that is still good, newest first.
pub fn webhook_signatures(secrets: &[&[u8]], keys: &[&SigningKey], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let shared = secrets.iter().map(|secret| format!("v1,{}", STANDARD.encode(hmac_sha256(secret, &signed))));
    let public = keys.iter().map(|key| format!("v1a,{}", STANDARD.encode(key.sign(&signed))));
    shared.chain(public).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Key, id and body of the vectors that the project Standard Webhooks publishes.
    const SEED: &str = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn key() -> SigningKey {
        SigningKey::from_seed(STANDARD.decode(SEED).unwrap().try_into().unwrap())
    }

    fn parts(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> (String, String) {
        let secret = WebhookSecret::parse(secret).unwrap();
        let header = webhook_signature(secret.as_bytes(), &key(), id, timestamp, body);
        let (shared, public) = header.split_once(' ').unwrap();
        (shared.to_owned(), public.to_owned())
    }

    #[test]
    fn first_shared_secret_vector() {
        let (shared, _) = parts("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ID, 1_614_265_330, BODY);
        assert_eq!(shared, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn second_shared_secret_vector() {
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let id = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
        let (shared, _) = parts("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", id, 1_649_367_553, body);
        assert_eq!(shared, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn public_key_vector() {
        let (_, public) = parts("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ID, 1_614_265_330, BODY);
        let expected = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        assert_eq!(public, expected);
        assert_eq!(key().webhook_public_key(), "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
    }

    #[test]
    fn the_published_library_signs_alike_under_every_live_secret() {
        let (old, new) = (WebhookSecret::generate(&Entropy::seeded(1)), WebhookSecret::generate(&Entropy::seeded(2)));
        let header = webhook_signatures(&[new.as_bytes(), old.as_bytes()], &[&key()], ID, 1_614_265_330, BODY);
        // The library's check compares with the machine's clock, so its signatures are compared instead.
        let expected = [&new, &old].map(|secret| {
            standardwebhooks::Webhook::new(&secret.to_text()).unwrap().sign(ID, 1_614_265_330, BODY).unwrap()
        });
        assert!(header.starts_with(&expected.join(" ")), "{header}");
    }

    #[test]
    fn a_secret_that_is_too_short_too_long_or_misspelt_is_refused() {
        let written = |length: usize| format!("whsec_{}", STANDARD.encode(vec![1; length]));
        for text in [String::new(), "whsec_".into(), written(23), written(65), written(32).replace("whsec", "whsk")] {
            assert_eq!(WebhookSecret::parse(&text), Err(CryptoError::Malformed), "{text}");
        }
        let secret = WebhookSecret::parse(&written(24)).unwrap();
        assert_eq!(WebhookSecret::parse(&secret.to_text()), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "WebhookSecret(***)");
    }
}
