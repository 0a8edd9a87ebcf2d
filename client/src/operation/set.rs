//! Writes one value.

use bytes::Bytes;

use super::{Call, Client, Request, Result, Run, WriteOperation, batch::result, rpc};

impl Client {
    /// Writes a value. Replaces an existing value and its TTL.
    ///
    /// A `Bytes`, `Vec<u8>`, `String`, or a `&'static` slice or text is not copied. Copy other
    /// borrowed values with `Bytes::copy_from_slice`.
    ///
    /// A write whose reply is late is retried, and the first try may still arrive after the
    /// second. If that matters, disable [retries](Request::retries), or use
    /// [`compare_and_set`](Client::compare_and_set).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("key", "for an hour, or the TTL of the builder").await?;
    /// client.set("key", "for a minute").ttl(Duration::from_secs(60)).await?;
    /// client.set("key", "for ever").ttl(Duration::ZERO).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The key is not 1 to 256 characters, or the TTL is longer than 68 years
    /// ([`ErrorKind::Validation`]); the value is larger than the server accepts
    /// ([`ErrorKind::ResourceExhausted`]); or the call failed.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::ResourceExhausted`]: crate::ErrorKind::ResourceExhausted
    pub fn set<'c>(&'c self, key: &'c str, value: impl Into<Bytes>) -> Request<'c, Set<'c>> {
        self.request(Set { key, value: value.into() })
    }
}

/// See [`Client::set`].
#[derive(Debug)]
pub struct Set<'a> {
    pub(super) key: &'a str,
    pub(super) value: Bytes,
}

impl WriteOperation for Set<'_> {}

impl Run for Set<'_> {
    type Output = Result<()>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?.of_key(self.key)?;
        let ttl = call.ttl(None)?.seconds();
        let reply = call.make(&rpc::Set { key: self.key, value: &self.value, ttl }).await;
        result(reply.map_err(|error| error.with_size(self.value.len()))?)
    }
}
