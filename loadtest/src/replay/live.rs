//! What can be seen of a run while it runs. One writer for each lane, read a few times
//! a second; the sums are not of one instant, which progress does not need.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam::utils::CachePadded;

use super::tally::Served;

/// The counters of all threads.
pub(super) struct Live {
    /// Padded: neighbours would take each other's cache line away for every access.
    lanes: Box<[CachePadded<Lane>]>,
}

/// The counters of one thread.
#[derive(Default)]
pub(super) struct Lane {
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
    /// Makes counters for so many threads.
    #[must_use]
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            lanes: std::iter::repeat_with(CachePadded::default)
                .take(lanes)
                .collect(),
        }
    }

    /// The counters of one thread.
    #[must_use]
    pub(super) fn lane(&self, index: usize) -> &Lane {
        &self.lanes[index]
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

impl Lane {
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
