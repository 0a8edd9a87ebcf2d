//! The handles in moka.

use std::{
    hash::{BuildHasher, Hasher},
    sync::Arc,
};

use moka::{notification::RemovalCause, policy, sync::Cache};

use super::evicted::{Evicted, Handle};
use crate::store::outcome::EvictionPolicy;

#[derive(Debug)]
pub(super) struct Handles(Cache<u64, Handle, Prehashed>);

impl Handles {
    pub(super) fn new(weight: u64, policy: EvictionPolicy, evicted: Arc<Evicted>) -> Self {
        let cache = Cache::builder()
            .max_capacity(weight)
            .weigher(|_, handle: &Handle| handle.weight)
            .eviction_policy(match policy {
                EvictionPolicy::TinyLfu => policy::EvictionPolicy::tiny_lfu(),
                EvictionPolicy::Window | EvictionPolicy::Lru => policy::EvictionPolicy::lru(),
            })
            .eviction_listener(move |hash: Arc<u64>, handle: Handle, cause| {
                // The shard itself does all else, and moka expires nothing.
                if cause == RemovalCause::Size {
                    evicted.put((*hash, handle.mark));
                }
            })
            .build_with_hasher(Prehashed);
        Self(cache)
    }

    pub(super) fn insert(&self, hash: u64, handle: Handle) {
        self.0.insert(hash, handle);
    }

    pub(super) fn remove(&self, hash: u64) {
        self.0.invalidate(&hash);
    }

    pub(super) fn report(&self, hash: u64) {
        self.0.get(&hash);
    }

    pub(super) fn settle(&self) {
        self.0.run_pending_tasks();
    }

    #[cfg(test)]
    pub(super) fn count_and_weight(&self) -> (u64, u64) {
        (self.0.entry_count(), self.0.weighted_size())
    }
}

/// Hands moka the hash that a handle is known by.
#[derive(Clone, Copy, Debug, Default)]
struct Prehashed;

impl BuildHasher for Prehashed {
    type Hasher = Passthrough;

    fn build_hasher(&self) -> Passthrough {
        Passthrough(0)
    }
}

/// Returns the one `u64` written to it.
#[derive(Debug)]
struct Passthrough(u64);

impl Hasher for Passthrough {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a handle is known by a u64")
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
