//! Asks the server about itself.

use std::time::Duration;

use tiny_cache_proto::cache::CacheStats;

use super::sealed::Run;
use crate::{
    call::Call,
    error::{ErrorKind, Result},
    health::{self, Health},
    retry::Repetition,
    transport::rpc,
};

/// Longest that a ping waits.
const PING_DEADLINE: Duration = Duration::from_secs(5);

/// The figures of the whole server, since it was started.
///
/// Counters stop at 2,147,483,647 here; the server's `/stats` has them in full.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Live entries.
    pub entries: u64,
    /// Reads that found a value.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Hits among all reads, 0 to 1.
    pub hit_ratio: f64,
    /// Entries that had to make room, or were not let in.
    pub evictions: u64,
    /// Those of them that made room, as the policy of the server chose them.
    pub lru_evictions: u64,
    /// Entries removed because their time was over.
    pub expired_removals: u64,
    /// Writes refused because the value was too large.
    pub rejected_oversize: u64,
    /// Writes refused because there was no room.
    pub rejected_capacity: u64,
    /// Bytes that entries take, their overhead included.
    pub memory_usage_bytes: u64,
    /// Bytes that entries may take.
    pub max_memory_bytes: u64,
    /// Entries that there may be; 0: no limit.
    pub max_items: u64,
    /// The largest value, in bytes.
    pub max_value_bytes: u64,
}

impl From<CacheStats> for Stats {
    fn from(stats: CacheStats) -> Self {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Self {
            entries: count(stats.size.into()),
            hits: count(stats.hits.into()),
            misses: count(stats.misses.into()),
            hit_ratio: stats.hit_rate,
            evictions: count(stats.evictions.into()),
            lru_evictions: count(stats.lru_evictions.into()),
            expired_removals: count(stats.expired_removals.into()),
            rejected_oversize: count(stats.rejected_oversize.into()),
            rejected_capacity: count(stats.rejected_capacity.into()),
            memory_usage_bytes: count(stats.memory_usage_bytes),
            max_memory_bytes: count(stats.max_memory_bytes),
            max_items: count(stats.max_items.into()),
            max_value_bytes: count(stats.max_value_bytes),
        }
    }
}

/// See [`Client::stats`](crate::Client::stats).
#[derive(Debug)]
pub struct GetStats;

impl Run for GetStats {
    type Output = Result<Stats>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        Ok(call?.make(&rpc::Stats, Repetition::Harmless).await?.into())
    }
}

/// See [`Client::health`](crate::Client::health).
#[derive(Debug)]
pub struct GetHealth;

impl Run for GetHealth {
    type Output = Result<Health>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let check = rpc::HealthCheck { service: health::SERVICE };
        Ok(call?.make(&check, Repetition::Harmless).await?.into())
    }
}

/// See [`Client::ping`](crate::Client::ping).
#[derive(Debug)]
pub struct Ping;

impl Run for Ping {
    type Output = bool;

    async fn run(self, call: Result<Call<'_>>) -> bool {
        let call = call.map(|call| call.at_most(PING_DEADLINE));
        match GetHealth.run(call).await {
            Ok(health) => health == Health::Serving,
            // It answers, if only that it knows of no health.
            Err(error) => error.kind() == ErrorKind::Unimplemented,
        }
    }
}
