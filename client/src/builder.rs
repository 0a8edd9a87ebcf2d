//! The settings of a client, with their defaults.

mod check; // refuses wrong settings
mod target; // one server or several
mod several; // the settings of several servers
mod ready; // waits for a server that starts

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use futures::future::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};

use self::target::Target;
use crate::{
    address::Address,
    client::Client,
    error::{Error, Result},
    options::{set_metadata, set_namespace, setters},
    patience::{Patience, Total},
    pool::Upkeep,
    retry::RetryBudget,
    servers::RingSettings,
    shared::{Core, Handle, Scope},
    tls::Tls,
    transport::{ConnectFn, Endpoint, Head, Io, OnReply, ReplyMetadata, ResolveFn, Route, Token},
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
    target: Target,
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
    ttl: Option<Duration>,
    namespace: String,
    metadata: Vec<(String, String)>,
    token: Option<GivenToken>,
    on_reply: Option<OnReply>,
    ring: RingSettings,
    sends_key: bool,
}

/// A token, or where it is.
#[derive(Clone)]
enum GivenToken {
    Text(String),
    File(PathBuf),
    Shared(Token),
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Builder").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to a server with the default settings.
    ///
    /// The address is `host`, `host:port` or `[v6]:port`. A prefix of `grpc://` means plain, the
    /// default, and `grpcs://` means TLS. The default port is 50051.
    ///
    /// Several servers are a list with commas of [servers](crate::Server), `cache-0,cache-1@2`, or
    /// `dns:///name:port` for all addresses of a name: see [several caches](crate#several-caches).
    ///
    /// # Errors
    ///
    /// The address is malformed ([`ErrorKind::Validation`]), or the server cannot be reached
    /// ([`ErrorKind::Connection`]).
    ///
    /// # Panics
    ///
    /// If called outside a tokio runtime.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::Connection`]: crate::ErrorKind::Connection
    pub async fn connect(address: impl AsRef<str>) -> Result<Self> {
        Self::builder(address).connect().await
    }

    /// Sets up a client that needs other settings.
    pub fn builder(address: impl AsRef<str>) -> Builder {
        Builder::new(address.as_ref())
    }
}

impl Builder {
    fn new(address: &str) -> Self {
        Self {
            target: Target::of(address),
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
            ttl: None,
            namespace: String::new(),
            metadata: Vec::new(),
            token: None,
            on_reply: None,
            ring: RingSettings::DEFAULT,
            sends_key: false,
        }
    }

    /// Opens connections with `connect`, for example to a Unix socket, in place of TCP. The address
    /// then only names the server in requests and errors.
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

    /// Resolves the address with `resolve`, in place of the system's resolver. Every new connection
    /// calls it with host and port, and tries the addresses in its order. The client stays with
    /// one of them, see [`max_connection_age`](Builder::max_connection_age). Cannot be combined
    /// with a [`connector`](Builder::connector), which resolves nothing.
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

