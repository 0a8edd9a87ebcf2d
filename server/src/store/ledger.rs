//! Counts what a shard holds, as it changes: moka's own count and weight are estimates
//! until its maintenance has run. Knows sizes and causes, not keys.

use std::{
    cell::Cell,
    sync::{Arc, OnceLock},
};

use moka::notification::RemovalCause;

use crate::sync::{AtomicU64, Ordering};

use super::{
    Stats,
    namespaces::{SLOTS, Slot},
};

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
    inserts: AtomicU64,
    overwrites: AtomicU64,
    deletes: AtomicU64,
    forced_maintenance: AtomicU64,
    write_stalls: AtomicU64,
    lru_evictions: AtomicU64,
    admission_rejections: AtomicU64,
    expired_removals: AtomicU64,
    /// What each namespace but the shared one holds; made when the first of them is written to.
    namespaces: OnceLock<Box<[Held]>>,
    /// Evictions from the shared keyspace, which has no place in `namespaces`.
    shared_evictions: AtomicU64,
}

/// Entries and bytes, which may wrap below zero for a moment as above.
#[derive(Debug, Default)]
struct Held {
    entries: AtomicU64,
    bytes: AtomicU64,
    evictions: AtomicU64,
}

/// What one namespace holds in a shard, and lost there for want of room.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NamespaceShare {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) evictions: u64,
}

/// What an entry counts as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Footprint {
    pub(super) bytes: u64,
    pub(super) weight: u64,
    pub(super) slot: Slot,
}

thread_local! {
    /// Whether the write that this thread has under way has replaced a live entry.
    static REPLACED: Cell<bool> = const { Cell::new(false) };
}

/// Why an entry left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// Deleted by a caller.
    Deleted,
    /// Replaced by a caller.
    Replaced,
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
            RemovalCause::Replaced => Departure::Replaced,
            // moka itself expires nothing.
            RemovalCause::Explicit | RemovalCause::Expired => Departure::Deleted,
        }
    }
}

impl Ledger {
    pub(super) fn shared() -> Arc<Self> {
        Arc::default()
    }

    /// Counts a write, which `insert` makes under its number; that wraps. What replaces no
    /// live entry is an insert: moka tells of the replaced one before it returns, on the same
    /// thread. To subtract the overwrites from the writes would not do: read while one is under
    /// way, the difference would go back now and then, as a restarted counter does.
    pub(super) fn write(&self, insert: impl FnOnce(u32)) {
        let number = self.writes.fetch_add(1, Ordering::Relaxed) as u32;
        REPLACED.set(false);
        insert(number);
        if !REPLACED.get() {
            self.inserts.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn add(&self, Footprint { bytes, weight, slot }: Footprint) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.weight.fetch_add(weight, Ordering::Relaxed);
        if let Some(held) = self.held(slot) {
            held.entries.fetch_add(1, Ordering::Relaxed);
            held.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Counts a write that ran the shard's maintenance to make room for itself.
    pub(super) fn count_forced_maintenance(&self) {
        self.forced_maintenance.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a write that took long to enter the shard.
    pub(super) fn count_stall(&self) {
        self.write_stalls.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes an entry off. `admits_all` says that the policy turns no new entry away.
    pub(super) fn remove(&self, footprint: Footprint, departure: Departure, admits_all: bool) {
        let Footprint { bytes, weight, slot } = footprint;
        let entries = self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        if let Some(held) = self.held(slot) {
            held.entries.fetch_sub(1, Ordering::Relaxed);
            held.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        match departure {
            Departure::Deleted => {
                self.deletes.fetch_add(1, Ordering::Relaxed);
            }
            Departure::Replaced => {
                REPLACED.set(true);
                self.overwrites.fetch_add(1, Ordering::Relaxed);
            }
            Departure::Expired => {
                self.expired_removals.fetch_add(1, Ordering::Relaxed);
            }
            Departure::Evicted { write } => {
                let evictions =
                    self.held(slot).map_or(&self.shared_evictions, |held| &held.evictions);
                evictions.fetch_add(1, Ordering::Relaxed);
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
        stats.inserts += self.inserts.load(Ordering::Relaxed);
        stats.overwrites += self.overwrites.load(Ordering::Relaxed);
        stats.deletes += self.deletes.load(Ordering::Relaxed);
        stats.forced_maintenance += self.forced_maintenance.load(Ordering::Relaxed);
        stats.write_stalls += self.write_stalls.load(Ordering::Relaxed);
    }

    /// The share of each namespace, by its number; what the shared keyspace holds is what the
    /// others leave. An entry past its deadline counts until it is removed.
    pub(super) fn by_namespace(&self) -> [NamespaceShare; SLOTS] {
        let mut each = [NamespaceShare::default(); SLOTS];
        let (mut entries, mut bytes) = (0, 0);
        if let Some(namespaces) = self.namespaces.get() {
            for (share, held) in each.iter_mut().zip(namespaces) {
                share.entries = not_below_zero(held.entries.load(Ordering::Relaxed));
                share.bytes = not_below_zero(held.bytes.load(Ordering::Relaxed));
                share.evictions = held.evictions.load(Ordering::Relaxed);
                entries += share.entries;
                bytes += share.bytes;
            }
        }
        each[Slot::SHARED.index()] = NamespaceShare {
            entries: self.entries().saturating_sub(entries),
            bytes: self.bytes().saturating_sub(bytes),
            evictions: self.shared_evictions.load(Ordering::Relaxed),
        };
        each
    }

    fn held(&self, slot: Slot) -> Option<&Held> {
        let named = slot != Slot::SHARED;
        named.then(|| {
            let none = || (0..SLOTS).map(|_| Held::default()).collect();
            &self.namespaces.get_or_init(none)[slot.index()]
        })
    }
}

fn not_below_zero(wrapped: u64) -> u64 {
    u64::try_from(wrapped as i64).unwrap_or(0)
}
