//! Checking messages that others signed in the form of Standard Webhooks 1.0.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{CryptoError, WebhookSecret};

/// How far the sender's clock may be from ours, in seconds; the reference libraries allow as much.
const TOLERANCE: i64 = 5 * 60;

/// The public key of a sender, `whpk_` and 32 bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderKey([u8; 32]);

/// The three headers of a signed message.
#[derive(Debug, Clone, Copy)]
pub struct SignedHeaders<'h> {
    /// `webhook-id`.
    pub id: &'h str,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: &'h str,
    /// `webhook-signature`: one or more signatures, separated by spaces.
    pub signature: &'h str,
}

impl SenderKey {
    /// A key from its written form.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        let encoded = text.strip_prefix("whpk_").ok_or(CryptoError::Malformed)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| CryptoError::Malformed)?;
        bytes.try_into().map(Self).map_err(|_| CryptoError::Malformed)
    }
}

/// Whether `body` carries a good `v1` signature under `secret` and, where the sender's key is known, a good `v1a` one too, and was
/// signed within five minutes of `now` (seconds since 1970).
pub fn is_genuine(
    headers: SignedHeaders<'_>,
    body: &[u8],
    secret: &WebhookSecret,
    sender: Option<&SenderKey>,
    now: i64,
) -> bool {
    let fresh = headers.timestamp.parse::<i64>().is_ok_and(|signed| now.abs_diff(signed) <= TOLERANCE.unsigned_abs());
    let signed = [headers.id.as_bytes(), b".", headers.timestamp.as_bytes(), b".", body].concat();
    let signatures = |version: &str| {
        let of_version = headers.signature.split(' ').filter_map(|part| part.split_once(','));
        let decoded = of_version.filter(|(found, _)| *found == version).map(|(_, text)| STANDARD.decode(text));
        decoded.flatten().collect::<Vec<_>>()
    };
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let shared = signatures("v1").iter().any(|tag| aws_lc_rs::hmac::verify(&key, &signed, tag).is_ok());
    let public = sender.is_none_or(|SenderKey(key)| {
        let key = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, key);
        signatures("v1a").iter().any(|signature| key.verify(&signed, signature).is_ok())
    });
    fresh && shared && public
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const KEY: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    const V1: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const V1A: &str = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNED_AT: i64 = 1_614_265_330;

    fn genuine(signature: &str, timestamp: &str, body: &[u8], now: i64) -> bool {
        let headers = SignedHeaders { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp, signature };
        let (secret, key) = (WebhookSecret::parse(SECRET).unwrap(), SenderKey::parse(KEY).unwrap());
        is_genuine(headers, body, &secret, Some(&key), now)
    }

    #[test]
    fn the_published_vectors_are_genuine() {
        let both = format!("v1,AAAA {V1} {V1A}");
        assert!(genuine(&both, "1614265330", BODY, SIGNED_AT));
        assert!(genuine(&both, "1614265330", BODY, SIGNED_AT + 300));
        assert!(genuine(&both, "1614265330", BODY, SIGNED_AT - 300));
    }

    #[test]
    fn everything_else_is_not() {
        let both = format!("{V1} {V1A}");
        assert!(!genuine(V1, "1614265330", BODY, SIGNED_AT), "the sender's own signature is missing");
        assert!(!genuine(V1A, "1614265330", BODY, SIGNED_AT), "the shared one is missing");
        assert!(!genuine(&both, "1614265330", b"{}", SIGNED_AT));
        assert!(!genuine(&both, "1614265331", BODY, SIGNED_AT));
        assert!(!genuine(&both, "1614265330", BODY, SIGNED_AT + 301));
        assert!(!genuine(&both, "1614265330", BODY, SIGNED_AT - 301));
        assert!(!genuine(&both, "soon", BODY, SIGNED_AT));
        for broken in ["", "v1,", "v2,AAAA", "v1", &V1[..20]] {
            assert!(!genuine(broken, "1614265330", BODY, SIGNED_AT), "{broken}");
        }
    }

    #[test]
    fn keys_are_read_in_their_written_form_only() {
        for text in ["", "whpk_", "whpk_AAAA", SECRET] {
            assert_eq!(SenderKey::parse(text), Err(CryptoError::Malformed), "{text}");
        }
    }
}
