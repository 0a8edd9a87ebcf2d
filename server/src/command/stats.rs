//! Stats: the figures of the whole server.

use std::iter;

use tiny_cache_proto::cache::{CacheStats, Empty};
use tokio::task::yield_now;

use super::contract::{Command, Context};
use crate::{
    call::{ReplyMessage, ReplyWriter, RequestMessage},
    rejection::Rejection,
    store,
};

pub(crate) struct Stats;

/// A question without content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nothing;

impl Command for Stats {
    type Request<'a> = Nothing;
    type Reply<'a> = CacheStats;

    const OVER_TIER: bool = true;

    async fn run(context: &Context<'_>, Nothing: Nothing) -> Result<CacheStats, Rejection> {
        let mut census = context.store.store().census();
        while census.step() {
            yield_now().await;
        }
        Ok(reply(&census.stats()))
    }
}

impl From<&Empty> for Nothing {
    fn from(Empty {}: &Empty) -> Self {
        Self
    }
}

impl<'a> RequestMessage<'a> for Nothing {
    /// Never read in place: a count may take long, and lets others go first, which the long way does.
    fn decode(_message: &'a [u8]) -> Option<Self> {
        None
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a str> {
        iter::empty()
    }
}

impl ReplyMessage for CacheStats {
    fn write(&self, message: &mut ReplyWriter) {
        message.fields_of(self);
    }
}

fn reply(stats: &store::Stats) -> CacheStats {
    CacheStats {
        size: saturate(stats.entries),
        hits: saturate(stats.hits),
        misses: saturate(stats.misses),
        evictions: saturate(stats.evictions()),
        hit_rate: stats.hit_rate(),
        memory_usage_bytes: saturate(stats.memory_bytes),
        max_memory_bytes: saturate(stats.max_memory_bytes),
        max_items: saturate(stats.max_items),
        max_value_bytes: saturate(stats.max_value_bytes),
        lru_evictions: saturate(stats.lru_evictions),
        expired_removals: saturate(stats.expired_removals),
        rejected_oversize: saturate(stats.rejected_oversize),
        rejected_capacity: saturate(stats.rejected_capacity),
    }
}

/// The wire's integers are smaller than the counters: a full one stays at its greatest.
fn saturate<T: TryFrom<u64> + Bounded>(n: u64) -> T {
    T::try_from(n).unwrap_or(T::MAX)
}

trait Bounded {
    const MAX: Self;
}

impl Bounded for i32 {
    const MAX: Self = i32::MAX;
}

impl Bounded for i64 {
    const MAX: Self = i64::MAX;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_stops_at_the_greatest_number_of_the_wire() {
        let greatest = i32::MAX as u64;
        for (count, wire) in
            [(greatest - 1, i32::MAX - 1), (greatest, i32::MAX), (greatest + 1, i32::MAX)]
        {
            assert_eq!(reply(&store::Stats { hits: count, ..store::Stats::default() }).hits, wire);
        }
        let stats = store::Stats { memory_bytes: u64::MAX, ..store::Stats::default() };
        assert_eq!(reply(&stats).memory_usage_bytes, i64::MAX);
    }
}
