//! The store: its shards, and the figures of them all.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};

use tiny_cache_proto::key::{Key, Namespace};

use crate::sync::{Mutex, PoisonError};

use super::{
    capacity::{Capacity, StoreLimits},
    clock::Clock,
    counters::WorkerCounters,
    cursor::Cursors,
    entry::HashedKey,
    hot::HotKeys,
    invalidations::{Invalidations, Scope, TooManyInvalidations},
    ledger::EntrySize,
    namespaces::{Namespaces, Slot},
    outcome::EvictionPolicy,
    quota_limits::QuotaRules,
    quotas::Quotas,
    route::Route,
    shard::{Common, Shard},
    stats::{Detail, NamespaceStats, Stats},
    sweeps::Sweeps,
    version::Versions,
    what_if::{Plan, WhatIf},
};

/// The sharded store. Share it by `Arc`; every method may be called from any thread.
#[derive(Debug)]
pub struct Store {
    route: Route,
    pub(super) shards: Box<[Shard]>,
    pub(super) counters: WorkerCounters,
    pub(super) namespaces: Arc<Namespaces>,
    /// `None`: no namespace will ever have one.
    pub(super) quotas: Option<Arc<Quotas>>,
    /// What each number had counted when its last name gave it back, by the number.
    released: Mutex<HashMap<usize, NamespaceStats>>,
    pub(super) sweeps: Sweeps,
    pub(super) cursors: Cursors,
    pub(super) hot: HotKeys,
    versions: Versions,
    clock: Clock,
    invalidations: Arc<Invalidations>,
    limits: StoreLimits,
    pub(super) what_if: Option<WhatIf>,
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
        Self::with_quotas(limits, policy, (shards, workers), None)
    }

    /// As [`new`](Self::new), for so many shards and workers, with quotas for namespaces. Only a
    /// store that was given some can be given others later.
    pub fn with_quotas(
        limits: StoreLimits,
        policy: EvictionPolicy,
        (shards, workers): (NonZeroUsize, NonZeroUsize),
        rules: Option<&QuotaRules>,
    ) -> Arc<Self> {
        Arc::new(Self::made(limits, policy, (shards, workers), rules))
    }

    /// As [`with_quotas`](Self::with_quotas), and tells what other memory would give.
    pub fn with_what_if(
        limits: StoreLimits,
        policy: EvictionPolicy,
        (shards, workers): (NonZeroUsize, NonZeroUsize),
        rules: Option<&QuotaRules>,
    ) -> Arc<Self> {
        let mut store = Self::made(limits, policy, (shards, workers), rules);
        let now = store.clock.now();
        store.what_if = Some(WhatIf::new(Plan { limits, policy, shards, workers }, now));
        Arc::new(store)
    }

    fn made(
        limits: StoreLimits,
        policy: EvictionPolicy,
        (shards, workers): (NonZeroUsize, NonZeroUsize),
        rules: Option<&QuotaRules>,
    ) -> Self {
        let plan = Capacity::plan(limits, shards, policy);
        let route = Route::new(plan.len());
        let versions = Versions::start();
        let namespaces = Arc::new(Namespaces::new());
        let quotas = rules.map(|rules| {
            let quotas = Quotas::new(namespaces.clone(), rules);
            Arc::new(quotas.expect("no more names than there are numbers for"))
        });
        let invalidations = Arc::default();
        let common = Common { clock: Clock::start(), versions, namespaces, quotas, invalidations };
        let shard = |capacity| Shard::new(capacity, policy, common.clone());
        Self {
            route,
            shards: plan.into_iter().map(shard).collect(),
            counters: WorkerCounters::new(workers),
            released: Mutex::default(),
            sweeps: Sweeps::new(),
            cursors: Cursors::new(),
            hot: HotKeys::new(workers, common.clock.clone()),
            limits,
            namespaces: common.namespaces,
            quotas: common.quotas,
            versions: common.versions,
            clock: common.clock,
            invalidations: common.invalidations,
            what_if: None,
        }
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

    /// The figures of this moment, of the whole and of its parts.
    pub(crate) fn detail(&self) -> Detail {
        let (whole, shards) = self.with_shards();
        let sweeps = self.sweeps.stats();
        Detail { whole, shards, namespaces: self.by_namespace(), sweeps }
    }

    /// Moments of the store's clock.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Reads that hit and missed.
    pub(super) fn reads(&self) -> (u64, u64) {
        let mut stats = Stats::default();
        self.counters.add_to(&mut stats);
        (stats.hits, stats.misses)
    }

    fn by_namespace(&self) -> Vec<NamespaceStats> {
        let names = self.namespaces.names();
        let before = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        let mut each = self.by_slot();
        for shard in &self.shards {
            for stripe in 0..shard.stripes() {
                shard.each_invalidated(stripe, |EntrySize { slot, bytes, .. }| {
                    let stats = &mut each[slot.index()];
                    stats.entries = stats.entries.saturating_sub(1);
                    stats.memory_bytes = stats.memory_bytes.saturating_sub(bytes);
                });
            }
        }
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
                quota: self
                    .quotas
                    .as_ref()
                    .map(|quotas| quotas.of(Slot::of_number(slot as u8)).stats()),
            }
        });
        each.collect()
    }

    pub(super) fn invalidate(
        &self,
        namespace: Namespace<'_>,
        scope: Scope<'_>,
    ) -> Result<(), TooManyInvalidations> {
        self.invalidations.record(&self.clock, namespace.as_str(), scope)
    }

    /// The latest invalidation whose entries have yet to be removed. Forgets those that nothing
    /// depends on any more.
    pub(super) fn pending_invalidations(&self) -> Option<u64> {
        self.invalidations.forget(self.clock.now());
        self.invalidations.pending()
    }

    /// Invalidations that are known.
    #[cfg(test)]
    pub(super) fn records(&self) -> usize {
        self.invalidations.count()
    }

    /// Notes that what was invalidated up to this one is removed.
    pub(super) fn invalidations_done(&self, up_to: u64) {
        self.invalidations.done(up_to);
    }

    /// Removes every entry that is there when it begins.
    pub(crate) fn clear(&self) {
        self.shards.iter().for_each(Shard::clear);
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

    /// Names the process whose versions its entries have; never 0.
    pub fn process_id(&self) -> u32 {
        self.versions.process().get()
    }

    /// Finds the place of a key.
    pub fn locate<'a>(&'a self, key: Key<'a>) -> Located<'a> {
        let hash = self.route.hash(key);
        Located { shard: self.shard_of(hash), key: HashedKey { hash, key } }
    }

    /// The shard of the entry with this hash.
    pub(super) fn shard_of(&self, hash: u64) -> &Shard {
        &self.shards[self.route.shard(hash)]
    }
}
