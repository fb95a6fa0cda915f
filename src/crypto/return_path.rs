//! The return path of each message sent: an address that only we can have made, and that says which attempt it was.
//!
//! What comes to it is judged elsewhere; here it is only told whether the address is genuine.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use crate::domain::id::DeliveryId;

/// What stands before the token, so that a mail server can route all of them to one mailbox.
const PREFIX: &str = "bounce+";
/// Keeps this use of the key apart from any other.
const CONTEXT: &str = "art33 return path v1";
/// As much of the HMAC as an address has room for: 80 bits.
const TAG_BYTES: usize = 10;

/// Makes and checks return paths (VERP) below one domain: `bounce+<delivery>-<attempt>-<hmac>@<domain>`.
#[derive(Clone)]
pub struct ReturnPath {
    key: hmac::Key,
    domain: String,
}

impl ReturnPath {
    /// Return paths at `domain`, under `key`.
    pub fn new(key: &[u8; 32], domain: &str) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), domain: domain.to_ascii_lowercase() }
    }

    /// The address that what becomes of this attempt is reported to; its local part has at most 64 octets.
    pub fn address(&self, delivery: &DeliveryId, attempt: u32) -> String {
        let tag = hex::encode(self.tag(delivery, attempt));
        format!("{PREFIX}{}-{attempt:x}-{tag}@{}", suffix(delivery), self.domain)
    }

    /// Which attempt `address` was made for; none if it was not made by us.
    ///
    /// Mail servers may change the case of letters, so that counts for nothing. The check takes the same time whatever
    /// the address says.
    pub fn open(&self, address: &str) -> Option<(DeliveryId, u32)> {
        let address = address.to_ascii_lowercase();
        let (local, domain) = address.rsplit_once('@')?;
        let mut parts = local.strip_prefix(PREFIX)?.split('-');
        let (suffix, attempt, tag) = (parts.next()?, parts.next()?, parts.next()?);
        let delivery: DeliveryId = format!("dlv_{suffix}").parse().ok()?;
        let attempt = u32::from_str_radix(attempt, 16).ok()?;
        let tag = hex::decode(tag).ok()?;
        let genuine = verify_slices_are_equal(&tag, &self.tag(&delivery, attempt)).is_ok();
        (genuine && parts.next().is_none() && domain == self.domain).then_some((delivery, attempt))
    }

    fn tag(&self, delivery: &DeliveryId, attempt: u32) -> [u8; TAG_BYTES] {
        let signed = hmac::sign(&self.key, format!("{CONTEXT}\n{delivery}\n{attempt}").as_bytes());
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&signed.as_ref()[..TAG_BYTES]);
        tag
    }
}

impl fmt::Debug for ReturnPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ReturnPath").field(&self.domain).finish()
    }
}

/// The id without its prefix, which every delivery shares.
fn suffix(delivery: &DeliveryId) -> &str {
    delivery.as_str().trim_start_matches("dlv_")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths() -> ReturnPath {
        ReturnPath::new(&[7; 32], "Bounces.Example.org")
    }

    fn delivery() -> DeliveryId {
        DeliveryId::from_bytes([0xfe; 16])
    }

    #[test]
    fn an_address_says_which_attempt_it_was() {
        for attempt in [1, 54, u32::MAX] {
            let address = paths().address(&delivery(), attempt);
            assert_eq!(paths().open(&address), Some((delivery(), attempt)), "{address}");
            assert_eq!(paths().open(&address.to_ascii_uppercase()), Some((delivery(), attempt)));
            assert!(address.split_once('@').unwrap().0.len() <= 64, "{address}");
            assert!(address.ends_with("@bounces.example.org"));
        }
    }

    #[test]
    fn an_address_that_was_changed_anywhere_is_not_ours() {
        let address = paths().address(&delivery(), 12);
        for at in 0..address.len() {
            let mut changed = address.clone().into_bytes();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            assert_eq!(paths().open(&String::from_utf8(changed).unwrap()), None, "byte {at}");
        }
        assert_eq!(paths().open(&address.replace('@', "-00@")), None);
        assert_eq!(paths().open(&address.replace('@', "00@")), None);
        assert_eq!(ReturnPath::new(&[8; 32], "bounces.example.org").open(&address), None);
        assert_eq!(ReturnPath::new(&[7; 32], "example.org").open(&address), None);
    }

    #[test]
    fn the_key_is_never_printed() {
        assert_eq!(format!("{:?}", paths()), "ReturnPath(\"bounces.example.org\")");
    }

    proptest! {
        #[test]
        fn no_made_up_address_is_ours(address in "(bounce\\+)?[0-9a-z]{0,30}-[0-9a-f]{0,9}-[0-9a-f]{0,24}@bounces.example.org|.*") {
            prop_assert_eq!(paths().open(&address), None);
        }
    }
}
