//! The store: its shards, and the figures of them all.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};

use tiny_cache_proto::key::Key;

use crate::sync::{Mutex, PoisonError};

use super::{
    capacity::{Capacity, StoreLimits},
    clock::Clock,
    counters::WorkerCounters,
    entry::HashedKey,
    namespaces::Namespaces,
    outcome::EvictionPolicy,
    route::Route,
    shard::Shard,
    stats::{Detail, NamespaceStats, ShardStats, Stats},
    sweeps::Sweeps,
};

/// The sharded store. Share it by `Arc`; every method may be called from any thread.
#[derive(Debug)]
pub struct Store {
    route: Route,
    pub(super) shards: Box<[Shard]>,
    pub(super) counters: WorkerCounters,
    pub(super) namespaces: Arc<Namespaces>,
    /// What each number had counted when its last name gave it back, by the number.
    released: Mutex<HashMap<usize, NamespaceStats>>,
    pub(super) sweeps: Sweeps,
    limits: StoreLimits,
}

/// A key, and the shard that has it or would have it.
#[derive(Clone, Copy, Debug)]
pub struct Located<'a> {
    pub(super) shard: &'a Shard,
    pub(super) key: HashedKey<'a>,
}

impl Store {
    /// Makes an empty store of about `shards` shards (a power of two, and fewer when a
    /// shard could not hold several of the largest values), with counters for each of
    /// `workers` threads.
    pub fn new(
        limits: StoreLimits,
        policy: EvictionPolicy,
        shards: NonZeroUsize,
        workers: NonZeroUsize,
    ) -> Arc<Self> {
        let plan = Capacity::plan(limits, shards, policy);
        let route = Route::new(plan.len());
        let clock = Clock::start();
        let namespaces = Arc::new(Namespaces::new());
        let shard = |capacity| Shard::new(capacity, policy, clock.clone(), namespaces.clone());
        Arc::new(Self {
            route,
            shards: plan.into_iter().map(shard).collect(),
            counters: WorkerCounters::new(workers),
            namespaces,
            released: Mutex::default(),
            sweeps: Sweeps::new(),
            limits,
        })
    }

    /// How many shards there are.
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// The policy that its shards go by: those that are too small for a window go by the order of
    /// use.
    pub fn policy(&self) -> EvictionPolicy {
        self.shards[0].policy()
    }

    /// The limits it was made with.
    pub fn limits(&self) -> StoreLimits {
        self.limits
    }

    /// The figures of this moment. Applies what the shards have pending, so that sizes are
    /// exact when nothing is being written.
    pub fn stats(&self) -> Stats {
        self.with_shards().0
    }

    /// The figures of this moment, of the whole and of its parts.
    pub(crate) fn detail(&self) -> Detail {
        let (whole, shards) = self.with_shards();
        let sweeps = self.sweeps.stats();
        Detail { whole, shards, namespaces: self.by_namespace(), sweeps }
    }

    fn with_shards(&self) -> (Stats, Vec<ShardStats>) {
        let mut stats = Stats {
            max_memory_bytes: self.limits.max_bytes,
            max_items: self.limits.max_items.map_or(0, |n| n.get() as u64),
            max_value_bytes: self.limits.max_value_bytes as u64,
            ..Stats::default()
        };
        self.counters.add_to(&mut stats);
        let shards = self.shards.iter().map(|shard| shard.add_to(&mut stats)).collect();
        (stats, shards)
    }

    fn by_namespace(&self) -> Vec<NamespaceStats> {
        let names = self.namespaces.names();
        let before = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        let each = self.by_slot();
        let named = names.into_iter().map(|(slot, name)| {
            let counted = &each[slot.index()];
            let counted = before.get(&slot.index()).map_or(counted.clone(), |at| counted.since(at));
            NamespaceStats { name, ..counted }
        });
        named.collect()
    }

    /// The figures of each number, of all names that it ever had.
    fn by_slot(&self) -> Vec<NamespaceStats> {
        let shards: Vec<_> = self.shards.iter().map(Shard::by_namespace).collect();
        let usages = self.counters.by_namespace().into_iter().enumerate();
        let each = usages.map(|(slot, usage)| {
            let shares = || shards.iter().map(|shard| shard[slot]);
            NamespaceStats {
                name: String::new(),
                hits: usage.hits,
                misses: usage.misses,
                writes: usage.writes,
                written_bytes: usage.written_bytes,
                refusals: usage.refusals,
                evictions: shares().map(|share| share.evictions).sum(),
                entries: shares().map(|share| share.entries).sum(),
                memory_bytes: shares().map(|share| share.bytes).sum(),
            }
        });
        each.collect()
    }

    /// Takes the numbers of namespaces back that hold nothing, when a new name finds none. The
    /// next name's counters start at zero.
    pub(super) fn release_empty_namespaces(&self) {
        if !self.namespaces.full() {
            return;
        }
        let each = self.by_slot();
        let mut before = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        for slot in self.namespaces.release(|slot| each[slot.index()].entries == 0) {
            before.insert(slot.index(), each[slot.index()].clone());
        }
    }

    pub(super) fn locate<'a>(&'a self, key: Key<'a>) -> Located<'a> {
        let hash = self.route.hash(key);
        Located { shard: &self.shards[self.route.shard(hash)], key: HashedKey { hash, key } }
    }
}
