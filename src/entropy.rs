//! Randomness and the ids made of it, handed in wherever they are needed.
//!
//! The only file that may ask for randomness, and the only one that knows how a UUID version 7 is laid out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;

/// A shared source of randomness; clones draw from the same source.
#[derive(Clone)]
pub struct Entropy(Arc<Inner>);

struct Inner {
    source: Source,
    /// The upper 60 time bits of the latest id, so that every id is greater than the one before.
    latest_id: AtomicU64,
}

enum Source {
    System,
    Seeded(Mutex<u64>),
}

impl Entropy {
    /// The cryptographic generator of the machine.
    pub fn system() -> Self {
        Self::of(Source::System)
    }

    /// A repeatable stream for tests; never for keys that protect anything.
    pub fn seeded(seed: u64) -> Self {
        Self::of(Source::Seeded(Mutex::new(seed)))
    }

    fn of(source: Source) -> Self {
        Self(Arc::new(Inner { source, latest_id: AtomicU64::new(0) }))
    }

    /// Fills `bytes` with randomness.
    ///
    /// The process stops if the machine has none to give: without it, ids and keys would be guessable.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0.source {
            Source::System => fill_from_system(bytes),
            Source::Seeded(state) => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                for chunk in bytes.chunks_mut(8) {
                    chunk.copy_from_slice(&next(&mut state).to_le_bytes()[..chunk.len()]);
                }
            }
        }
    }

    /// The bytes of a new UUID version 7 (RFC 9562) for the time `now`.
    ///
    /// Within one process every id is greater than the one before, also within one microsecond: the fraction of the
    /// millisecond stands in the twelve bits after it (RFC 9562, 6.2, method 3) and is counted up where it must be.
    pub fn id_bytes(&self, now: OffsetDateTime) -> [u8; 16] {
        let microseconds = u64::try_from(now.unix_timestamp_nanos() / 1000).unwrap_or(0);
        let fraction = (microseconds % 1000) * 4096 / 1000;
        let wanted = ((microseconds / 1000) << 12) | fraction;
        let step = |latest: u64| wanted.max(latest + 1);
        let latest = self.0.latest_id.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |latest| Some(step(latest)));
        let ticks = step(latest.unwrap_or_else(|unchanged| unchanged));

        let mut bytes = [0; 16];
        self.fill(&mut bytes[8..]);
        bytes[..8].copy_from_slice(&((ticks >> 12 << 16) | 0x7000 | (ticks & 0x0fff)).to_be_bytes());
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        bytes
    }

    /// A UUID version 7 in its text form, for what is named but not stored.
    pub fn uuid_text(&self, now: OffsetDateTime) -> String {
        uuid::Uuid::from_bytes(self.id_bytes(now)).to_string()
    }

    /// An evenly spread number from 0 up to but without 1.
    pub fn unit(&self) -> f64 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for randomness")]
fn fill_from_system(bytes: &mut [u8]) {
    if aws_lc_rs::rand::fill(bytes).is_err() {
        std::process::abort();
    }
}

/// One step of the generator `SplitMix64`.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 00:40:00.123_456 UTC);

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let (mut one, mut two, mut other) = ([0; 21], [0; 21], [0; 21]);
        Entropy::seeded(7).fill(&mut one);
        Entropy::seeded(7).fill(&mut two);
        Entropy::seeded(8).fill(&mut other);
        assert_eq!(one, two);
        assert_ne!(one, other);
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7_holding_its_millisecond() {
        let id = uuid::Uuid::from_bytes(Entropy::system().id_bytes(NOW));
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        let (seconds, nanoseconds) = id.get_timestamp().map(|at| at.to_unix()).unwrap_or_default();
        assert_eq!(i64::try_from(seconds), Ok(NOW.unix_timestamp()));
        assert_eq!(nanoseconds / 1_000_000, 123);
    }

    #[test]
    fn ids_only_ever_grow_even_when_time_stands_still_or_falls_back() {
        let entropy = Entropy::seeded(1);
        let ids: Vec<_> = (0..10_000)
            .map(|n| entropy.id_bytes(if n % 3 == 0 { NOW - time::Duration::SECOND } else { NOW }))
            .collect();
        assert!(ids.is_sorted_by(|earlier, later| earlier < later));
    }

    #[test]
    fn ids_of_different_threads_never_meet() {
        let entropy = Entropy::seeded(1);
        let ids: std::collections::BTreeSet<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..1000).map(|_| entropy.id_bytes(NOW)).collect::<Vec<_>>())).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        });
        assert_eq!(ids.len(), 4000);
    }

    #[test]
    fn the_unit_interval_is_kept_and_used() {
        let entropy = Entropy::seeded(3);
        let drawn: Vec<f64> = (0..1000).map(|_| entropy.unit()).collect();
        assert!(drawn.iter().all(|value| (0.0..1.0).contains(value)));
        assert!(drawn.iter().any(|value| *value < 0.1) && drawn.iter().any(|value| *value > 0.9));
    }
}
