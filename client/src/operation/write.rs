//! Writes one value if a condition holds, and reports the version. Repeated only if the server has
//! not executed it.

use std::time::Duration;

use bytes::Bytes;
use tiny_cache_proto::v1::{Outcome, RemoveReply, WriteReply, WriteRequest};

use super::{Call, Client, Error, Request, Result, Run, WriteOperation};
use crate::{condition::Condition, entry::Version, lease::Lease, milliseconds};

impl Client {
    /// Writes a value, if a condition holds, and reports its version.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, Condition, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// let first = client.write("key", "one").await?.version.unwrap();
    /// let second = client.write("key", "two").when(Condition::Version(first)).await?;
    /// assert!(second.is_applied());
    /// let late = client.write("key", "three").when(Condition::Version(first)).await?;
    /// assert!(!late.is_applied() && late.version == second.version);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::set`]. Retried only if the server has certainly not executed it; see
    /// [`Error::may_have_been_applied`](crate::Error::may_have_been_applied).
    pub fn write<'c>(&'c self, key: &'c str, value: impl Into<Bytes>) -> Request<'c, Write<'c>> {
        let value = value.into();
        let (condition, lease, marks) = (None, None, Marks::default());
        self.request(Write { key, value, condition, lease, marks, wants_previous: false })
    }
}

/// See [`Client::write`].
#[derive(Debug)]
pub struct Write<'a> {
    key: &'a str,
    value: Bytes,
    condition: Option<Condition>,
    lease: Option<Lease>,
    marks: Marks,
    wants_previous: bool,
}

/// What a write says of an entry beside its value and its TTL.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    pub(super) stale: Duration,
    pub(super) refresh_before: Duration,
    pub(super) jitter_percent: u8,
    pub(super) tags: Vec<String>,
}

/// What a [`write`](Client::write) or a [`remove`](Client::remove) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Change {
    /// Whether it was made, or why not.
    pub outcome: ChangeOutcome,
    /// The version that is there now; none if nothing is.
    pub version: Option<Version>,
    /// The version that was there; none if nothing was.
    pub previous_version: Option<Version>,
    /// The value that was there, if it was asked for.
    pub previous_value: Option<Bytes>,
    /// Names the process of the server.
    pub process_id: u32,
}

/// Whether a change was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeOutcome {
    /// It was made.
    Applied,
    /// There is a value, and none was to be there.
    Exists,
    /// There is no value.
    NotFound,
    /// There is another value or version, which remains.
    Mismatch,
    /// The lease had ended: somebody else wrote or removed the key, or took over, or its namespace or
    /// one of the tags was invalidated.
    LeaseLost,
}

impl Change {
    /// Whether the change was made.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        self.outcome == ChangeOutcome::Applied
    }

    pub(super) fn of_removal(reply: RemoveReply, wants_previous: bool) -> Result<Self> {
        let RemoveReply { outcome, version, previous_value, previous_version, process_id } = reply;
        let reply = WriteReply { outcome, version, previous_value, previous_version, process_id };
        Self::of(reply, wants_previous)
    }

    pub(super) fn of(reply: WriteReply, wants_previous: bool) -> Result<Self> {
        let outcome = match reply.outcome() {
            Outcome::Applied => ChangeOutcome::Applied,
            Outcome::Exists => ChangeOutcome::Exists,
            Outcome::NotFound => ChangeOutcome::NotFound,
            Outcome::Mismatch => ChangeOutcome::Mismatch,
            Outcome::LeaseLost => ChangeOutcome::LeaseLost,
            Outcome::Unspecified => return Err(Error::unknown_status(reply.outcome)),
        };
        let previous_version = Version::of(reply.previous_version);
        let has_previous = wants_previous && previous_version.is_some();
        Ok(Self {
            outcome,
            version: Version::of(reply.version),
            previous_version,
            previous_value: has_previous.then_some(reply.previous_value),
            process_id: reply.process_id,
        })
    }
}

impl Marks {
    /// A write that has them, and nothing else.
    pub(super) fn message(self) -> WriteRequest {
        WriteRequest {
            stale_ms: milliseconds::of(self.stale),
            refresh_before_ms: milliseconds::of(self.refresh_before),
            ttl_jitter_percent: self.jitter_percent.into(),
            tags: self.tags,
            ..WriteRequest::default()
        }
    }
}

impl WriteOperation for Write<'_> {}

impl Request<'_, Write<'_>> {
    /// Writes only if this holds.
    pub fn when(self, condition: Condition) -> Self {
        self.with(|write| write.condition = Some(condition))
    }

    /// Writes only while this lease lasts, and ends it.
    pub fn with_lease(self, lease: Lease) -> Self {
        self.with(|write| write.lease = Some(lease))
    }

    /// Keeps the value so long beyond its TTL, for callers that [claim](Client::claim) it: one of them
    /// makes it anew, and none waits.
    pub fn stale_for(self, time: Duration) -> Self {
        self.with(|write| write.marks.stale = time)
    }

    /// Has one caller that [claims](Client::claim) the value make it anew from this long before the
    /// end of its TTL.
    pub fn refresh_before(self, time: Duration) -> Self {
        self.with(|write| write.marks.refresh_before = time)
    }

    /// Shortens the TTL by a random part of at most so many percent, so that values that were
    /// written together do not expire together.
    pub fn ttl_jitter_percent(self, percent: u8) -> Self {
        self.with(|write| write.marks.jitter_percent = percent)
    }

    /// Gives the value tags, by which it can be [invalidated](Client::invalidate): at most eight, of 1
    /// to 128 bytes each.
    pub fn tags<S: Into<String>>(self, tags: impl IntoIterator<Item = S>) -> Self {
        self.with(|write| write.marks.tags.extend(tags.into_iter().map(Into::into)))
    }

    /// Asks for the value that was there, whether or not the write is made.
    pub fn with_previous(self) -> Self {
        self.with(|write| write.wants_previous = true)
    }
}

impl Write<'_> {
    /// The message without its TTL.
    pub(super) fn message(self) -> WriteRequest {
        let Self { key, value, condition, lease, marks, wants_previous } = self;
        WriteRequest {
            key: key.to_owned(),
            value,
            condition: condition.map(Condition::message),
            return_previous: wants_previous,
            lease_token: lease.map_or(0, Lease::token),
            ..marks.message()
        }
    }
}

impl Run for Write<'_> {
    type Output = Result<Change>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let (key, bytes, wants_previous) = (self.key, self.value.len(), self.wants_previous);
        let call = call?.of_key(key)?;
        let request = WriteRequest { ttl_ms: call.ttl_ms(), ..self.message() };
        let reply = call.make(&request).await.map_err(|error| error.with_size(bytes))?;
        Change::of(reply, wants_previous)
    }
}
