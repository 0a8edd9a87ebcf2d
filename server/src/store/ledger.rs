//! Counts what a shard holds, as it changes: moka's own count and weight are estimates
//! until its maintenance has run. Knows sizes and causes, not keys.

use std::sync::Arc;

use moka::notification::RemovalCause;

use crate::sync::{AtomicU64, Ordering};

use super::Stats;

/// How many writes of its shard an entry may be behind and still not have been judged:
/// moka's write channel takes 384 and is emptied from 64 on.
const UNJUDGED_WRITES: u64 = 384 + 64;

/// What a shard holds and has removed. Written by whoever writes to the shard or runs its
/// maintenance, so the figures are exact whenever none of them is at work.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The three below may wrap below zero for a moment: an entry that outweighs the slack is
    /// added only when room was made for it, and could be removed before that.
    entries: AtomicU64,
    bytes: AtomicU64,
    weight: AtomicU64,
    writes: AtomicU64,
    lru_evictions: AtomicU64,
    admission_rejections: AtomicU64,
    expired_removals: AtomicU64,
}

/// Why an entry left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// Deleted or replaced by a caller.
    Asked,
    /// It was past its deadline.
    Expired,
    /// Removed to stay within the limits.
    Evicted {
        /// The shard's count of writes when the entry was written; wraps.
        write: u32,
    },
}

impl Departure {
    pub(super) fn new(cause: RemovalCause, expired: bool, write: u32) -> Self {
        match cause {
            _ if expired => Departure::Expired,
            RemovalCause::Size => Departure::Evicted { write },
            RemovalCause::Expired | RemovalCause::Explicit | RemovalCause::Replaced => {
                Departure::Asked
            }
        }
    }
}

impl Ledger {
    pub(super) fn shared() -> Arc<Self> {
        Arc::default()
    }

    /// The number of the next write; wraps.
    pub(super) fn next_write(&self) -> u32 {
        self.writes.fetch_add(1, Ordering::Relaxed) as u32
    }

    pub(super) fn add(&self, bytes: u64, weight: u64) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.weight.fetch_add(weight, Ordering::Relaxed);
    }

    /// Takes an entry off. `admits_all` says that the policy turns no new entry away.
    pub(super) fn remove(&self, bytes: u64, weight: u64, departure: Departure, admits_all: bool) {
        let entries = self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        match departure {
            Departure::Asked => {}
            Departure::Expired => {
                self.expired_removals.fetch_add(1, Ordering::Relaxed);
            }
            Departure::Evicted { write } => {
                let now = self.writes.load(Ordering::Relaxed) as u32;
                let age = u64::from(now.wrapping_sub(write));
                // An entry that was let in went to the end of the queue: all others would
                // have to go before it.
                let unjudged = age <= UNJUDGED_WRITES.min(entries);
                if unjudged && !admits_all {
                    self.admission_rejections.fetch_add(1, Ordering::Relaxed);
                } else {
                    self.lru_evictions.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// The sum of weights held.
    pub(super) fn weight(&self) -> u64 {
        not_below_zero(self.weight.load(Ordering::Relaxed))
    }

    pub(super) fn entries(&self) -> u64 {
        not_below_zero(self.entries.load(Ordering::Relaxed))
    }

    pub(super) fn bytes(&self) -> u64 {
        not_below_zero(self.bytes.load(Ordering::Relaxed))
    }

    /// Adds what has left. What is held is the shard's to tell, which knows what of it lapsed.
    pub(super) fn add_to(&self, stats: &mut Stats) {
        stats.lru_evictions += self.lru_evictions.load(Ordering::Relaxed);
        stats.admission_rejections += self.admission_rejections.load(Ordering::Relaxed);
        stats.expired_removals += self.expired_removals.load(Ordering::Relaxed);
    }
}

fn not_below_zero(wrapped: u64) -> u64 {
    u64::try_from(wrapped as i64).unwrap_or(0)
}
