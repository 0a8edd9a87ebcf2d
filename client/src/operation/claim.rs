//! Reads one entry, or gets the lease to fill it.

use std::time::Duration;

use tiny_cache_proto::v1::{LeaseRequest, ReadRequest, ReadState, ReleaseRequest};

use super::{Call, Client, Request, Result, Run};
use crate::{entry::Entry, lease::Lease, milliseconds};

impl Client {
    /// Reads an entry, or gets the lease to fill it if nothing is there. Of many callers one gets the
    /// lease; the others [wait](Request::wait) in the server, or learn that another fills.
    ///
    /// [`Client::get_or_fill`] does all of it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tiny_cache_client::{Claimed, Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// let Claimed::Granted(lease) = client.claim("key", Duration::from_secs(5)).await? else {
    ///     panic!("nothing is there yet");
    /// };
    /// assert_eq!(client.claim("key", Duration::from_secs(5)).await?, Claimed::Busy);
    /// let filled = client.write("key", "made").with_lease(lease).await?;
    /// assert!(filled.is_applied());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::read`], and [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for
    /// a lease or a wait of more than a minute.
    pub fn claim<'c>(&'c self, key: &'c str, lease: Duration) -> Request<'c, Claim<'c>> {
        self.request(Claim { key, lease, wait: Duration::ZERO })
    }

    /// Gives a lease back that is not used; the next caller that waits gets it. Returns whether it
    /// had lasted.
    ///
    /// # Errors
    ///
    /// As [`Client::delete`].
    pub fn release<'c>(&'c self, key: &'c str, lease: Lease) -> Request<'c, Release<'c>> {
        self.request(Release { key, lease })
    }
}

/// See [`Client::claim`].
#[derive(Debug)]
pub struct Claim<'a> {
    key: &'a str,
    lease: Duration,
    wait: Duration,
}

/// The outcome of a [`claim`](Client::claim).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Claimed {
    /// An entry is there, and needs nothing.
    Found(Entry),
    /// An entry is there that is stale, or soon will be, and this caller makes it anew.
    Refresh(Entry, Lease),
    /// Nothing is there, and this caller fills it.
    Granted(Lease),
    /// Nothing is there, and another caller fills it.
    Busy,
    /// Nothing is there, and the server has too many leases to give one.
    Missed,
}

/// See [`Client::release`].
#[derive(Debug)]
pub struct Release<'a> {
    key: &'a str,
    lease: Lease,
}

impl Request<'_, Claim<'_>> {
    /// Waits in the server while another caller has the lease. Keep it below the
    /// [deadline](Request::deadline) of a try.
    pub fn wait(self, time: Duration) -> Self {
        self.with(|claim| claim.wait = time)
    }
}

impl Run for Claim<'_> {
    type Output = Result<Claimed>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let Self { key, lease, wait } = self;
        claim(&call?.of_key(key)?, key, (lease, wait)).await
    }
}

impl Run for Release<'_> {
    type Output = Result<bool>;

    async fn run(self, call: Result<Call<'_>>) -> Self::Output {
        let Self { key, lease } = self;
        let request = ReleaseRequest { key: key.to_owned(), lease_token: lease.token() };
        Ok(call?.of_key(key)?.make(&request).await?.released)
    }
}

/// Makes the call of a claim, whose key was checked.
pub(super) async fn claim(
    call: &Call<'_>,
    key: &str,
    (lease, wait): (Duration, Duration),
) -> Result<Claimed> {
    let lease = LeaseRequest { lease_ms: milliseconds::of(lease), wait_ms: milliseconds::of(wait) };
    let request = ReadRequest { key: key.to_owned(), lease: Some(lease), ..ReadRequest::default() };
    let reply = call.make(&request).await?;
    let lease = reply.lease.map(Lease::of);
    if reply.state() == ReadState::Busy {
        return Ok(Claimed::Busy);
    }
    Ok(match (Entry::of(reply, true)?, lease) {
        (None, None) => Claimed::Missed,
        (None, Some(lease)) => Claimed::Granted(lease),
        (Some(entry), None) => Claimed::Found(entry),
        (Some(entry), Some(lease)) => Claimed::Refresh(entry, lease),
    })
}
