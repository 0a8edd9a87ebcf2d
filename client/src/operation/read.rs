//! Reads one entry with its version and its times.

use std::time::Duration;

use tiny_cache_proto::v1::ReadRequest;

use super::{Call, Client, Request, Result, Run};
use crate::{
    entry::{Entry, Version},
    milliseconds,
};

impl Client {
    /// Reads an entry with its version, its age and the rest of its TTL; `None` is a miss.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("key", "value").await?;
    /// let entry = client.read("key").await?.expect("it was just written");
    /// assert_eq!(entry.value.as_deref(), Some(&b"value"[..]));
    ///
    /// let again = client.read("key").unless_version(entry.version).await?.unwrap();
    /// assert!(again.is_known && again.value.is_none());
    ///
    /// let touched = client.read("key").without_value().touch(Duration::from_secs(60)).await?.unwrap();
    /// assert_eq!(touched.version, entry.version);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::get`]. A server from before the second service answers
    /// [`ErrorKind::Unimplemented`](crate::ErrorKind::Unimplemented).
    pub fn read<'c>(&'c self, key: &'c str) -> Request<'c, Read<'c>> {
        self.request(Read { key, wants_value: true, known: None, touch: None })
    }
}

/// See [`Client::read`].
#[derive(Debug)]
pub struct Read<'a> {
    key: &'a str,
    wants_value: bool,
    known: Option<Version>,
    touch: Option<Duration>,
}

impl Request<'_, Read<'_>> {
    /// Leaves the value out of the reply.
    pub fn without_value(self) -> Self {
        self.with(|read| read.wants_value = false)
    }

    /// Leaves the value out of the reply if the entry is from this write.
    pub fn unless_version(self, known: Version) -> Self {
        self.with(|read| read.known = Some(known))
    }

    /// Has the entry live so long from now on; zero: it never expires. A part of a millisecond
    /// counts as one.
    pub fn touch(self, ttl: Duration) -> Self {
        self.with(|read| read.touch = Some(ttl))
    }
}

impl Read<'_> {
    pub(super) fn message(self) -> ReadRequest {
        let Self { key, wants_value, known, touch } = self;
        ReadRequest {
            key: key.to_owned(),
            exists_only: !wants_value,
            if_version_not: known.map_or(0, Version::get),
            touch_ttl_ms: touch.map(milliseconds::rounded_up),
            lease: None,
        }
    }
}

impl Run for Read<'_> {
    type Output = Result<Option<Entry>>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let (key, wants_value) = (self.key, self.wants_value);
        let call = call?.of_key(key)?;
        Entry::of(call.make(&self.message()).await?, wants_value)
    }
}
