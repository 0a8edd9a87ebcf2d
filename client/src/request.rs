//! A call before it is sent: the operation, and the options of this call alone.

use std::{future::IntoFuture, time::Duration};

use futures::future::BoxFuture;
use tiny_cache_proto::X_REQUEST_ID;

use self::sealed::Run;
use crate::{
    call::Call,
    options::{CallOptions, setters},
    patience::Total,
    shared::Handle,
};

/// The work of a [`Request`]. Not for implementing.
pub trait Operation: Run<Output = Self::Outcome> {
    /// The result of the request.
    type Outcome;
}

impl<O: Run> Operation for O {
    type Outcome = O::Output;
}

/// A write, which may have a TTL. Not for implementing.
pub trait WriteOperation: Run {}

pub(crate) mod sealed {
    use std::future::Future;

    use crate::{call::Call, error::Result};

    pub trait Run: Send {
        type Output;

        /// Makes the call, or returns the error of its options.
        fn run(self, call: Result<Call<'_>>) -> impl Future<Output = Self::Output> + Send;
    }
}

/// A call that is sent when it is awaited. Its methods set options of this call alone.
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
/// A request becomes a future when it is awaited. Call `into_future` to run several requests at
/// once. To spawn a request, move a clone of the client into the task.
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
    handle: &'c Handle,
    operation: O,
    ttl: Option<Duration>,
    /// Boxed: most calls set none, and then carry a pointer.
    options: Option<Box<CallOptions>>,
}

impl<'c, O> Request<'c, O> {
    pub(crate) fn new(handle: &'c Handle, operation: O) -> Self {
        Self { handle, operation, ttl: None, options: None }
    }

    /// Changes the operation.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut O)) -> Self {
        change(&mut self.operation);
        self
    }

    /// The operation, its TTL, and whether it has options beside that.
    pub(crate) fn into_parts(self) -> (O, Option<Duration>, bool) {
        (self.operation, self.ttl, self.options.is_some())
    }

    fn options(&mut self) -> &mut CallOptions {
        let patience = self.handle.core.patience;
        self.options.get_or_insert_with(|| Box::new(CallOptions::new(patience)))
    }

    setters! { self;
        /// Limits each try. If no total deadline is set, the whole call has three seconds, or three
        /// times this deadline if that is longer.
        deadline(deadline: Duration) => self.options().patience.deadline = deadline;

        /// Limits the whole call, including retries and the pauses between them.
        total_deadline(deadline: Duration) => self.options().patience.total = Total::Set(deadline);

        /// Limits the retries after the first try.
        retries(retries: u32) => self.options().patience.retries = retries;

        /// Limits the pause before the first retry. The limit doubles with each further retry.
        first_backoff(pause: Duration) => self.options().patience.first_backoff = pause;

        /// Limits every pause between two tries.
        longest_backoff(pause: Duration) => self.options().patience.longest_backoff = pause;

        /// Works in this keyspace; blank means the shared one.
        namespace(namespace: impl Into<String>) => self.options().namespace = Some(namespace.into());
    }

    /// Sets the id of the call in the server's logs and traces. Without it the server makes one.
    pub fn request_id(self, id: impl Into<String>) -> Self {
        self.metadata(X_REQUEST_ID, id)
    }

    /// Sends an entry of metadata, in place of the client's own of that name. The value is
    /// visible ASCII.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options().metadata.push((name.into(), value.into()));
        self
    }
}

impl<O: WriteOperation> Request<'_, O> {
    /// Sets the TTL of what is written, in place of the client's default; zero never expires.
    ///
    /// Rounded up to whole seconds. An [`Item`](crate::Item) with a TTL keeps its own.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }
}

impl<'c, O: Operation + 'c> IntoFuture for Request<'c, O> {
    type Output = O::Outcome;
    type IntoFuture = BoxFuture<'c, O::Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        // Here, not in the future: the caller's span is active now.
        let call = Call::new(self.handle, self.options.as_deref(), self.ttl);
        let operation = self.operation;
        Box::pin(async move { operation.run(call.map(Call::begin)).await })
    }
}
