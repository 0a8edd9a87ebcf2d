//! The room of a simulation: that of a store with so many times the memory, scaled down as the keys
//! are.

use std::num::NonZeroUsize;

use super::super::{
    capacity::{Capacity, HANDLE_BYTES, StoreLimits},
    outcome::EvictionPolicy,
};

/// What a store is made of.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Plan {
    pub(in crate::store) limits: StoreLimits,
    pub(in crate::store) policy: EvictionPolicy,
    /// The shards that are wanted.
    pub(in crate::store) shards: NonZeroUsize,
    pub(in crate::store) workers: NonZeroUsize,
}

/// What all shards of a store may hold together, of one in so many keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// A shard of the store, unscaled: it says what an entry weighs, and whether it fits a window.
    shard: Capacity,
    pub(super) policy: EvictionPolicy,
    /// How much less the simulation holds, as a power of two.
    scale: u32,
    /// Of the whole store.
    max_bytes: u64,
    weight: u64,
    window: u64,
    ghost_slots: u64,
    shards: usize,
}

impl Room {
    /// That of a store with `times` the memory of the plan.
    pub(super) fn new(plan: Plan, times: f64, scale: u32) -> Self {
        let max_bytes = (plan.limits.max_bytes as f64 * times) as u64;
        let limits = StoreLimits { max_bytes, ..plan.limits };
        let shards = Capacity::plan(limits, plan.shards, plan.policy);
        let policy = match plan.policy {
            EvictionPolicy::Window if shards[0].window == 0 => EvictionPolicy::Lru,
            policy => policy,
        };
        Self {
            shard: shards[0],
            policy,
            scale,
            max_bytes,
            weight: shards.iter().map(|shard| shard.weight).sum(),
            window: shards.iter().map(|shard| shard.window).sum(),
            ghost_slots: shards.iter().map(Capacity::ghost_slots).sum(),
            shards: shards.len(),
        }
    }

    /// The same for other numbers of keys.
    pub(super) fn scaled(self, scale: u32) -> Self {
        Self { scale, ..self }
    }

    /// The memory of the store.
    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight >> self.scale
    }

    pub(super) fn window(&self) -> u64 {
        self.window >> self.scale
    }

    pub(super) fn residents(&self) -> u64 {
        self.weight() - self.window()
    }

    /// By how much writes that wait may be over the weight.
    pub(super) fn slack(&self) -> u64 {
        (self.shard.slack() * self.shards as u64) >> self.scale
    }

    /// What all shards have together of which each has so many.
    pub(super) fn scaled_count(&self, each: usize) -> usize {
        ((each * self.shards) >> self.scale).max(1)
    }

    pub(super) fn scale(&self) -> u32 {
        self.scale
    }

    pub(super) fn ghost_slots(&self) -> u64 {
        self.ghost_slots >> self.scale
    }

    /// What an entry weighs that counts as so many bytes in the window.
    pub(super) fn weigh(&self, bytes: u32, is_resident: bool) -> u64 {
        let handle = if is_resident { HANDLE_BYTES as u64 } else { 0 };
        self.shard.weigh(u64::from(bytes) + handle)
    }

    /// Whether it may enter the window.
    pub(super) fn fits_window(&self, bytes: u32) -> bool {
        self.weigh(bytes, false) <= self.shard.window
    }
}
