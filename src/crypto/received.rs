//! Checking messages that others signed in the form of Standard Webhooks 1.0.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{CryptoError, SigningKey, WebhookSecret};

/// How far the sender's clock may be from ours, in seconds; the reference libraries allow as much.
const TOLERANCE: i64 = 5 * 60;

/// The public key of a sender, `whpk_` and 32 bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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
        let key: [u8; 32] = bytes.try_into().map_err(|_| CryptoError::Malformed)?;
        if is_canonical(&key) && !is_of_small_order(&key) { Ok(Self(key)) } else { Err(CryptoError::Malformed) }
    }

    /// The public half of a key of our own.
    pub fn of(key: &SigningKey) -> Self {
        Self(key.public_key())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<String> for SenderKey {
    type Error = CryptoError;

    fn try_from(text: String) -> Result<Self, CryptoError> {
        Self::parse(&text)
    }
}

impl From<SenderKey> for String {
    fn from(key: SenderKey) -> Self {
        format!("whpk_{}", STANDARD.encode(key.0))
    }
}

/// Whether the coordinate is below 2^255 - 19, so that one key has one written form (RFC 8032, section 5.1.3). The library takes others.
fn is_canonical(key: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = key;
    !(last & 0x7f == 0x7f && middle.iter().all(|byte| *byte == 0xff) && *first >= 0xed)
}

/// Whether the key is a point of small order. Under such a key anybody can make signatures that hold; the library takes them.
fn is_of_small_order(key: &[u8; 32]) -> bool {
    let mut coordinate = *key;
    coordinate[31] &= 0x7f;
    SMALL_ORDER.iter().any(|point| hex::encode(coordinate) == *point)
}

/// The coordinates of all points of small order on the curve, without their sign.
const SMALL_ORDER: [&str; 5] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

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
    fn keys_that_prove_nothing_are_refused() {
        let written = |bytes: [u8; 32]| format!("whpk_{}", STANDARD.encode(bytes));
        for point in SMALL_ORDER {
            let bytes: [u8; 32] = hex::decode(point).unwrap().try_into().unwrap();
            let other = ed25519_dalek::VerifyingKey::from_bytes(&bytes);
            assert!(other.is_ok_and(|key| key.is_weak()), "{point} is of small order");
            let mut negative = bytes;
            negative[31] |= 0x80;
            for bytes in [bytes, negative] {
                assert_eq!(SenderKey::parse(&written(bytes)), Err(CryptoError::Malformed), "{point}");
            }
        }
        let mut large = [0xff; 32];
        large[31] = 0x7f;
        for first in 0xed..=0xff {
            large[0] = first;
            assert_eq!(SenderKey::parse(&written(large)), Err(CryptoError::Malformed), "{first}");
        }
        let (prefix, encoded) = KEY.split_at(KEY.len() - 2);
        assert_eq!(encoded, "4=");
        assert!(SenderKey::parse(KEY).is_ok());
        assert_eq!(SenderKey::parse(&format!("{prefix}5=")), Err(CryptoError::Malformed), "one key, one text");
    }

    #[test]
    fn keys_are_read_in_their_written_form_only() {
        for text in ["", "whpk_", "whpk_AAAA", SECRET] {
            assert_eq!(SenderKey::parse(text), Err(CryptoError::Malformed), "{text}");
        }
    }
}
