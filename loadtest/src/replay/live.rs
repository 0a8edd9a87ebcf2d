//! What can be seen of a run while it runs. One writer for each lane, read a few times
//! a second; the sums are not of one instant, which progress does not need.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crossbeam::utils::CachePadded;

use super::tally::Served;

/// The counters of all threads.
#[derive(Default)]
pub(super) struct Live {
    lanes: Vec<Arc<CachePadded<Counters>>>,
}

/// The counters of one thread.
#[derive(Default)]
pub(super) struct Counters {
    accesses: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What the counters add up to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Accesses that are done, whatever became of them.
    pub accesses: u64,
    /// Gets that found a value.
    pub hits: u64,
    /// Gets that found none.
    pub misses: u64,
}

impl Live {
    /// Adds the counters of one more thread. Padded: neighbours would take each other's
    /// cache line away with every access.
    pub(super) fn add(&mut self) -> Arc<CachePadded<Counters>> {
        let lane = Arc::default();
        self.lanes.push(Arc::clone(&lane));
        lane
    }

    /// Adds up what has been counted.
    #[must_use]
    pub(super) fn seen(&self) -> Seen {
        self.lanes.iter().fold(Seen::default(), |seen, lane| Seen {
            accesses: seen.accesses + lane.accesses.load(Relaxed),
            hits: seen.hits + lane.hits.load(Relaxed),
            misses: seen.misses + lane.misses.load(Relaxed),
        })
    }
}

impl Counters {
    /// Counts one access.
    pub(super) fn count(&self, served: Served) {
        self.accesses.fetch_add(1, Relaxed);
        match served {
            Served::Hit => self.hits.fetch_add(1, Relaxed),
            Served::Miss => self.misses.fetch_add(1, Relaxed),
            Served::NoLookup => 0,
        };
    }
}
