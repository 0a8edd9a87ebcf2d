//! The keys that were asked for most, and those with the largest values.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use futures::future::try_join_all;
use tiny_cache_proto::v1::{HotKeysReply, HotKeysRequest};

use super::{Call, Client, Request, Result, Run};
use crate::milliseconds;

impl Client {
    /// Names the keys of all namespaces that were asked for most in the last minute, and those with
    /// the largest values that were read or written. Several servers are asked at once. Needs the
    /// right `administer`.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("key", "value").await?;
    /// let hot = client.hot_keys().await?;
    /// assert_eq!((hot.hottest[0].key.as_str(), hot.hottest[0].requests), ("key", 1));
    /// assert_eq!(hot.largest[0].value_bytes, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The call failed; of several, any of them.
    pub fn hot_keys(&self) -> Request<'_, GetHotKeys> {
        self.request(GetHotKeys { limit: 0 })
    }
}

/// See [`Client::hot_keys`].
#[derive(Debug)]
pub struct GetHotKeys {
    limit: u32,
}

/// What was asked for most, and what is largest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HotKeys {
    /// How long the minute was: up to 65 s, and less while the process is young. Of several servers
    /// that of the oldest.
    pub span: Duration,
    /// Reads and writes in it, about.
    pub requests: u64,
    /// Most first.
    pub hottest: Vec<HotKey>,
    /// Largest first.
    pub largest: Vec<LargeKey>,
}

/// A key that was asked for often.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HotKey {
    /// Empty: the shared keyspace.
    pub namespace: String,
    /// Without its namespace.
    pub key: String,
    /// Reads and writes of it, about.
    pub requests: u64,
    /// By so much they may be more or fewer.
    pub error: u64,
    /// The name of the server; none if the client has one alone.
    pub server: Option<Arc<str>>,
}

/// A key with a large value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LargeKey {
    /// Empty: the shared keyspace.
    pub namespace: String,
    /// Without its namespace.
    pub key: String,
    /// Bytes of the largest value that was read or written.
    pub value_bytes: u64,
    /// The name of the server; none if the client has one alone.
    pub server: Option<Arc<str>>,
}

impl Request<'_, GetHotKeys> {
    /// Limits the keys of each kind, to 1 to 50; 10 by default.
    pub fn limit(self, keys: u32) -> Self {
        self.with(|hot| hot.limit = keys)
    }
}

impl Run for GetHotKeys {
    type Output = Result<HotKeys>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        const USUAL: usize = 10;
        let call = call?;
        let request = HotKeysRequest { limit: i32::try_from(self.limit).unwrap_or(i32::MAX) };
        let Some(members) = call.members().await? else {
            return Ok(HotKeys::of(call.make(&request).await?, None));
        };
        let asked = members.iter().map(|member| {
            let (call, name) = (call.to(member), member.name.clone());
            async move { call.make(&request).await.map(|reply| HotKeys::of(reply, Some(name))) }
        });
        let all = try_join_all(asked).await?;
        let most = if self.limit == 0 { USUAL } else { self.limit as usize };
        Ok(all.into_iter().reduce(HotKeys::and).unwrap_or_default().cut(most))
    }
}

impl HotKeys {
    fn of(reply: HotKeysReply, server: Option<Arc<str>>) -> Self {
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let hottest = reply.hottest.into_iter().map(|hot| HotKey {
            namespace: hot.namespace,
            key: hot.key,
            requests: count(hot.requests),
            error: count(hot.error),
            server: server.clone(),
        });
        let largest = reply.largest.into_iter().map(|large| LargeKey {
            namespace: large.namespace,
            key: large.key,
            value_bytes: count(large.value_bytes),
            server: server.clone(),
        });
        Self {
            span: milliseconds::duration(reply.span_ms),
            requests: count(reply.requests),
            hottest: hottest.collect(),
            largest: largest.collect(),
        }
    }

    /// The keys of two servers together.
    fn and(mut self, other: Self) -> Self {
        self.hottest.extend(other.hottest);
        self.largest.extend(other.largest);
        Self { span: self.span.max(other.span), requests: self.requests + other.requests, ..self }
    }

    /// The first so many of each kind.
    fn cut(mut self, most: usize) -> Self {
        self.hottest.sort_by_key(|hot| Reverse(hot.requests));
        self.hottest.truncate(most);
        self.largest.sort_by_key(|large| Reverse(large.value_bytes));
        self.largest.truncate(most);
        self
    }
}
