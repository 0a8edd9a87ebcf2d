//! Asks which hit ratio other memory would give, of one server or of all together.

use std::time::Duration;

use futures::future::try_join_all;
use tiny_cache_proto::v1::{WhatIfReply, WhatIfRequest, WhatIfSize};

use super::{Call, Client, Request, Result, Run};

impl Client {
    /// Estimates the hit ratio that half, twice and four times the memory would give. Of several
    /// servers, what it would be if the memory of each changed so; [`Client::on_server`] asks one of
    /// them.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// let what_if = client.what_if().await?;
    /// for size in &what_if.sizes {
    ///     println!("{} times the memory: {:.1} %", size.memory_times, size.hit_ratio * 100.0);
    /// }
    /// # assert_eq!(what_if.sizes.len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::stats`]. A server that does not estimate it answers FAILED_PRECONDITION, one from
    /// before this call [`ErrorKind::Unimplemented`](crate::ErrorKind::Unimplemented).
    pub fn what_if(&self) -> Request<'_, GetWhatIf> {
        self.request(GetWhatIf)
    }
}

/// The hit ratio that other memory would give.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct WhatIf {
    /// The time over which reads were counted: the last ten to eleven minutes, or since the start.
    pub over: Duration,
    /// Reads in that time.
    pub reads: u64,
    /// Those of sampled keys. Of few reads little follows.
    pub sampled_reads: u64,
    /// One in so many keys is sampled; of several servers, on the one that samples least.
    pub one_in: u64,
    /// Share of hits among the reads, 0 to 1; 0 without reads.
    pub hit_ratio: f64,
    /// Share of hits among the sampled reads, in the simulation of the memory that there is.
    pub simulated_hit_ratio: f64,
    /// 0.5, 1, 2 and 4 times the memory, in this order.
    pub sizes: Vec<WhatIfMemory>,
}

/// What one size of memory would give.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct WhatIfMemory {
    /// In times of the memory that there is.
    pub memory_times: f64,
    /// In bytes.
    pub memory_bytes: u64,
    /// Share of the reads that would hit, 0 to 1; 0 without reads.
    pub hit_ratio: f64,
    /// Share of the memory that would be in use, 1 once something had to go. Below 1 everything
    /// fits, or it is still being filled, and the ratio may rise.
    pub filled: f64,
    /// About how many entries it would hold.
    pub entries: u64,
}

impl From<WhatIfReply> for WhatIf {
    fn from(reply: WhatIfReply) -> Self {
        Self {
            over: Duration::from_millis(count(reply.over_ms)),
            reads: count(reply.reads),
            sampled_reads: count(reply.sampled_reads),
            one_in: count(reply.one_in),
            hit_ratio: reply.hit_ratio,
            simulated_hit_ratio: reply.simulated_hit_ratio,
            sizes: reply.sizes.into_iter().map(WhatIfMemory::from).collect(),
        }
    }
}

impl From<WhatIfSize> for WhatIfMemory {
    fn from(size: WhatIfSize) -> Self {
        Self {
            memory_times: size.memory_times,
            memory_bytes: count(size.memory_bytes),
            hit_ratio: size.hit_ratio,
            filled: size.filled,
            entries: count(size.entries),
        }
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl WhatIf {
    /// Two servers together: ratios count by reads, or by sampled reads where these are counted.
    fn and(self, other: Self) -> Self {
        let reads = (self.reads, other.reads);
        let sampled = (self.sampled_reads, other.sampled_reads);
        let pairs = self.sizes.iter().zip(&other.sizes);
        Self {
            over: self.over.max(other.over),
            reads: reads.0 + reads.1,
            sampled_reads: sampled.0 + sampled.1,
            one_in: self.one_in.max(other.one_in),
            hit_ratio: mean((self.hit_ratio, other.hit_ratio), reads),
            simulated_hit_ratio: mean(
                (self.simulated_hit_ratio, other.simulated_hit_ratio),
                sampled,
            ),
            sizes: pairs.map(|(one, other)| one.and(other, reads)).collect(),
        }
    }
}

impl WhatIfMemory {
    fn and(&self, other: &Self, reads: (u64, u64)) -> Self {
        let memory = (self.memory_bytes, other.memory_bytes);
        Self {
            memory_times: self.memory_times,
            memory_bytes: memory.0 + memory.1,
            hit_ratio: mean((self.hit_ratio, other.hit_ratio), reads),
            filled: mean((self.filled, other.filled), memory),
            entries: self.entries + other.entries,
        }
    }
}

fn mean((one, other): (f64, f64), (weight, others): (u64, u64)) -> f64 {
    let all = weight + others;
    if all == 0 { 0.0 } else { (one * weight as f64 + other * others as f64) / all as f64 }
}

/// See [`Client::what_if`].
#[derive(Debug)]
pub struct GetWhatIf;

impl Run for GetWhatIf {
    type Output = Result<WhatIf>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?;
        let Some(members) = call.members().await? else {
            return Ok(call.make(&WhatIfRequest {}).await?.into());
        };
        let asked = members.iter().map(|member| {
            let call = call.to(member);
            async move { call.make(&WhatIfRequest {}).await.map(WhatIf::from) }
        });
        let all = try_join_all(asked).await?;
        Ok(all.into_iter().reduce(WhatIf::and).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(reads: u64, hit_ratio: f64, memory_bytes: u64) -> WhatIf {
        let size =
            WhatIfMemory { memory_times: 2.0, memory_bytes, hit_ratio, ..WhatIfMemory::default() };
        WhatIf { reads, hit_ratio, sizes: vec![size], ..WhatIf::default() }
    }

    #[test]
    fn servers_count_by_their_reads() {
        let both = server(300, 0.5, 10).and(server(100, 0.9, 20));
        assert_eq!((both.reads, both.hit_ratio), (400, 0.6));
        assert_eq!((both.sizes[0].memory_bytes, both.sizes[0].hit_ratio), (30, 0.6));
        assert_eq!(server(0, 0.0, 1).and(server(0, 0.0, 1)).hit_ratio, 0.0);
    }
}
