//! The figures of the store, of its shards, its namespaces and its sweeps.

use std::time::Duration;

use crate::histogram::Snapshot;

use super::quotas::QuotaStats;

/// The figures of the whole store, in full 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries held that are neither past their deadline nor invalidated.
    pub entries: u64,
    /// Reads that found a live entry.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Entries that had been let in and were pushed out to stay within the limits.
    pub lru_evictions: u64,
    /// New entries that a full shard turned away. Those that the window dropped; under TinyLFU an
    /// estimate: an entry counts here when it goes before the shard has seen 448 further writes.
    pub admission_rejections: u64,
    /// Entries that were pushed out to keep their namespace within its quota.
    pub quota_evictions: u64,
    /// Entries in the window.
    pub window_entries: u64,
    /// Bytes of the entries in the window.
    pub window_bytes: u64,
    /// Reads that found their entry in the window.
    pub window_hits: u64,
    /// Entries that became residents because they were read twice in the window.
    pub graduated_by_hits: u64,
    /// Entries that became residents because they came back soon after the window dropped them.
    pub graduated_by_ghost: u64,
    /// Entries that the window dropped.
    pub dropped: u64,
    /// Entries that were removed, or written over, after their deadline.
    pub expired_removals: u64,
    /// Entries that were removed, or written over, after their tag or namespace was invalidated.
    pub invalidated_removals: u64,
    /// Writes that replaced no live entry.
    pub inserts: u64,
    /// Writes that replaced one.
    pub overwrites: u64,
    /// Live entries that callers deleted.
    pub deletes: u64,
    /// Writes that had moka make room for them, since their shard was over its weight.
    pub forced_maintenance: u64,
    /// Writes that took a millisecond or longer to enter their shard.
    pub write_stalls: u64,
    /// Writes refused because the value was too large.
    pub rejected_oversize: u64,
    /// Writes refused because no room could be made. Stays 0: a shard holds the largest
    /// value, or is the only one and holds nothing else; the field is the contract's.
    pub rejected_capacity: u64,
    /// Bytes of those entries: keys, values and overhead.
    pub memory_bytes: u64,
    /// The limit on `memory_bytes`.
    pub max_memory_bytes: u64,
    /// The limit on `entries`; 0: none.
    pub max_items: u64,
    /// The largest value.
    pub max_value_bytes: u64,
}

impl Stats {
    /// Every entry that was removed to stay within the limits and quotas.
    pub fn evictions(&self) -> u64 {
        let by_policy = self.lru_evictions.saturating_add(self.admission_rejections);
        by_policy.saturating_add(self.quota_evictions)
    }

    /// Hits of all reads, from 0 to 1; 0 before the first read.
    pub fn hit_rate(&self) -> f64 {
        let reads = self.hits.saturating_add(self.misses);
        if reads == 0 { 0.0 } else { self.hits as f64 / reads as f64 }
    }
}

/// The figures of the store's parts, beside those of the whole.
#[derive(Debug)]
pub(crate) struct Detail {
    pub(crate) whole: Stats,
    pub(crate) shards: Vec<ShardStats>,
    pub(crate) namespaces: Vec<NamespaceStats>,
    pub(crate) sweeps: SweepStats,
}

/// The figures of a namespace. What is held counts until it is removed, up to two seconds
/// after its deadline; what was invalidated does not count.
#[derive(Clone, Debug)]
pub(crate) struct NamespaceStats {
    pub(crate) name: String,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Writes that were carried out, and the bytes of their values.
    pub(crate) writes: u64,
    pub(crate) written_bytes: u64,
    /// Calls, and items of batches, that were refused.
    pub(crate) refusals: u64,
    /// Entries removed, or turned away, to stay within the limits.
    pub(crate) evictions: u64,
    pub(crate) entries: u64,
    pub(crate) memory_bytes: u64,
    /// Its quotas; none without `CACHE_QUOTAS_PATH`.
    pub(crate) quota: Option<QuotaStats>,
}

impl NamespaceStats {
    /// Without what the number counted for the names that had it before.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            name: self.name.clone(),
            hits: self.hits.saturating_sub(before.hits),
            misses: self.misses.saturating_sub(before.misses),
            writes: self.writes.saturating_sub(before.writes),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
            refusals: self.refusals.saturating_sub(before.refusals),
            evictions: self.evictions.saturating_sub(before.evictions),
            quota: self.quota.map(|quota| quota.since(&before.quota.unwrap_or_default())),
            ..*self
        }
    }
}

impl Detail {
    /// How long an entry is in the window before it is judged, in seconds, as fast as they come
    /// now; 0 while none leaves.
    pub(crate) fn window_stay_seconds(&self) -> f64 {
        let leaving = self.sweeps.left_window_per_second;
        if leaving > 0.0 { self.whole.window_entries as f64 / leaving } else { 0.0 }
    }
}

/// Entries, and what they count as together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    pub(super) fn and(self, other: Self) -> Self {
        Self { entries: self.entries + other.entries, bytes: self.bytes + other.bytes }
    }

    pub(super) fn without(self, gone: Self) -> Self {
        Self {
            entries: self.entries.saturating_sub(gone.entries),
            bytes: self.bytes.saturating_sub(gone.bytes),
        }
    }
}

/// What a shard holds that is neither past its deadline nor invalidated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShardStats {
    pub(crate) entries: u64,
    pub(crate) memory_bytes: u64,
}

/// The sweeps so far.
#[derive(Debug)]
pub(crate) struct SweepStats {
    /// How long each took, its rests included.
    pub(crate) durations: Snapshot,
    /// How long the entry that the last sweep found latest was overdue.
    pub(crate) lag: Duration,
    /// When the last one ended, in Unix time; before the first, when the store was made.
    pub(crate) completed: Duration,
    /// Entries that left the window in a second, over the last ten sweeps or so.
    pub(crate) left_window_per_second: f64,
}
