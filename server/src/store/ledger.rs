//! Counts what a shard holds, as it changes. Knows sizes and causes, not keys.

use std::sync::{Arc, OnceLock};

use crate::sync::{AtomicU32, AtomicU64, Ordering};

use super::{
    namespaces::{SLOTS, Slot},
    quotas::Quotas,
    stats::Stats,
};

/// How many handles of its shard an entry may be behind and still not have been judged:
/// moka's write channel takes 384 and is emptied from 64 on.
const UNJUDGED_WRITES: u64 = 384 + 64;

/// What a shard holds and has removed. Written by whoever writes to the shard or runs its
/// maintenance, so the figures are exact whenever none of them is at work.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    all: Totals,
    /// The window's part of `all`.
    window: Totals,
    marks: AtomicU32,
    residents_let_in: AtomicU32,
    graduated: [AtomicU64; 2],
    dropped: AtomicU64,
    inserts: AtomicU64,
    overwrites: AtomicU64,
    deletes: AtomicU64,
    forced_maintenance: AtomicU64,
    write_stalls: AtomicU64,
    lru_evictions: AtomicU64,
    admission_rejections: AtomicU64,
    expired_removals: AtomicU64,
    invalidated_removals: AtomicU64,
    quota_evictions: AtomicU64,
    /// Where entries with a ticket count, too.
    quotas: Option<Arc<Quotas>>,
    /// What each namespace but the shared one holds; made when the first of them is written to.
    namespaces: OnceLock<Box<[Held]>>,
    /// Evictions from the shared keyspace, which has no place in `namespaces`.
    shared_evictions: AtomicU64,
}

/// Entries, and what they count as together.
#[derive(Debug, Default)]
pub(super) struct Totals {
    entries: AtomicU64,
    bytes: AtomicU64,
    weight: AtomicU64,
}

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
pub(super) struct EntrySize {
    pub(super) bytes: u64,
    pub(super) weight: u64,
    pub(super) slot: Slot,
    pub(super) in_window: bool,
    /// Whether it counts in its namespace's quota.
    pub(super) has_ticket: bool,
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
    /// Its tag or its namespace was invalidated.
    Invalidated,
    /// Judged at the window's end, and dropped.
    Dropped,
    /// Pushed out to stay within the limits.
    Evicted,
    /// Pushed out to keep its namespace within its quota.
    OverQuota,
    /// Pushed out, or never let in: TinyLFU does not say.
    Unjudged {
        /// The number under which the entry was given to moka.
        mark: u32,
    },
}

/// Why an entry became a resident of a shard with a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Graduation {
    /// It was read twice or more.
    Hits = 0,
    /// It came back soon after it was dropped.
    Ghost = 1,
}

impl Ledger {
    /// Counts entries with a ticket in their namespace's quota, too.
    pub(super) fn with_quotas(quotas: Option<Arc<Quotas>>) -> Self {
        Self { quotas, ..Self::default() }
    }

