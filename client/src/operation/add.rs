//! Adds to a counter. Repeated only if the server has not executed it.

use std::time::Duration;

use tiny_cache_proto::v1::{AddOutcome as Told, AddReply, AddRequest, AtBound};

use super::{Call, Client, Error, Request, Result, Run, WriteOperation};
use crate::{entry::Version, milliseconds};

impl Client {
    /// Adds to a counter, and makes it if it is not there. Its value is a decimal number as text,
    /// which [`get_text`](Client::get_text) reads.
    ///
    /// With a bound and a TTL it is a limiter by fixed windows:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// // At most three in the minute that begins with the first.
    /// let allow = || client.add("calls:alice", 1).at_most(3).ttl(Duration::from_secs(60));
    /// for _ in 0..3 {
    ///     assert!(allow().await?.is_added());
    /// }
    /// let refused = allow().await?;
    /// assert!(!refused.is_added() && refused.ttl_left.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The value is no decimal number of 64 bits ([`ErrorKind::Other`](crate::ErrorKind::Other), with
    /// the status FAILED_PRECONDITION), or as [`Client::write`].
    pub fn add<'c>(&'c self, key: &'c str, delta: i64) -> Request<'c, Add<'c>> {
        let request = AddRequest { delta, ..AddRequest::default() };
        self.request(Add { key, request })
    }
}

/// See [`Client::add`].
#[derive(Debug)]
pub struct Add<'a> {
    key: &'a str,
    /// Without its key and its TTL.
    request: AddRequest,
}

/// A counter after an [`add`](Client::add).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Counter {
    /// What the step did.
    pub outcome: AddOutcome,
    /// What the counter is now; the initial value, if a step that was refused found none.
    pub value: i64,
    /// Its version; none if there is no counter.
    pub version: Option<Version>,
    /// What is left of its TTL; none if it never ends, or there is no counter.
    pub ttl_left: Option<Duration>,
    /// Names the process of the server.
    pub process_id: u32,
}

/// What a step of a counter did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddOutcome {
    /// The sum is within its bounds.
    Added,
    /// The counter is the bound.
    Saturated,
    /// Nothing was added, because the sum would be beyond its bounds.
    Refused,
}

impl Counter {
    /// Whether all of it was added.
    #[must_use]
    pub fn is_added(&self) -> bool {
        self.outcome == AddOutcome::Added
    }

    pub(super) fn of(reply: AddReply) -> Result<Self> {
        let outcome = match reply.outcome() {
            Told::Added => AddOutcome::Added,
            Told::Saturated => AddOutcome::Saturated,
            Told::Refused => AddOutcome::Refused,
            Told::Unspecified => return Err(Error::unknown_status(reply.outcome)),
        };
        let left = milliseconds::duration(reply.ttl_left_ms);
        Ok(Self {
            outcome,
            value: reply.value,
            version: Version::of(reply.version),
            ttl_left: (!left.is_zero()).then_some(left),
            process_id: reply.process_id,
        })
    }
}

impl WriteOperation for Add<'_> {}

impl Request<'_, Add<'_>> {
    /// Sets what is added to if there is no counter, in place of 0.
    pub fn initial(self, value: i64) -> Self {
        self.with(|add| add.request.initial = value)
    }

    /// Sets the least that the sum may be.
    pub fn at_least(self, least: i64) -> Self {
        self.with(|add| add.request.least = Some(least))
    }

    /// Sets the most that the sum may be.
    pub fn at_most(self, most: i64) -> Self {
        self.with(|add| add.request.most = Some(most))
    }

    /// Makes the counter its bound, where the sum would be beyond that. Otherwise such a step is
    /// refused.
    pub fn saturating(self) -> Self {
        self.with(|add| add.request.at_bound = AtBound::Saturate.into())
    }

    /// Has the counter live for the TTL from each step on, and not from its first alone.
    pub fn renewing_ttl(self) -> Self {
        self.with(|add| add.request.renew_ttl = true)
    }
}

impl Add<'_> {
    /// The message without its TTL.
    pub(super) fn message(self) -> AddRequest {
        let Self { key, request } = self;
        AddRequest { key: key.to_owned(), ..request }
    }
}

impl Run for Add<'_> {
    type Output = Result<Counter>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let call = call?.of_key(self.key)?;
        let request = AddRequest { ttl_ms: call.ttl_ms(), ..self.message() };
        Counter::of(call.make(&request).await?)
    }
}
