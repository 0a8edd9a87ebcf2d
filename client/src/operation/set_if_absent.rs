//! Writes one value unless there is one. Repeated only if the server has not executed it.

use bytes::Bytes;
use tiny_cache_proto::cache::ConditionalCacheStatus as Status;

use super::{Call, Client, Error, Request, Result, Run, WriteOperation, rpc};

impl Client {
    /// Writes a value unless there is a live one. Of many concurrent callers, one wins.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// use tiny_cache_client::SetIfAbsentOutcome::{Exists, Stored};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// assert_eq!(client.set_if_absent("lock", "me").await?, Stored);
    /// assert_eq!(client.set_if_absent("lock", "you").await?, Exists);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::set`]. Retried only if the server has certainly not executed it; see
    /// [`Error::may_have_been_applied`](crate::Error::may_have_been_applied).
    pub fn set_if_absent<'c>(
        &'c self,
        key: &'c str,
        value: impl Into<Bytes>,
    ) -> Request<'c, SetIfAbsent<'c>> {
        self.request(SetIfAbsent { key, value: value.into() })
    }
}

/// See [`Client::set_if_absent`].
#[derive(Debug)]
pub struct SetIfAbsent<'a> {
    key: &'a str,
    value: Bytes,
}

/// The outcome of a [`set_if_absent`](Client::set_if_absent).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum SetIfAbsentOutcome {
    /// There was no value, and the new one was stored.
    Stored,
    /// There was a live value, which remains.
    Exists,
}

impl SetIfAbsentOutcome {
    /// Whether the value was written.
    #[must_use]
    pub fn is_stored(self) -> bool {
        self == Self::Stored
    }
}

impl WriteOperation for SetIfAbsent<'_> {}

impl Run for SetIfAbsent<'_> {
    type Output = Result<SetIfAbsentOutcome>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?.of_key(self.key)?;
        let ttl = call.ttl(None)?.seconds();
        let reply = call.make(&rpc::SetIfAbsent { key: self.key, value: &self.value, ttl }).await;
        let reply = reply.map_err(|error| error.with_size(self.value.len()))?;
        match reply.status() {
            Status::Stored => Ok(SetIfAbsentOutcome::Stored),
            Status::Exists => Ok(SetIfAbsentOutcome::Exists),
            Status::Unspecified | Status::NotFound | Status::Mismatch => {
                Err(Error::unknown_status(reply.status))
            }
        }
    }
}