    /// A number for what enters the window or moka; wraps.
    pub(super) fn mark(&self) -> u32 {
        self.marks.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a resident, and returns how many were let in before; wraps.
    pub(super) fn count_resident(&self) -> u32 {
        self.residents_let_in.fetch_add(1, Ordering::Relaxed)
    }

    /// How many residents were let in; wraps.
    pub(super) fn residents_let_in(&self) -> u32 {
        self.residents_let_in.load(Ordering::Relaxed)
    }

    /// Entries that the window dropped, or made residents because of their hits.
    pub(super) fn judged(&self) -> u64 {
        let by_hits = self.graduated[Graduation::Hits as usize].load(Ordering::Relaxed);
        self.dropped.load(Ordering::Relaxed) + by_hits
    }

    pub(super) fn count_graduation(&self, why: Graduation) {
        self.graduated[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a write that replaced no live entry. To subtract the overwrites from the writes
    /// would not do: read while one is under way, the difference would go back now and then, as a
    /// restarted counter does.
    pub(super) fn count_insert(&self) {
        self.inserts.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds an entry to what is held.
    pub(super) fn add(&self, size: EntrySize) {
        self.all.add(size);
        if size.in_window {
            self.window.add(size);
        }
        if let Some(held) = self.held(size.slot) {
            held.entries.fetch_add(1, Ordering::Relaxed);
            held.bytes.fetch_add(size.bytes, Ordering::Relaxed);
        }
        if size.has_ticket
            && let Some(quotas) = &self.quotas
        {
            quotas.of(size.slot).add(size.bytes);
        }
    }

    /// Takes an entry off what is held.
    pub(super) fn take_off(&self, size: EntrySize) {
        self.all.take_off(size);
        if size.in_window {
            self.window.take_off(size);
        }
        if let Some(held) = self.held(size.slot) {
            held.entries.fetch_sub(1, Ordering::Relaxed);
            held.bytes.fetch_sub(size.bytes, Ordering::Relaxed);
        }
        if size.has_ticket
            && let Some(quotas) = &self.quotas
        {
            quotas.of(size.slot).take_off(size.bytes);
        }
    }

    /// Counts a write that had moka make room for it.
    pub(super) fn count_forced_maintenance(&self) {
        self.forced_maintenance.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a write that took long to enter the shard.
    pub(super) fn count_stall(&self) {
        self.write_stalls.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes an entry off that has left, and counts why.
    pub(super) fn remove(&self, size: EntrySize, departure: Departure) {
        let counter = match departure {
            Departure::Deleted => &self.deletes,
            Departure::Replaced => &self.overwrites,
            Departure::Expired => &self.expired_removals,
            Departure::Invalidated => &self.invalidated_removals,
            Departure::Dropped => &self.dropped,
            Departure::Evicted => &self.lru_evictions,
            Departure::OverQuota => &self.quota_evictions,
            // An entry that was let in went to the end of the queue: all others would have to go
            // before it.
            Departure::Unjudged { mark } => {
                let age = u64::from(self.marks.load(Ordering::Relaxed).wrapping_sub(mark));
                if age <= UNJUDGED_WRITES.min(self.all.entries()) {
                    &self.admission_rejections
                } else {
                    &self.lru_evictions
                }
            }
        };
        if departure.makes_room() {
            let held = self.held(size.slot);
            let evictions = held.map_or(&self.shared_evictions, |held| &held.evictions);
            evictions.fetch_add(1, Ordering::Relaxed);
        }
        self.take_off(size);
        // Last: who reads it first finds no entry among those held that it counts as removed.
        counter.fetch_add(1, Ordering::Release);
    }

    /// How many entries were removed since they were past their deadline or invalidated.
    pub(super) fn swept(&self) -> u64 {
        self.expired_removals.load(Ordering::Acquire)
            + self.invalidated_removals.load(Ordering::Acquire)
    }

    /// What the shard holds.
    pub(super) fn all(&self) -> &Totals {
        &self.all
    }

    /// What its window holds.
    pub(super) fn window(&self) -> &Totals {
        &self.window
    }

    /// Adds the removal counters. The shard reports the current size, because only it knows which
    /// entries have expired.
    pub(super) fn add_to(&self, stats: &mut Stats) {
        stats.lru_evictions += self.lru_evictions.load(Ordering::Relaxed);
        stats.admission_rejections += self.admission_rejections.load(Ordering::Relaxed);
        stats.quota_evictions += self.quota_evictions.load(Ordering::Relaxed);
        stats.admission_rejections += self.dropped.load(Ordering::Relaxed);
        stats.graduated_by_hits +=
            self.graduated[Graduation::Hits as usize].load(Ordering::Relaxed);
        stats.graduated_by_ghost +=
            self.graduated[Graduation::Ghost as usize].load(Ordering::Relaxed);
        stats.dropped += self.dropped.load(Ordering::Relaxed);
        stats.expired_removals += self.expired_removals.load(Ordering::Relaxed);
        stats.invalidated_removals += self.invalidated_removals.load(Ordering::Relaxed);
        stats.inserts += self.inserts.load(Ordering::Relaxed);
        stats.overwrites += self.overwrites.load(Ordering::Relaxed);
        stats.deletes += self.deletes.load(Ordering::Relaxed);
        stats.forced_maintenance += self.forced_maintenance.load(Ordering::Relaxed);
        stats.write_stalls += self.write_stalls.load(Ordering::Relaxed);
    }

    /// The share of each namespace, by its number; what the shared keyspace holds is what the
    /// others leave. An entry past its deadline, or invalidated, counts until it is removed.
    pub(super) fn by_namespace(&self) -> [NamespaceShare; SLOTS] {
        let mut each = [NamespaceShare::default(); SLOTS];
        let (mut entries, mut bytes) = (0, 0);
        if let Some(namespaces) = self.namespaces.get() {
            for (share, held) in each.iter_mut().zip(namespaces) {
                share.entries = held.entries.load(Ordering::Relaxed);
                share.bytes = held.bytes.load(Ordering::Relaxed);
                share.evictions = held.evictions.load(Ordering::Relaxed);
                entries += share.entries;
                bytes += share.bytes;
            }
        }
        each[Slot::SHARED.index()] = NamespaceShare {
            entries: self.all.entries().saturating_sub(entries),
            bytes: self.all.bytes().saturating_sub(bytes),
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

impl Totals {
    pub(super) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight.load(Ordering::Relaxed)
    }

    fn add(&self, size: EntrySize) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(size.bytes, Ordering::Relaxed);
        self.weight.fetch_add(size.weight, Ordering::Relaxed);
    }

    fn take_off(&self, size: EntrySize) {
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(size.bytes, Ordering::Relaxed);
        self.weight.fetch_sub(size.weight, Ordering::Relaxed);
    }
}

impl Departure {
    /// Whether the entry left to stay within the limits.
    fn makes_room(self) -> bool {
        match self {
            Self::Dropped | Self::Evicted | Self::OverQuota | Self::Unjudged { .. } => true,
            Self::Deleted | Self::Replaced | Self::Expired | Self::Invalidated => false,
        }
    }
}
