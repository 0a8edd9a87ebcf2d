//! The residents of a shard: the entries that have proved themselves, or all of them under the
//! policies without a window. moka keeps a handle to each and chooses which one has to go; the
//! table holds the entries themselves.
//!
//! A handle is the entry's hash, with its weight and its mark. So an entry can be replaced by one
//! of the same weight without a word to moka, and a value's memory is free as soon as the table
//! lets go of it. What moka evicts is put down here, and the shard takes it out of its table: that
//! needs the stripe of the evicted entry, which nobody may take who holds another.
//!
//! moka 0.12.16 takes 261 bytes for a handle (`make bench-overhead`).

#[cfg(not(feature = "shuttle"))]
mod moka;
// moka's own locks would stop the model checker.
#[cfg(feature = "shuttle")]
#[path = "residents/model.rs"]
mod moka;

mod evicted;

use std::sync::Arc;

use self::{
    evicted::{Evicted, Handle},
    moka::Handles,
};
use super::{outcome::EvictionPolicy, ring::Item};

/// The handles of one shard.
#[derive(Debug)]
pub(super) struct Residents {
    handles: Handles,
    evicted: Arc<Evicted>,
}

impl Residents {
    /// Keeps handles of up to `weight` in all.
    pub(super) fn new(weight: u64, policy: EvictionPolicy) -> Self {
        let evicted = Arc::<Evicted>::default();
        Self { handles: Handles::new(weight, policy, evicted.clone()), evicted }
    }

    /// Adds a handle, or replaces that of its hash. The caller holds the stripe of the hash.
    pub(super) fn insert(&self, (hash, mark): Item, weight: u64) {
        // Capacity keeps an entry's share within moka's 32 bits, and the settings a value.
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        self.handles.insert(hash, Handle { weight, mark });
    }

    /// Takes a handle off. The caller holds the stripe of the hash.
    pub(super) fn remove(&self, hash: u64) {
        self.handles.remove(hash);
    }

    /// Tells moka of a use.
    pub(super) fn report(&self, hash: u64) {
        self.handles.report(hash);
    }

    /// Applies what moka has pending: uses to their order, writes to the weight.
    pub(super) fn settle(&self) {
        self.handles.settle();
    }

    /// What moka evicted since the last call. The caller holds no stripe.
    pub(super) fn take_evicted(&self) -> Vec<Item> {
        self.evicted.take()
    }

    /// What moka itself says that it holds.
    #[cfg(test)]
    pub(super) fn count_and_weight(&self) -> (u64, u64) {
        self.handles.count_and_weight()
    }
}
