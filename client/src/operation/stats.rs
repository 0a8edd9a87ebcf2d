//! Asks for the figures of the server, or of all servers together.

use futures::future::try_join_all;
use tiny_cache_proto::cache::CacheStats;

use super::{Call, Client, Request, Result, Run, rpc};

impl Client {
    /// Reads the figures of the whole server, or the sum of the figures of all servers.
    /// [`Client::on_server`] reads those of one of them.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("key", "value").await?;
    /// assert_eq!(client.stats().await?.entries, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The call failed; of several, any of them.
    pub fn stats(&self) -> Request<'_, GetStats> {
        self.request(GetStats)
    }
}

/// The figures of the whole server since its start.
///
/// Counters stop at 2,147,483,647, the limit of the wire; the server's `/stats` has them in full.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Live entries.
    pub entries: u64,
    /// Reads that found a value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Share of hits among all reads, 0 to 1.
    pub hit_ratio: f64,
    /// Entries evicted, plus entries that were not admitted.
    pub evictions: u64,
    /// Entries evicted by the server's policy.
    pub lru_evictions: u64,
    /// Entries removed because they expired.
    pub expired_removals: u64,
    /// Writes refused because the value was too large.
    pub rejected_oversize: u64,
    /// Writes refused because there was no room.
    pub rejected_capacity: u64,
    /// Bytes of all entries, including their overhead.
    pub memory_usage_bytes: u64,
    /// Limit of those bytes.
    pub max_memory_bytes: u64,
    /// Limit of the entries; 0: no limit.
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

impl Stats {
    /// The figures of two servers together. A limit of 0 items is none; a value must fit into
    /// either.
    fn and(self, other: Self) -> Self {
        let (hits, misses) = (self.hits + other.hits, self.misses + other.misses);
        let unlimited = self.max_items == 0 || other.max_items == 0;
        Self {
            entries: self.entries + other.entries,
            hits,
            misses,
            hit_ratio: if hits == 0 { 0.0 } else { hits as f64 / (hits + misses) as f64 },
            evictions: self.evictions + other.evictions,
            lru_evictions: self.lru_evictions + other.lru_evictions,
            expired_removals: self.expired_removals + other.expired_removals,
            rejected_oversize: self.rejected_oversize + other.rejected_oversize,
            rejected_capacity: self.rejected_capacity + other.rejected_capacity,
            memory_usage_bytes: self.memory_usage_bytes + other.memory_usage_bytes,
            max_memory_bytes: self.max_memory_bytes + other.max_memory_bytes,
            max_items: if unlimited { 0 } else { self.max_items + other.max_items },
            max_value_bytes: self.max_value_bytes.min(other.max_value_bytes),
        }
    }
}

/// See [`Client::stats`].
#[derive(Debug)]
pub struct GetStats;

impl Run for GetStats {
    type Output = Result<Stats>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?;
        let Some(members) = call.members().await? else {
            return Ok(call.make(&rpc::Stats).await?.into());
        };
        let asked = members.iter().map(|member| {
            let call = call.to(member);
            async move { call.make(&rpc::Stats).await.map(Stats::from) }
        });
        let all = try_join_all(asked).await?;
        Ok(all.into_iter().reduce(Stats::and).unwrap_or_default())
    }
}
