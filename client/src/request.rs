//! A call that is about to be made, and what holds for it alone.

use std::{fmt, future::IntoFuture, time::Duration};

use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue};

use crate::{Client, call::Call, error::Error, operation::Operation, transport::Head};

/// A call that is made when it is awaited; until then it can be told what holds for it alone.
///
/// ```
/// # use std::time::Duration;
/// # use tiny_cache_client::{Client, testing::TestServer};
/// # #[tokio::main]
/// # async fn main() -> tiny_cache_client::Result<()> {
/// # let server = TestServer::start().await?;
/// # let client = server.client().await?;
/// let profile = client
///     .get("profile:7")
///     .namespace("accounts")
///     .deadline(Duration::from_millis(50))
///     .retries(0)
///     .await?;
/// # assert_eq!(profile, None);
/// # Ok(())
/// # }
/// ```
///
/// It is no future yet, but becomes one: where several are to be under way at once, say
/// `into_future`, and where one is to be spawned, move the client in.
///
/// ```
/// # use std::future::IntoFuture;
/// # use tiny_cache_client::{Client, testing::TestServer};
/// # #[tokio::main]
/// # async fn main() -> tiny_cache_client::Result<()> {
/// # let server = TestServer::start().await?;
/// # let client = server.client().await?;
/// let keys = ["a", "b", "c"];
/// let found = futures::future::join_all(keys.map(|key| client.get(key).into_future())).await;
/// # assert_eq!(found.len(), 3);
///
/// let spawned = tokio::spawn({
///     let client = client.clone();
///     async move { client.get("a").await }
/// });
/// # assert_eq!(spawned.await.unwrap()?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request does nothing until it is awaited"]
pub struct Request<'c, O> {
    client: &'c Client,
    pub(crate) operation: O,
    /// None for most calls, which therefore carry no more than a pointer.
    options: Option<Box<CallOptions>>,
}

/// What holds for one call in place of the client's own settings.
#[derive(Clone, Default)]
pub(crate) struct CallOptions {
    pub(crate) deadline: Option<Duration>,
    pub(crate) total_deadline: Option<Duration>,
    pub(crate) retries: Option<u32>,
    pub(crate) first_backoff: Option<Duration>,
    pub(crate) longest_backoff: Option<Duration>,
    pub(crate) namespace: Option<String>,
    pub(crate) metadata: Vec<(String, String)>,
}

impl fmt::Debug for CallOptions {
    /// Without the metadata's values, which may be secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.metadata.iter().map(|(name, _)| name).collect();
        out.debug_struct("CallOptions")
            .field("deadline", &self.deadline)
            .field("retries", &self.retries)
            .field("namespace", &self.namespace)
            .field("metadata", &names)
            .finish_non_exhaustive()
    }
}

impl<'c, O> Request<'c, O> {
    pub(crate) fn new(client: &'c Client, operation: O) -> Self {
        Self { client, operation, options: None }
    }

    fn options(&mut self) -> &mut CallOptions {
        self.options.get_or_insert_default()
    }

    /// Gives each try this long. Where it is more than a second and no total deadline is set,
    /// the call has three times as long altogether.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options().deadline = Some(deadline);
        self
    }

    /// Gives the call this long altogether, retries and the pauses between them included.
    pub fn total_deadline(mut self, deadline: Duration) -> Self {
        self.options().total_deadline = Some(deadline);
        self
    }

    /// Tries again at most so often after the first try.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options().retries = Some(retries);
        self
    }

    /// Pauses at most this long before the first retry, twice as long before the next, and so
    /// on.
    pub fn first_backoff(mut self, pause: Duration) -> Self {
        self.options().first_backoff = Some(pause);
        self
    }

    /// Never pauses longer than this.
    pub fn longest_backoff(mut self, pause: Duration) -> Self {
        self.options().longest_backoff = Some(pause);
        self
    }

    /// Works in this keyspace; blank means the shared one.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.options().namespace = Some(namespace.into());
        self
    }

    /// Names the call in the server's logs and traces, in place of a name that the server
    /// makes.
    pub fn request_id(self, id: impl Into<String>) -> Self {
        self.metadata("x-request-id", id)
    }

    /// Sends an entry of metadata along, in place of the client's own of that name: visible
    /// ASCII.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options().metadata.push((name.into(), value.into()));
        self
    }
}

impl<'c, O: Operation + 'c> IntoFuture for Request<'c, O> {
    type Output = O::Outcome;
    type IntoFuture = BoxFuture<'c, O::Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        // The caller's span is active now, unless the future is given one of its own.
        let call = Call::new(self.client, self.options.as_deref());
        let operation = self.operation;
        Box::pin(async move { operation.run(call.map(Call::begin)).await })
    }
}

/// What gRPC says itself, and what HTTP/2 does not allow or reads for itself.
const RESERVED: [&str; 10] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Puts a namespace among the metadata.
pub(crate) fn set_namespace(head: &mut Head, name: &str) -> Result<(), Error> {
    head.set_namespace(name).map_err(|error| {
        let shown: String = name.chars().take(80).collect();
        Error::from(error).remark(&format!(", not `{shown}`"))
    })
}

/// Checks an entry of metadata. Those that gRPC itself uses cannot be set.
pub(crate) fn metadata(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let refused = |reason: &str| Error::validation(format!("bad metadata `{name}`: {reason}"));
    let key: HeaderName = name
        .parse()
        .map_err(|_| refused("expected a name of letters, digits, '-', '_' and '.'"))?;
    let text = key.as_str();
    if text.starts_with("grpc-") || RESERVED.contains(&text) {
        return Err(refused("the name is gRPC's or HTTP's own"));
    }
    if text == "x-cache-namespace" {
        return Err(refused("a namespace is set with namespace()"));
    }
    if text.ends_with("-bin") {
        return Err(refused("binary entries (-bin) cannot be sent; encode the value as text"));
    }
    let mut value: HeaderValue =
        value.parse().map_err(|_| refused("expected a value of visible ASCII"))?;
    if ["x-request-id", "authorization", "cookie"].contains(&text) {
        // Different for each call, or secret: HPACK's table must not be filled with it.
        value.set_sensitive(true);
    }
    Ok((key, value))
}