    setters! { self;
        /// Sets how TLS is used. The address must begin with `grpcs://`. The default trusts the
        /// system's authorities.
        tls(tls: Tls) => self.tls = Some(tls);

        /// Limits the connections to each server; 2 by default. The second and later ones open when
        /// the others are busy, and lead to the same address. A load balancer behind that address
        /// may still spread them over several servers: see
        /// [several caches](crate#several-caches).
        connections(connections: usize) => self.connections = connections;

        /// Limits the time to connect, for all addresses of the name together; 5 s by default.
        /// Several addresses are tried 250 ms apart, families in turn (RFC 8305). The first whose
        /// server sends its HTTP/2 settings wins.
        connect_timeout(timeout: Duration) => self.connect_timeout = timeout;

        /// Makes [`Builder::connect`] wait up to this time until the server reports that it takes
        /// calls. By default `connect` needs a connection only.
        ready_within(time: Duration) => self.ready_within = Some(time);

        /// Sets how often each connection is checked through gRPC health; 30 s by default, zero for
        /// never. A connection that does not answer is replaced.
        health_check_interval(interval: Duration) => self.upkeep.check_every = interval;

        /// Limits the time of a health check; 5 s by default.
        health_check_deadline(deadline: Duration) => self.upkeep.check_deadline = deadline;

        /// Replaces a connection at this age, or up to a fifth earlier at random; 5 minutes by
        /// default, zero for never.
        ///
        /// Every new connection resolves the name again. While the name has the current address,
        /// the client stays with it. Otherwise the new connection leads to another address, and the
        /// old ones close when their calls have ended.
        max_connection_age(age: Duration) => self.upkeep.max_age = age;

        /// Limits the size of a reply; 256 MiB by default.
        max_reply_bytes(bytes: usize) => self.max_reply_bytes = bytes;

        /// Sets the deadlines and retries of the Python client: 30 s for a try, no total deadline,
        /// 3 retries, pauses of up to 1, 2 and 4 s. A server that hangs then blocks a caller for up
        /// to 127 s, and a restart of some seconds causes no error.
        ///
        /// Later settings override these.
        python_defaults() => self.patience = Patience::PYTHON;

        /// Limits each try of a call; 1 s by default.
        deadline(deadline: Duration) => self.patience.deadline = deadline;

        /// Limits the whole call, including retries and the pauses between them. It applies to all
        /// parts of a batch together.
        ///
        /// By default an RPC has 3 s, or three times the deadline of a try if that is longer, and a
        /// batch has that for each of its parts.
        total_deadline(deadline: Duration) => self.patience.total = Total::Set(deadline);

        /// Limits the retries of a call; 3 by default.
        retries(retries: u32) => self.patience.retries = retries;

        /// Limits the pause before the first retry; 50 ms by default. The limit doubles with each
        /// further retry. Each pause is drawn at random from zero to its limit.
        first_backoff(pause: Duration) => self.patience.first_backoff = pause;

        /// Limits every pause between two tries; 30 s by default.
        longest_backoff(pause: Duration) => self.patience.longest_backoff = pause;

        /// Limits the retries of all calls together to `share` of the calls, 0 to 10, plus
        /// `per_second`; 0.2 and 10 by default. Once the budget is spent, calls fail with the error
        /// of their last try.
        retry_budget(share: f32, per_second: u32) => self.retry_budget = (share, per_second);

        /// Sets the TTL of writes that do not set one; one hour by default, zero for no expiry.
        ttl(ttl: Duration) => self.ttl = Some(ttl);

        /// Works in this keyspace; the shared one by default.
        namespace(namespace: impl Into<String>) => self.namespace = namespace.into();

        /// Shows this bearer token with every call, as the metadata `authorization`. Use TLS with it:
        /// whoever reads it on the way can use it.
        token(token: impl Into<String>) => self.token = Some(GivenToken::Text(token.into()));

        /// Shows the bearer token in this file with every call, in place of
        /// [`token`](Builder::token). The file is read again within a second after it has changed,
        /// so that tokens can rotate, as those of Kubernetes do. If it cannot be used then, the
        /// token before it stays in use.
        token_file(path: impl Into<PathBuf>) => self.token = Some(GivenToken::File(path.into()));

        /// Shows this token with every call, in place of [`token`](Builder::token): one that others
        /// use as well, such as connections of the [`transport`](crate::transport).
        shared_token(token: Token) => self.token = Some(GivenToken::Shared(token));

        /// Sends an entry of metadata with every call. The value is visible ASCII.
        metadata(name: impl Into<String>, value: impl Into<String>) =>
            self.metadata.push((name.into(), value.into()));
    }

    /// Passes the metadata of each reply, including the server's errors, to `observer` before the
    /// call returns. A retried call may have several replies.
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
    /// A setting is invalid ([`ErrorKind::Validation`]), the server cannot be reached
    /// ([`ErrorKind::Connection`]), or it was not ready in time ([`ErrorKind::Timeout`]).
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::Connection`]: crate::ErrorKind::Connection
    /// [`ErrorKind::Timeout`]: crate::ErrorKind::Timeout
    ///
    /// # Panics
    ///
    /// If called outside a tokio runtime.
    pub async fn connect(self) -> Result<Client> {
        let ready_within = self.ready_within;
        let client = self.build()?;
        match ready_within {
            Some(time) => ready::ready(&client, time).await?,
            None => client.reach().await?,
        }
        Ok(client)
    }

    /// Makes the client without connecting it. Its first call connects; no runtime is needed yet.
    ///
    /// # Errors
    ///
    /// A setting is invalid: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn build(self) -> Result<Client> {
        self.check()?;
        let ttl = self.ttl.map_or(Ok(Ttl::DEFAULT), Ttl::try_from)?;
        let mut head = Head::default();
        head.set_timeout(self.patience.first_try());
        set_namespace(&mut head, &self.namespace)?;
        for (name, value) in &self.metadata {
            set_metadata(&mut head, name, value)?;
        }
        match &self.token {
            None => {}
            Some(GivenToken::Text(text)) => head.set_token(Token::new(text)?),
            Some(GivenToken::File(path)) => head.set_token(Token::file(path)?),
            Some(GivenToken::Shared(token)) => head.set_token(token.clone()),
        }
        if let Some(observer) = self.on_reply.clone() {
            head.set_on_reply(observer);
        }
        let (share, per_second) = self.retry_budget;
        let servers = self.servers_of_target()?;
        let core = Core::new(servers, RetryBudget::new(share, per_second), self.patience, ttl);
        let scope =
            Scope { head, namespace: self.namespace, sends_key: self.sends_key, only: None };
        Ok(Client::new(Handle::new(core, scope)))
    }

    fn endpoint(&self, address: Address) -> Result<Endpoint> {
        let mut endpoint = Endpoint::new(address.clone())
            .connect_timeout(self.connect_timeout)
            .max_reply_bytes(self.max_reply_bytes);
        match (&self.connector, &self.resolver) {
            (None, resolver) => endpoint.resolve.clone_from(resolver),
            (Some(connector), None) => {
                endpoint.route = Route::Custom(connector.clone());
                return Ok(endpoint);
            }
            (Some(_), Some(_)) => {
                return Err(Error::validation(
                    "a connector resolves no name; leave out the connector or the resolver",
                ));
            }
        }
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
