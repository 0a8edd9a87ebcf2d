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
    reads: Box<[Reads]>,
    rejected_oversize: AtomicU64,
}

#[derive(Debug, Default)]
struct Reads {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            reads: (0..SLOTS).map(|_| Reads::default()).collect(),
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
        for (hits, misses) in self.reads() {
            stats.hits += hits;
            stats.misses += misses;
        }
    }

    /// Hits and misses in each namespace, by its number.
    pub(super) fn reads(&self) -> [(u64, u64); SLOTS] {
        let mut sums = [(0, 0); SLOTS];
        for counts in &self.0 {
            for (sum, reads) in sums.iter_mut().zip(&counts.reads) {
                sum.0 += reads.hits.load(Ordering::Relaxed);
                sum.1 += reads.misses.load(Ordering::Relaxed);
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
        let reads = &self.counts().reads[slot.index()];
        let counter = if hit { &reads.hits } else { &reads.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_oversize(&self) {
        self.counts().rejected_oversize.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> &Counts {
        &self.store.tally.0[self.worker]
    }
}
