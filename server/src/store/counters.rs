//! Counts what callers did: each worker on a cache line of its own, summed when read.

use std::num::NonZeroUsize;

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicU64, Ordering};

use super::{
    namespaces::{SLOTS, Slot},
    stats::Stats,
};

/// The counters of each worker.
#[derive(Debug)]
pub(super) struct WorkerCounters(Box<[CachePadded<Counters>]>);

/// What the callers of one worker did.
#[derive(Debug)]
pub(super) struct Counters {
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

impl Default for Counters {
    fn default() -> Self {
        Self {
            namespaces: (0..SLOTS).map(|_| Counted::default()).collect(),
            rejected_oversize: AtomicU64::new(0),
        }
    }
}

impl WorkerCounters {
    pub(super) fn new(workers: NonZeroUsize) -> Self {
        Self((0..workers.get()).map(|_| CachePadded::default()).collect())
    }

    pub(super) fn workers(&self) -> usize {
        self.0.len()
    }

    pub(super) fn of(&self, worker: usize) -> &Counters {
        &self.0[worker]
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

impl Counters {
    pub(super) fn count_read(&self, slot: Slot, hit: bool) {
        let counted = &self.namespaces[slot.index()];
        let counter = if hit { &counted.hits } else { &counted.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_write(&self, slot: Slot, value_bytes: usize) {
        let counted = &self.namespaces[slot.index()];
        counted.writes.fetch_add(1, Ordering::Relaxed);
        counted.written_bytes.fetch_add(value_bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_oversize(&self) {
        self.rejected_oversize.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self, slot: Slot) {
        self.namespaces[slot.index()].refusals.fetch_add(1, Ordering::Relaxed);
    }
}
