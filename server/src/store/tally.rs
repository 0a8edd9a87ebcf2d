//! Counts what callers did, on a cache line of each worker's own, added up when read.

use std::{num::NonZeroUsize, sync::Arc};

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicU64, Ordering};

use super::{Stats, Store};

#[derive(Debug)]
pub(super) struct Tally(Box<[CachePadded<Counts>]>);

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    rejected_oversize: AtomicU64,
}

impl Tally {
    pub(super) fn new(workers: NonZeroUsize) -> Self {
        Self((0..workers.get()).map(|_| CachePadded::default()).collect())
    }

    pub(super) fn add_to(&self, stats: &mut Stats) {
        for counts in &self.0 {
            stats.hits += counts.hits.load(Ordering::Relaxed);
            stats.misses += counts.misses.load(Ordering::Relaxed);
            stats.rejected_oversize += counts.rejected_oversize.load(Ordering::Relaxed);
        }
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

    pub(super) fn count_read(&self, hit: bool) {
        let counts = self.counts();
        let counter = if hit { &counts.hits } else { &counts.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_oversize(&self) {
        self.counts().rejected_oversize.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> &Counts {
        &self.store.tally.0[self.worker]
    }
}
