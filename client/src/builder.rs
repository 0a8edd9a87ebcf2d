//! Everything that can be set, with its defaults.

mod check; // what is refused
mod ready; // waiting for a server that starts

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    Address, Client, Tls,
    client::{Core, Scope},
    error::{Error, Result},
    patience::{Patience, Total},
    pool::{Pool, Upkeep},
    request::{metadata, set_namespace},
    retry::RetryBudget,
    transport::{ConnectFn, Endpoint, Head, Io, OnReply, ReplyMetadata, ResolveFn},
    ttl::Ttl,
};

/// Sets up a [`Client`].
///
/// ```
/// # use std::time::Duration;
/// # use tiny_cache_client::{Client, testing::TestServer};
/// # #[tokio::main]
/// # async fn main() -> tiny_cache_client::Result<()> {
/// # let server = TestServer::start().await?;
/// # let address = server.address();
/// let client = Client::builder(address)
///     .deadline(Duration::from_millis(200))
///     .retries(1)
///     .first_backoff(Duration::from_millis(20))
///     .ttl(Duration::from_secs(600))
///     .namespace("accounts")
///     .ready_within(Duration::from_secs(10))
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct Builder {
    address: String,
    tls: Option<Tls>,
    connector: Option<ConnectFn>,
    resolver: Option<ResolveFn>,
    connections: usize,
    connect_timeout: Duration,
    ready_within: Option<Duration>,
    upkeep: Upkeep,
    max_reply_bytes: usize,
    patience: Patience,
    retry_budget: (f32, u32),
    ttl: Duration,
    namespace: String,
    metadata: Vec<(String, String)>,
    on_reply: Option<OnReply>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Builder").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            tls: None,
            connector: None,
            resolver: None,
            connections: 2,
            connect_timeout: Endpoint::DEFAULT_CONNECT_TIMEOUT,
            ready_within: None,
            upkeep: Upkeep {
                check_every: Duration::from_secs(30),
                check_deadline: Duration::from_secs(5),
                max_age: Duration::from_secs(300),
            },
            max_reply_bytes: Endpoint::DEFAULT_MAX_REPLY_BYTES,
            patience: Patience::DEFAULT,
            retry_budget: (0.2, 10),
            ttl: Duration::from_secs(3600),
            namespace: String::new(),
            metadata: Vec::new(),
            on_reply: None,
        }
    }

    /// Speaks TLS in this way. With `grpcs://` in front of the address the default is to
    /// trust what the system trusts; with `grpc://` there is no TLS, and to ask for it is an
    /// error.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Reaches the server in a way of your own, such as a Unix socket, in place of TCP. The
    /// address is then only what requests and errors call the server.
    ///
    /// ```no_run
    /// # use tiny_cache_client::Client;
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// let client = Client::builder("sidecar")
    ///     .connector(|| tokio::net::UnixStream::connect("/run/tiny-cache.sock"))
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn connector<F, S, T>(mut self, connect: F) -> Self
    where
        F: Fn() -> S + Send + Sync + 'static,
        S: Future<Output = io::Result<T>> + Send + 'static,
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.connector = Some(Arc::new(move || {
            connect().map(|stream| stream.map(|stream| Box::new(stream) as Box<dyn Io>)).boxed()
        }));
        self
    }

    /// Looks the address's host up in a way of your own, in place of the system's: the function
    /// is given host and port, for every connection anew. The addresses are tried in its order,
    /// see [`max_connection_age`](Builder::max_connection_age) for how the client stays with
    /// one. Refused beside a [`connector`](Builder::connector), which looks nothing up.
    ///
    /// ```no_run
    /// # use std::net::SocketAddr;
    /// # use tiny_cache_client::Client;
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// let client = Client::builder("cache.internal")
    ///     .resolver(|_host, port| async move {
    ///         Ok(vec![SocketAddr::from(([10, 0, 0, 7], port))])
    ///     })
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn resolver<F, S>(mut self, resolve: F) -> Self
    where
        F: Fn(&str, u16) -> S + Send + Sync + 'static,
        S: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.resolver = Some(Arc::new(move |host, port| resolve(host, port).boxed()));
        self
    }

    /// Opens at most so many connections; 2 by default. The second and later ones are opened
    /// when the others are busy, and lead to the same address. A load balancer that is one
    /// address to the client may still spread them over the servers behind it: see
    /// [one client, one cache](crate#one-client-one-cache).
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Gives a connection this long to come about, all addresses of the name together; 5 s by
    /// default. Where there are several, the next is tried 250 ms after the last, families in
    /// turn (RFC 8305), and the first whose server sends its HTTP/2 settings is taken.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Makes [`Builder::connect`] wait until the server says that it is ready, but no longer
    /// than this. Not set by default: then it is enough that the server is there now.
    pub fn ready_within(mut self, time: Duration) -> Self {
        self.ready_within = Some(time);
        self
    }

    /// Checks every connection this often through gRPC health, and replaces one that does not
    /// answer; 30 s by default, zero for never.
    pub fn health_check_interval(mut self, interval: Duration) -> Self {
        self.upkeep.check_every = interval;
        self
    }

    /// Gives a health check this long; 5 s by default.
    pub fn health_check_deadline(mut self, deadline: Duration) -> Self {
        self.upkeep.check_deadline = deadline;
        self
    }

    /// Replaces a connection at this age, or up to a fifth earlier, drawn at random; 5 minutes
    /// by default, zero for never.
    ///
    /// The name is looked up for every connection anew. While it still gives the address that
    /// the client is connected to, the client stays there; when it no longer does, the new
    /// connection leads elsewhere and all others are given up, each when its calls have ended.
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.upkeep.max_age = age;
        self
    }

    /// Takes replies up to this size; 256 MiB by default.
    pub fn max_reply_bytes(mut self, bytes: usize) -> Self {
        self.max_reply_bytes = bytes;
        self
    }

    /// Takes the defaults of the Python client for calls: 30 s for a try, no bound on all of
    /// them together, 3 retries, pauses of up to 1, 2 and 4 s. A server that hangs holds a
    /// caller for up to 127 s then, and a restart of some seconds costs it no error.
    ///
    /// What is set after this goes before it.
    pub fn python_defaults(mut self) -> Self {
        self.patience = Patience::PYTHON;
        self
    }

    /// Gives each try of a call this long; 1 s by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.patience.deadline = deadline;
        self
    }

    /// Gives each call this long altogether, retries and the pauses between them included; a
    /// batch that is sent in parts has it for all parts together.
    ///
    /// By default an RPC has 3 s, or three times the deadline of a try where that is more, and
    /// a batch that for each of its parts.
    pub fn total_deadline(mut self, deadline: Duration) -> Self {
        self.patience.total = Total::Set(deadline);
        self
    }

    /// Tries a call again at most so often after the first try; 3 by default.
    pub fn retries(mut self, retries: u32) -> Self {
        self.patience.retries = retries;
        self
    }

    /// Pauses at most this long before the first retry, twice as long before the next, and so
    /// on; 50 ms by default. How long is drawn anew each time, from nothing to all of it.
    pub fn first_backoff(mut self, pause: Duration) -> Self {
        self.patience.first_backoff = pause;
        self
    }

    /// Never pauses longer than this; 30 s by default.
    pub fn longest_backoff(mut self, pause: Duration) -> Self {
        self.patience.longest_backoff = pause;
        self
    }

    /// Lets all calls together make retries for this share of their number, 0 to 10, and so
    /// many a second besides; 0.2 and 10 by default. A call that finds the budget spent fails
    /// with what its last try brought.
    pub fn retry_budget(mut self, share: f32, per_second: u32) -> Self {
        self.retry_budget = (share, per_second);
        self
    }

    /// Lets entries live this long whose write says nothing else; an hour by default, zero
    /// for ever.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Works in this keyspace; the shared one by default.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sends an entry of metadata with every call: visible ASCII.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.push((name.into(), value.into()));
        self
    }

    /// Shows the metadata of each reply to `observer`, errors of the server among them, before
    /// the call returns. A call that is retried may have several replies.
    ///
    /// ```
    /// # use std::sync::{Arc, Mutex};
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// let last = Arc::new(Mutex::new(None));
    /// let seen = last.clone();
    /// let client = Client::builder(server.address())
    ///     .on_reply(move |reply| {
    ///         *seen.lock().unwrap() = reply.get("x-request-id").map(str::to_owned);
    ///     })
    ///     .connect()
    ///     .await?;
    /// client.get("key").await?;
    /// assert!(last.lock().unwrap().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_reply(
        mut self,
        observer: impl Fn(&ReplyMetadata<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.on_reply = Some(Arc::new(observer));
        self
    }

    /// Makes the client and connects it.
    ///
    /// # Errors
    ///
    /// A setting is wrong ([`ErrorKind::Validation`]), there is no server
    /// ([`ErrorKind::Connection`]), or it was not ready in time ([`ErrorKind::Timeout`]).
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::Connection`]: crate::ErrorKind::Connection
    /// [`ErrorKind::Timeout`]: crate::ErrorKind::Timeout
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn connect(self) -> Result<Client> {
        let ready_within = self.ready_within;
        let client = self.build()?;
        match ready_within {
            Some(time) => ready::ready(&client, time).await?,
            None => drop(client.parts().0.pool.connection().await?),
        }
        Ok(client)
    }

    /// Makes the client without connecting it: its first call will. No runtime is needed yet.
    ///
    /// # Errors
    ///
    /// A setting is wrong: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn build(self) -> Result<Client> {
        self.check()?;
        let ttl = Ttl::try_from(self.ttl)?;
        let mut head = Head::default();
        head.set_timeout(self.patience.first_try());
        set_namespace(&mut head, &self.namespace)?;
        for (name, value) in &self.metadata {
            let (name, value) = metadata(name, value)?;
            head.headers_mut().insert(name, value);
        }
        if let Some(observer) = self.on_reply.clone() {
            head.set_on_reply(observer);
        }
        let (share, per_second) = self.retry_budget;
        let budget = RetryBudget::new(share, per_second);

        let pool = Pool::new(self.endpoint()?, self.connections, self.upkeep);
        let core = Core::new(pool, budget, self.patience, ttl);
        Ok(Client::new(core, Scope { head, namespace: self.namespace }))
    }

    fn endpoint(&self) -> Result<Endpoint> {
        let address: Address = self.address.parse()?;
        let endpoint = Endpoint::new(address.clone())
            .connect_timeout(self.connect_timeout)
            .max_reply_bytes(self.max_reply_bytes);
        let endpoint = match (&self.connector, &self.resolver) {
            (None, None) => endpoint,
            (None, Some(resolver)) => endpoint.resolve_with(resolver.clone()),
            (Some(connector), None) => return Ok(endpoint.connect_with(connector.clone())),
            (Some(_), Some(_)) => {
                return Err(Error::validation(
                    "a connector looks nothing up; leave out the connector or the resolver",
                ));
            }
        };
        match (&self.tls, address.is_tls()) {
            (None, false) => Ok(endpoint),
            (None, true) => endpoint.tls(&Tls::new()),
            (Some(tls), true) => endpoint.tls(tls),
            (Some(_), false) => Err(Error::validation(format!(
                "{address} is plain, but TLS is set up; write grpcs:// in front of the address"
            ))),
        }
    }
}
