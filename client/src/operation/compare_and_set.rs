//! Replaces one value if it is the expected one. Repeated only if the server has not executed it.

use bytes::Bytes;
use tiny_cache_proto::cache::ConditionalCacheStatus as Status;

use super::{Call, Client, Error, Request, Result, Run, WriteOperation, rpc};

impl Client {
    /// Replaces a value if it is the expected one. Of many concurrent callers, one wins.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// use tiny_cache_client::CompareAndSetOutcome::{Mismatch, NotFound, Stored};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// assert_eq!(client.compare_and_set("count", "1", "2").await?, NotFound);
    /// client.set("count", "1").await?;
    /// assert_eq!(client.compare_and_set("count", "1", "2").await?, Stored);
    /// assert_eq!(client.compare_and_set("count", "1", "3").await?, Mismatch);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::set`]. Retried only if the server has certainly not executed it; see
    /// [`Error::may_have_been_applied`](crate::Error::may_have_been_applied).
    pub fn compare_and_set<'c>(
        &'c self,
        key: &'c str,
        expected: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> Request<'c, CompareAndSet<'c>> {
        let (expected, value) = (expected.into(), value.into());
        self.request(CompareAndSet { key, expected, value })
    }
}

/// See [`Client::compare_and_set`].
#[derive(Debug)]
pub struct CompareAndSet<'a> {
    key: &'a str,
    expected: Bytes,
    value: Bytes,
}

/// The outcome of a [`compare_and_set`](Client::compare_and_set).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum CompareAndSetOutcome {
    /// The value was the expected one, and the new one was stored.
    Stored,
    /// There was no value.
    NotFound,
    /// There was another value, which remains.
    Mismatch,
}

impl CompareAndSetOutcome {
    /// Whether the value was written.
    #[must_use]
    pub fn is_stored(self) -> bool {
        self == Self::Stored
    }
}

impl WriteOperation for CompareAndSet<'_> {}

impl Run for CompareAndSet<'_> {
    type Output = Result<CompareAndSetOutcome>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?.of_key(self.key)?;
        let ttl = call.ttl(None)?.seconds();
        let Self { key, expected, value } = &self;
        let reply = call.make(&rpc::CompareAndSet { key, expected, value, ttl }).await;
        let reply = reply.map_err(|error| error.with_size(value.len().max(expected.len())))?;
        match reply.status() {
            Status::Stored => Ok(CompareAndSetOutcome::Stored),
            Status::NotFound => Ok(CompareAndSetOutcome::NotFound),
            Status::Mismatch => Ok(CompareAndSetOutcome::Mismatch),
            Status::Unspecified | Status::Exists => Err(Error::unknown_status(reply.status)),
        }
    }
}
