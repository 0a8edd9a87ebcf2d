//! The client: a handle to the state that its clones share. Each file of
//! [`operation`](crate::operation) adds a method.

use std::{sync::Arc, time::Duration};

use crate::{
    address::Address,
    error::{Error, Result},
    request::Request,
    ring,
    servers::{ServerInfo, ServerState, Servers, no_server},
    shared::Handle,
};

/// Time to close a connection after its last call.
const CLOSING: Duration = Duration::from_secs(2);

/// A client of one cache server, or of several on a ring.
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
        self.handle.core.servers.reach().await
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

    /// The server's address. Of several servers, the name that stands for all of them, or the
    /// address of the first; see [`Client::servers`].
    #[must_use]
    pub fn address(&self) -> &Address {
        self.handle.core.servers.address()
    }

    /// All servers of this client: one, or those on the ring, in the order of their names. Looks up
    /// their name first if no call did.
    ///
    /// # Errors
    ///
    /// The name cannot be looked up: [`ErrorKind::Connection`].
    ///
    /// [`ErrorKind::Connection`]: crate::ErrorKind::Connection
    pub async fn servers(&self) -> Result<Vec<ServerInfo>> {
        match &self.handle.core.servers {
            Servers::One(_) => Ok(vec![self.only_server()]),
            Servers::Ring(ring) => {
                let members = ring.members().await?;
                Ok(members.all().iter().map(|member| ring.info(member)).collect())
            }
        }
    }

    /// The server that owns a key in this client's namespace. While that server is down or on its
    /// way back ([`ServerInfo::state`]), other servers may hold the key.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let (a, b) = (TestServer::start().await?, TestServer::start().await?);
    /// let client = Client::builder(format!("a={},b={}", a.address(), b.address()))
    ///     .connect()
    ///     .await?;
    /// assert_eq!(client.server_of("greeting").await?.name(), "a");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The key is not 1 to 256 characters ([`ErrorKind::Validation`]), or the servers' name cannot
    /// be looked up ([`ErrorKind::Connection`]).
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::Connection`]: crate::ErrorKind::Connection
    pub async fn server_of(&self, key: &str) -> Result<ServerInfo> {
        let text = self.handle.scope.ring_key(key)?;
        match &self.handle.core.servers {
            Servers::One(_) => Ok(self.only_server()),
            Servers::Ring(ring) => {
                let members = ring.members().await?;
                let owner = members.owner(ring::hash(&text)).ok_or_else(no_server)?;
                Ok(ring.info(owner))
            }
        }
    }

    /// The name of the server that takes the calls for a key at this moment: its owner, or while
    /// that is down or on its way back, perhaps the next server on the ring. None while no server
    /// is known. Looks nothing up and waits for nothing, so that statistics by server can ask for
    /// each call.
    ///
    /// # Errors
    ///
    /// The key is not 1 to 256 characters: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn holder_of(&self, key: &str) -> Result<Option<Arc<str>>> {
        match &self.handle.core.servers {
            Servers::One(_) => Ok(Some(self.only_server().name.into())),
            Servers::Ring(ring) => {
                let hash = ring::hash(&self.handle.scope.ring_key(key)?);
                Ok(ring.choose(&ring.known(), hash).ok().map(|member| member.name.clone()))
            }
        }
    }

    fn only_server(&self) -> ServerInfo {
        let address = self.address().clone();
        let name = format!("{}:{}", address.host(), address.port());
        ServerInfo { name, address, weight: 1, state: ServerState::Up }
    }

    /// A client for one server of the ring over the same connections, by its
    /// [name](ServerInfo::name). Its calls go to this server, whoever owns their keys, and do not
    /// move to another one.
    ///
    /// # Errors
    ///
    /// No server has this name ([`ErrorKind::Validation`]), or the servers' name cannot be looked
    /// up ([`ErrorKind::Connection`]).
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::Connection`]: crate::ErrorKind::Connection
    pub async fn on_server(&self, name: &str) -> Result<Self> {
        let Handle { core, scope } = &self.handle;
        let ring = match &core.servers {
            Servers::One(_) if self.only_server().name == name => return Ok(self.clone()),
            Servers::One(_) => return Err(no_server_named(name)),
            Servers::Ring(ring) => ring,
        };
        let members = ring.members().await?;
        let member = members.named(name).ok_or_else(|| no_server_named(name))?;
        let scope = Arc::new(scope.only(member.clone()));
        Ok(Self::new(Handle { core: core.clone(), scope }))
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
        core.servers.close(core.patience.deadline.saturating_add(CLOSING)).await;
    }
}

fn no_server_named(name: &str) -> Error {
    Error::validation(format!("no server has the name `{name}`; Client::servers lists them"))
}
