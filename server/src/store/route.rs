//! Chooses the shard that holds a key. Knows hashes only; it never sees values.
//!
//! A key is hashed once, with a seed of this process's own, and the hash serves all:
//!
//! ```text
//! bit 63      58 57           48 47        40 39                        0
//!     | segment |    stripe     |   shard    |          bucket          |
//! ```
//!
//! moka and the tables of the stripes take the high bits and the low ones; shard and stripe come
//! from bits in between, so that the keys of one shard, and of one stripe, still spread over all
//! of their table.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

use tiny_cache_proto::key::Key;

const SHARD_SHIFT: u32 = 40;
const STRIPE_SHIFT: u32 = 48;

/// Most shards that the shard bits can tell apart.
pub(super) const MAX_SHARDS: usize = 1 << (STRIPE_SHIFT - SHARD_SHIFT);

/// Fewest stripes of a shard. Of two workers' calls to one shard, one in 64 meets the other.
const LEAST_STRIPES: u64 = 64;

/// Most stripes that the stripe bits can tell apart.
const MOST_STRIPES: u64 = 1 << 10;

/// Bytes of entries that a stripe is given, 2,048 entries of 512 bytes, up to [`MOST_STRIPES`]: a
/// table that grows moves all of its entries under the stripe's lock.
const STRIPE_BYTES: u64 = 1 << 20;

/// How many stripes a shard has: a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StripeCount(usize);

impl StripeCount {
    /// The stripes of a shard for `bytes` of entries.
    pub(super) fn of(bytes: u64) -> Self {
        let stripes = (bytes / STRIPE_BYTES).clamp(LEAST_STRIPES, MOST_STRIPES);
        Self(stripes.next_power_of_two() as usize)
    }

    pub(super) fn get(self) -> usize {
        self.0
    }
}

/// The seed and the number of shards.
#[derive(Debug)]
pub(super) struct Route {
    /// Seeded by the operating system, so that nobody outside can choose keys that meet in
    /// one bucket.
    seed: RandomState,
    mask: usize,
}

impl Route {
    /// Routes over `shards`, a power of two.
    pub(super) fn new(shards: usize) -> Self {
        assert!(shards.is_power_of_two() && shards <= MAX_SHARDS, "shards: {shards}");
        Self { seed: RandomState::new(), mask: shards - 1 }
    }

    /// The hash that everything below uses. The namespace's length goes first, so that
    /// no two pairs of namespace and key give the hasher the same bytes.
    pub(super) fn hash(&self, key: Key<'_>) -> u64 {
        let namespace = key.namespace().as_str().as_bytes();
        let mut hasher = self.seed.build_hasher();
        hasher.write_usize(namespace.len());
        hasher.write(namespace);
        hasher.write(key.text().as_bytes());
        hasher.finish()
    }

    /// The index of the shard for a hash.
    pub(super) fn shard(&self, hash: u64) -> usize {
        (hash >> SHARD_SHIFT) as usize & self.mask
    }
}

/// The stripe for a hash, within its shard.
pub(super) fn stripe(hash: u64, stripes: StripeCount) -> usize {
    (hash >> STRIPE_SHIFT) as usize & (stripes.0 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_cache_proto::key::Namespace;

    #[test]
    fn keys_spread_evenly_over_shards_and_stripes() {
        let route = Route::new(8);
        let mut shards = [0u32; 8];
        let mut stripes = [0u32; 64];
        for i in 0..64_000 {
            let text = format!("key:{i}");
            let hash = route.hash(Key::parse(Namespace::SHARED, &text).unwrap());
            shards[route.shard(hash)] += 1;
            stripes[stripe(hash, StripeCount::of(0))] += 1;
        }
        // Six standard deviations of a fair draw: 8000 ± 502, and 1000 ± 189.
        assert!(shards.iter().all(|n| n.abs_diff(8000) < 502), "{shards:?}");
        assert!(stripes.iter().all(|n| n.abs_diff(1000) < 189), "{stripes:?}");
    }

    /// Keys that meet in one stripe of one shard, found by trying against one server, are of no use
    /// against another, nor against this one after a restart.
    #[test]
    fn keys_that_meet_under_one_seed_spread_under_another() {
        let (known, other) = (Route::new(8), Route::new(8));
        let count = StripeCount::of(0);
        let place = |route: &Route, text: &str| {
            let hash = route.hash(Key::parse(Namespace::SHARED, text).unwrap());
            (route.shard(hash), stripe(hash, count))
        };
        let texts = (0..).map(|number| format!("key:{number}"));
        let met: Vec<_> = texts.filter(|text| place(&known, text) == (0, 0)).take(200).collect();
        let spread: std::collections::BTreeSet<_> =
            met.iter().map(|text| place(&other, text)).collect();
        // 200 draws of 512 places leave 165 of them taken, give or take.
        assert!(spread.len() > 120, "{}", spread.len());
    }

    #[test]
    fn a_namespace_is_never_confused_with_a_key() {
        let route = Route::new(1);
        let team = Namespace::parse("team").unwrap();
        let namespaced = route.hash(Key::parse(team, "x").unwrap());
        for plain in ["4:team:x", "teamx", "x"] {
            let plain = route.hash(Key::parse(Namespace::SHARED, plain).unwrap());
            assert_ne!(plain, namespaced);
        }
    }
}
