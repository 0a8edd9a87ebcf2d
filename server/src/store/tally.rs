//! Counts what callers did, on a cache line of each worker's own, added up when read.

use std::{num::NonZeroUsize, sync::Arc};

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicU64, Ordering};

use super::{
    Stats, Store,
    namespaces::{SLOTS, Slot},
};

#[derive(Debug)]
pub(super) struct Tally(Box<[CachePadded<Counts>]>);

#[derive(Debug)]
struct Counts {
    /// One of each namespace, the shared one first. Their sum is the whole, so that no figure
    /// is the difference of two that change, and none goes back.
    namespaces: Box<[Counted]>,
    rejected_oversize: AtomicU64,
}

#[derive(Debug, Default)]
struct Counted {
    hits: AtomicU64,
    misses: AtomicU64,
    writes: AtomicU64,
    written_bytes: AtomicU64,
    refusals: AtomicU64,
}

/// What callers did in one namespace.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) writes: u64,
    pub(super) written_bytes: u64,
    pub(super) refusals: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            namespaces: (0..SLOTS).map(|_| Counted::default()).collect(),
            rejected_oversize: AtomicU64::new(0),
        }
    }
}

impl Tally {
    pub(super) fn new(workers: NonZeroUsize) -> Self {
        Self((0..workers.get()).map(|_| CachePadded::default()).collect())
    }

    pub(super) fn add_to(&self, stats: &mut Stats) {
        for counts in &self.0 {
            stats.rejected_oversize += counts.rejected_oversize.load(Ordering::Relaxed);
        }
        for usage in self.by_namespace() {
            stats.hits += usage.hits;
            stats.misses += usage.misses;
        }
    }

    /// What callers did in each namespace, by its number.
    pub(super) fn by_namespace(&self) -> [Usage; SLOTS] {
        let mut sums = [Usage::default(); SLOTS];
        for counts in &self.0 {
            for (sum, counted) in sums.iter_mut().zip(&counts.namespaces) {
                sum.hits += counted.hits.load(Ordering::Relaxed);
                sum.misses += counted.misses.load(Ordering::Relaxed);
                sum.writes += counted.writes.load(Ordering::Relaxed);
                sum.written_bytes += counted.written_bytes.load(Ordering::Relaxed);
                sum.refusals += counted.refusals.load(Ordering::Relaxed);
            }
        }
        sums
    }
}

/// The store as one worker sees it: the same entries, and counters of the worker's own, so
/// that counting a read touches no other core's cache line.
#[derive(Clone, Debug)]
pub struct Lane {
    store: Arc<Store>,
    worker: usize,
}

impl Lane {
    pub(super) fn new(store: &Arc<Store>, worker: usize) -> Self {
        Self { worker: worker % store.tally.0.len(), store: store.clone() }
    }

    /// The store behind the lane.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn count_read(&self, slot: Slot, hit: bool) {
        let counted = self.counted(slot);
        let counter = if hit { &counted.hits } else { &counted.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_write(&self, slot: Slot, value_bytes: usize) {
        let counted = self.counted(slot);
        counted.writes.fetch_add(1, Ordering::Relaxed);
        counted.written_bytes.fetch_add(value_bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_oversize(&self) {
        self.counts().rejected_oversize.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self, slot: Slot) {
        self.counted(slot).refusals.fetch_add(1, Ordering::Relaxed);
    }

    fn counted(&self, slot: Slot) -> &Counted {
        &self.counts().namespaces[slot.index()]
    }

    fn counts(&self) -> &Counts {
        &self.store.tally.0[self.worker]
    }
}
