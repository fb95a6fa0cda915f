//! How a controller verifies a webhook: both signatures and the age of the message.
//!
//! Shares no code with the side that signs, so that an error there cannot hide here.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::{Duration, OffsetDateTime};

/// What the owner of an endpoint was given when it was registered.
#[derive(Clone)]
pub(super) struct EndpointKeys {
    /// `whsec_…`
    pub(super) secret: String,
    /// `whpk_…`
    pub(super) public_key: String,
}

/// A message as it came.
pub(super) struct Message<'m> {
    pub(super) id: &'m str,
    pub(super) timestamp: &'m str,
    pub(super) signatures: &'m str,
    pub(super) body: &'m [u8],
}

impl Message<'_> {
    /// Whether there is a good `v1` and a good `v1a`, and the message is no older or newer than `tolerance`; else why not.
    pub(super) fn verify(
        &self,
        keys: &EndpointKeys,
        now: OffsetDateTime,
        tolerance: Duration,
    ) -> Result<(), &'static str> {
        let seconds = self.timestamp.parse().map_err(|_| "its time cannot be read")?;
        let sent_at = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| "its time cannot be read")?;
        if (now - sent_at).abs() > tolerance {
            return Err("it is too old or too new");
        }
        let signed = [format!("{}.{}.", self.id, self.timestamp).as_bytes(), self.body].concat();
        let secret = decoded(keys.secret.strip_prefix("whsec_")).ok_or("the secret cannot be read")?;
        let public_key = decoded(keys.public_key.strip_prefix("whpk_")).ok_or("the public key cannot be read")?;
        let shared = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let public = UnparsedPublicKey::new(&ED25519, public_key);
        if !self.any("v1,", |signature| hmac::verify(&shared, &signed, signature).is_ok()) {
            return Err("no v1 signature holds");
        }
        if !self.any("v1a,", |signature| public.verify(&signed, signature).is_ok()) {
            return Err("no v1a signature holds");
        }
        Ok(())
    }

    fn any(&self, version: &str, holds: impl Fn(&[u8]) -> bool) -> bool {
        let mut given = self.signatures.split(' ').filter_map(|signature| decoded(signature.strip_prefix(version)));
        given.any(|signature| holds(&signature))
    }
}

fn decoded(text: Option<&str>) -> Option<Vec<u8>> {
    STANDARD.decode(text?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors that the project Standard Webhooks publishes, one for each kind of signature, over the same message.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const PUBLIC_KEY: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    const SIGNATURES: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= \
        v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

    fn verify(signatures: &str, body: &[u8], late: Duration) -> Result<(), &'static str> {
        let keys = EndpointKeys { secret: SECRET.to_owned(), public_key: PUBLIC_KEY.to_owned() };
        let message = Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: "1614265330", signatures, body };
        let now = OffsetDateTime::UNIX_EPOCH + Duration::seconds(1_614_265_330) + late;
        message.verify(&keys, now, Duration::minutes(5))
    }

    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    #[test]
    fn the_published_vectors_hold() {
        assert_eq!(verify(SIGNATURES, BODY, Duration::ZERO), Ok(()));
        assert_eq!(verify(SIGNATURES, BODY, Duration::minutes(5)), Ok(()));
    }

    #[test]
    fn both_signatures_are_needed_and_neither_may_be_for_another_message() {
        let (shared, public) = SIGNATURES.split_once(' ').unwrap_or_default();
        assert_eq!(verify(shared, BODY, Duration::ZERO), Err("no v1a signature holds"));
        assert_eq!(verify(public, BODY, Duration::ZERO), Err("no v1 signature holds"));
        assert_eq!(verify(SIGNATURES, b"{}", Duration::ZERO), Err("no v1 signature holds"));
    }

    #[test]
    fn a_message_out_of_time_is_refused() {
        for late in [Duration::seconds(301), Duration::seconds(-301)] {
            assert_eq!(verify(SIGNATURES, BODY, late), Err("it is too old or too new"));
        }
    }
}
