//! The client: a handle to the state that its clones share. Each file of
//! [`operation`](crate::operation) adds a method.

use std::time::Duration;

use crate::{address::Address, error::Result, request::Request, shared::Handle};

/// Time to close a connection after its last call.
const CLOSING: Duration = Duration::from_secs(2);

/// A client of one cache server.
///
/// Cheap to clone; clones share its connections. Many tasks can use one client at once.
///
/// The runtime of the call that opens a connection drives it and checks its health. Several
/// runtimes can use one client, together or in turn. When a runtime ends, its connections end, and
/// the next call opens a connection on its own runtime. A runtime that exists but does not run (a
/// current-thread runtime outside `block_on`) delays calls from other runtimes until a deadline
/// shows that its connection is silent.
///
/// ```
/// # use tiny_cache_client::{Client, testing::TestServer};
/// # #[tokio::main]
/// # async fn main() -> tiny_cache_client::Result<()> {
/// # let server = TestServer::start().await?;
/// # let address = server.address();
/// let client = Client::connect(address).await?;
/// client.set("key", "value").await?;
/// client.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    handle: Handle,
}

impl Client {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Connects, unless there is a connection.
    pub(crate) async fn reach(&self) -> Result<()> {
        self.handle.core.pool.connection().await?;
        Ok(())
    }

    pub(crate) fn request<O>(&self, operation: O) -> Request<'_, O> {
        Request::new(&self.handle, operation)
    }

    /// A client for another keyspace over the same connections; blank means the shared keyspace.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// let sessions = client.in_namespace("sessions")?;
    /// sessions.set("7", "alice").await?;
    /// assert_eq!(client.get("7").await?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The text is not a valid namespace: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn in_namespace(&self, namespace: &str) -> Result<Self> {
        self.handle.in_namespace(namespace).map(Self::new)
    }

    /// The server's address.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.handle.core.pool.endpoint.address()
    }

    /// Closes the connections of this client and all its clones. Waits for the calls that are
    /// under way, for the deadline of a try and two seconds at most. Later calls fail with
    /// [`ErrorKind::Connection`].
    ///
    /// Dropping the last clone also closes the connections, but does not wait.
    ///
    /// [`ErrorKind::Connection`]: crate::ErrorKind::Connection
    pub async fn close(&self) {
        let core = &self.handle.core;
        // By then the calls under way have ended, answered or not.
        core.pool.close(core.patience.deadline.saturating_add(CLOSING)).await;
    }
}
