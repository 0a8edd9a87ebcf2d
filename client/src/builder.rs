//! Everything that can be set, with its defaults.

use std::{io, sync::Arc, time::Duration};

use futures::future::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep, timeout_at},
};

use crate::{
    Address, Client, Health, Tls,
    call::{Patience, after},
    client::{Core, Scope},
    error::{Error, ErrorKind, Result},
    health,
    pool::Pool,
    request::metadata,
    retry::RetryBudget,
    transport::{ConnectFn, Endpoint, Head, Io},
    ttl::Ttl,
};

/// Pause between two looks at a server that is not ready yet: short beside any patience worth
/// having.
const READY_PAUSE: Duration = Duration::from_millis(50);

/// Most connections of one client.
const MOST_CONNECTIONS: usize = 1024;

/// Most retries a second that a budget may have besides its share.
const MOST_RETRIES: u32 = 1_000_000;

/// Longest time that can be set for a pause or a check.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

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
    connections: usize,
    connect_timeout: Duration,
    ready_within: Option<Duration>,
    health_check_interval: Duration,
    max_reply_bytes: usize,
    patience: Patience,
    retry_budget: (f32, u32),
    ttl: Duration,
    namespace: String,
    metadata: Vec<(String, String)>,
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
            connections: 2,
            connect_timeout: Endpoint::DEFAULT_CONNECT_TIMEOUT,
            ready_within: None,
            health_check_interval: Duration::from_secs(30),
            max_reply_bytes: Endpoint::DEFAULT_MAX_REPLY_BYTES,
            patience: Patience {
                deadline: Duration::from_secs(30),
                total_deadline: None,
                retries: 3,
                first_backoff: Duration::from_secs(1),
                longest_backoff: Duration::from_secs(30),
            },
            retry_budget: (0.2, 10),
            ttl: Duration::from_secs(3600),
            namespace: String::new(),
            metadata: Vec::new(),
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

    /// Opens at most so many connections; 2 by default. The second and later ones are opened
    /// when the others are busy.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Gives a connection this long to come about; 5 s by default.
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
    /// answer within 5 s; 30 s by default, zero for never.
    pub fn health_check_interval(mut self, interval: Duration) -> Self {
        self.health_check_interval = interval;
        self
    }

    /// Takes replies up to this size; 256 MiB by default.
    pub fn max_reply_bytes(mut self, bytes: usize) -> Self {
        self.max_reply_bytes = bytes;
        self
    }

    /// Gives each try of a call this long; 30 s by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.patience.deadline = deadline;
        self
    }

    /// Gives each call this long altogether, retries and the pauses between them included.
    /// Not set by default.
    pub fn total_deadline(mut self, deadline: Duration) -> Self {
        self.patience.total_deadline = Some(deadline);
        self
    }

    /// Tries a call again at most so often after the first try; 3 by default.
    pub fn retries(mut self, retries: u32) -> Self {
        self.patience.retries = retries;
        self
    }

    /// Pauses at most this long before the first retry, twice as long before the next, and so
    /// on; 1 s by default. How long is drawn anew each time, from nothing to all of it.
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

    /// Makes the client and connects it.
    ///
    /// # Errors
    ///
    /// A setting is wrong ([`ErrorKind::Validation`]), there is no server
    /// ([`ErrorKind::Connection`]), or it was not ready in time ([`ErrorKind::Timeout`]).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn connect(self) -> Result<Client> {
        let ready_within = self.ready_within;
        let client = self.build()?;
        match ready_within {
            Some(time) => ready(&client, time).await?,
            None => drop(client.parts().0.pool.connection().await?),
        }
        Ok(client)
    }

    /// Makes the client without connecting it: its first call will.
    ///
    /// # Errors
    ///
    /// A setting is wrong: [`ErrorKind::Validation`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, unless health checks are off.
    pub fn build(self) -> Result<Client> {
        self.check()?;
        let ttl = Ttl::try_from(self.ttl)?;
        let mut head = Head::default();
        head.set_timeout(self.patience.first_try());
        head.set_namespace(&self.namespace)?;
        for (name, value) in &self.metadata {
            let (name, value) = metadata(name, value)?;
            head.headers_mut().insert(name, value);
        }
        let (share, per_second) = self.retry_budget;
        let budget = RetryBudget::new(share, per_second);

        let pool = Pool::new(self.endpoint()?, self.connections);
        let watch = (!self.health_check_interval.is_zero()).then(|| {
            let watch = health::watch(Arc::downgrade(&pool), self.health_check_interval);
            tokio::spawn(watch).abort_handle()
        });
        let core = Core::new(pool, budget, self.patience, ttl, watch);
        Ok(Client::new(core, Scope { head, namespace: self.namespace }))
    }

    fn endpoint(&self) -> Result<Endpoint> {
        let address: Address = self.address.parse()?;
        let endpoint = Endpoint::new(address.clone())
            .connect_timeout(self.connect_timeout)
            .max_reply_bytes(self.max_reply_bytes);
        if let Some(connector) = &self.connector {
            return Ok(endpoint.connect_with(connector.clone()));
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

    fn check(&self) -> Result<()> {
        let refuse = |text: String| Err(Error::validation(text));
        let Patience { deadline, total_deadline, first_backoff, longest_backoff, .. } =
            self.patience;
        for (name, time) in [
            ("deadline", deadline),
            ("total deadline", total_deadline.unwrap_or(deadline)),
            ("connect timeout", self.connect_timeout),
        ] {
            if time.is_zero() {
                return refuse(format!("{name} of 0 s; expected more"));
            }
        }
        for (name, time) in [
            ("first back-off", first_backoff),
            ("longest back-off", longest_backoff),
            ("health check interval", self.health_check_interval),
        ] {
            if time > LONGEST {
                return refuse(format!("{name} of {time:?}; expected at most a day"));
            }
        }
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            return refuse(format!(
                "{} connections; expected 1 to {MOST_CONNECTIONS}",
                self.connections
            ));
        }
        let (share, per_second) = self.retry_budget;
        if per_second > MOST_RETRIES {
            return refuse(format!(
                "retry budget of {per_second} a second; expected at most {MOST_RETRIES}"
            ));
        }
        if !(0.0..=10.0).contains(&share) {
            return refuse(format!("retry budget of {share} for each call; expected 0 to 10"));
        }
        Ok(())
    }
}

/// Waits until the server says that it takes calls.
async fn ready(client: &Client, time: Duration) -> Result<()> {
    let end = after(time);
    let not_ready = |cause: &str| {
        let text = format!("{} is not ready within {time:?}: {cause}", client.address());
        Error::new(ErrorKind::Timeout, text)
    };
    let mut last = not_ready("no answer");
    loop {
        let Ok(health) = timeout_at(end, client.health().retries(0).into_future()).await else {
            return Err(last);
        };
        match health {
            Ok(Health::Serving) => return Ok(()),
            // It answers, if only that it knows of no health.
            Err(error) if error.kind() == ErrorKind::Unimplemented => return Ok(()),
            Ok(health) => last = not_ready(&format!("its health is {health:?}")),
            Err(error) => last = not_ready(&error.to_string()).caused_by(error),
        }
        if Instant::now() + READY_PAUSE >= end {
            return Err(last);
        }
        sleep(READY_PAUSE).await;
    }
}
