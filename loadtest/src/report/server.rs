//! The server's own figures, as its Stats RPC gives them.

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tiny_cache_client::Stats;
use tiny_cache_proto::cache::CacheStats;

use crate::usage::UsageReport;

/// The figures around a run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Server {
    /// What a server of another system says that it is; none of tiny-cache, whose protocol
    /// does not tell.
    pub version: Option<String>,
    /// Before the first request; none where the server has none to give.
    pub before: Option<ServerStats>,
    /// After the prefill; none without one.
    pub prefilled: Option<ServerStats>,
    /// After the last reply.
    pub after: Option<ServerStats>,
    /// What it used of its machine, from the end of the prefill to the last reply; none where
    /// that could not be seen.
    pub usage: Option<UsageReport>,
    /// Why that could not be seen.
    pub usage_unknown: Option<String>,
    /// Requests for each second of the server's CPU time, those of warm-ups and fills among
    /// them.
    pub operations_per_core_second: Option<f64>,
}

impl Server {
    /// Entries that were evicted during the prefill and during the run, where there was a
    /// prefill and any were.
    fn evicted(&self) -> Option<[u64; 2]> {
        let (before, prefilled) = (self.before.as_ref()?, self.prefilled.as_ref()?);
        let evicted = |from: &ServerStats, to: &ServerStats| {
            u64::try_from(to.evictions.saturating_sub(from.evictions)).unwrap_or_default()
        };
        let of_run = self.after.as_ref().map_or(0, |after| evicted(prefilled, after));
        Some([evicted(before, prefilled), of_run]).filter(|counts| counts != &[0, 0])
    }

    /// What to know where a cache could not hold what the prefill wrote.
    pub(crate) fn eviction_note(&self) -> Option<String> {
        let [of_prefill, of_run] = self.evicted()?;
        let limits = self.prefilled.as_ref()?;
        let memory = u64::try_from(limits.max_memory_bytes).unwrap_or_default();
        let items = match limits.max_items {
            0 => String::new(),
            items => format!(" and {items} entries"),
        };
        let during_run = match of_run {
            0 => String::new(),
            count => format!(" and {count} during the run"),
        };
        Some(format!(
            "{of_prefill} entries were evicted during the prefill{during_run}: the keys do not \
             fit into the server's {}{items}, and reads of evicted keys miss; use fewer --keys, \
             a smaller --value-size or a larger cache",
            ByteSize(memory)
        ))
    }
}

/// What the load generator used, in the same time.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Generator {
    /// CPU time; none where the system does not tell.
    pub cpu_seconds: Option<f64>,
    /// CPU time for each second: near the number of threads, it was the generator that was
    /// slow.
    pub cores: Option<f64>,
}

/// What the Stats RPC says. Counters are those of the server's process: they include
/// what other clients do, and stop at 2147483647.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ServerStats {
    /// Live entries.
    pub entries: i32,
    /// Gets that found a value.
    pub hits: i32,
    /// Gets that found none.
    pub misses: i32,
    /// Entries removed for lack of room.
    pub evictions: i32,
    /// Of them, those chosen as least recently used.
    pub lru_evictions: i32,
    /// Entries removed for their age.
    pub expired_removals: i32,
    /// Writes refused for their size.
    pub rejected_oversize: i32,
    /// Writes refused for lack of room.
    pub rejected_capacity: i32,
    /// Memory held by entries.
    pub memory_usage_bytes: i64,
    /// Memory that entries may hold.
    pub max_memory_bytes: i64,
    /// Entries that there may be; 0 without a limit.
    pub max_items: i32,
    /// Longest value accepted.
    pub max_value_bytes: i64,
}

impl ServerStats {
    /// The figures of two servers together.
    pub(crate) fn and(self, other: Self) -> Self {
        let unlimited = self.max_items == 0 || other.max_items == 0;
        let items = self.max_items.saturating_add(other.max_items);
        Self {
            entries: self.entries.saturating_add(other.entries),
            hits: self.hits.saturating_add(other.hits),
            misses: self.misses.saturating_add(other.misses),
            evictions: self.evictions.saturating_add(other.evictions),
            lru_evictions: self.lru_evictions.saturating_add(other.lru_evictions),
            expired_removals: self.expired_removals.saturating_add(other.expired_removals),
            rejected_oversize: self.rejected_oversize.saturating_add(other.rejected_oversize),
            rejected_capacity: self.rejected_capacity.saturating_add(other.rejected_capacity),
            memory_usage_bytes: self.memory_usage_bytes.saturating_add(other.memory_usage_bytes),
            max_memory_bytes: self.max_memory_bytes.saturating_add(other.max_memory_bytes),
            max_items: if unlimited { 0 } else { items },
            max_value_bytes: self.max_value_bytes.min(other.max_value_bytes),
        }
    }
}

impl From<Stats> for ServerStats {
    fn from(stats: Stats) -> Self {
        let count = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
        let bytes = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            entries: count(stats.entries),
            hits: count(stats.hits),
            misses: count(stats.misses),
            evictions: count(stats.evictions),
            lru_evictions: count(stats.lru_evictions),
            expired_removals: count(stats.expired_removals),
            rejected_oversize: count(stats.rejected_oversize),
            rejected_capacity: count(stats.rejected_capacity),
            memory_usage_bytes: bytes(stats.memory_usage_bytes),
            max_memory_bytes: bytes(stats.max_memory_bytes),
            max_items: count(stats.max_items),
            max_value_bytes: bytes(stats.max_value_bytes),
        }
    }
}

impl From<CacheStats> for ServerStats {
    fn from(stats: CacheStats) -> Self {
        Self {
            entries: stats.size,
            hits: stats.hits,
            misses: stats.misses,
            evictions: stats.evictions,
            lru_evictions: stats.lru_evictions,
            expired_removals: stats.expired_removals,
            rejected_oversize: stats.rejected_oversize,
            rejected_capacity: stats.rejected_capacity,
            memory_usage_bytes: stats.memory_usage_bytes,
            max_memory_bytes: stats.max_memory_bytes,
            max_items: stats.max_items,
            max_value_bytes: stats.max_value_bytes,
        }
    }
}
