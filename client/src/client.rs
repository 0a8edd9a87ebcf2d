//! The client: one method for each operation.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    Address, Builder, CompareAndSet, Delete, DeleteMany, Get, GetHealth, GetMany, GetStats,
    GetText, Item, Ping, Request, Set, SetIfAbsent, SetMany, Ttl, error::Result,
    patience::Patience, pool::Pool, request::set_namespace, retry::RetryBudget, transport::Head,
};
use bytes::Bytes;

/// Items in one part of a batch, unless the server was found to take fewer. It would take ten
/// times as many, but a busy one could not answer four such parts within the time of a try,
/// and the calls of others would wait behind them.
const BATCH_ITEMS: usize = 1_000;

/// What closing takes beside the calls under way.
const CLOSING: Duration = Duration::from_secs(2);

/// A client of one cache server.
///
/// Cheap to clone; the clones share its connections. Every method can be called from many
/// tasks at once.
///
/// A connection is driven, and its health checked, by the runtime of the call that opened it.
/// A client can be used from several runtimes, at once or one after the other: when one ends,
/// its connections end with it, and the next call opens one on its own, with checks of its
/// own. A runtime that is kept but not run (a current-thread runtime outside `block_on`) holds
/// up calls from elsewhere until a deadline has shown that nothing comes back.
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
    core: Arc<Core>,
    scope: Arc<Scope>,
}

/// What all clones share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) pool: Arc<Pool>,
    pub(crate) budget: RetryBudget,
    pub(crate) patience: Patience,
    pub(crate) ttl: Ttl,
    /// Items that the server takes in one batch, as far as is known.
    batch_items: AtomicUsize,
}

/// What goes with the calls of one client, and may differ from those of its clones.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) head: Head,
    /// Empty for the shared keyspace.
    pub(crate) namespace: String,
}

impl Core {
    pub(crate) fn new(pool: Arc<Pool>, budget: RetryBudget, patience: Patience, ttl: Ttl) -> Self {
        Self { pool, budget, patience, ttl, batch_items: AtomicUsize::new(BATCH_ITEMS) }
    }

    pub(crate) fn batch_items(&self) -> usize {
        self.batch_items.load(Ordering::Relaxed)
    }

    /// Remembers that the server takes batches of no more than this, or little more.
    pub(crate) fn learn_batch_items(&self, items: usize) {
        self.batch_items.fetch_min(items.max(1), Ordering::Relaxed);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.pool.end_upkeep();
    }
}

impl Client {
    /// Connects to a server with the default settings: `host`, `host:port`, `[v6]:port`, with
    /// `grpc://` (plain) or `grpcs://` (TLS) in front or nothing, which means plain. The port
    /// is 50051 where none is named.
    ///
    /// # Errors
    ///
    /// The address is none ([`ErrorKind::Validation`]), or there is no server
    /// ([`ErrorKind::Connection`]).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::Connection`]: crate::ErrorKind::Connection
    pub async fn connect(address: impl AsRef<str>) -> Result<Self> {
        Self::builder(address).connect().await
    }

    /// Begins to set up a client for a server, see [`Builder`].
    pub fn builder(address: impl AsRef<str>) -> Builder {
        Builder::new(address.as_ref())
    }

    pub(crate) fn new(core: Core, scope: Scope) -> Self {
        Self { core: Arc::new(core), scope: Arc::new(scope) }
    }

    pub(crate) fn parts(&self) -> (&Core, &Scope) {
        (&self.core, &self.scope)
    }

    /// A client that works in another keyspace over the same connections; blank means the
    /// shared one.
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
    /// The text is no name of a namespace: [`ErrorKind::Validation`].
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn in_namespace(&self, namespace: &str) -> Result<Self> {
        let mut scope = Scope::clone(&self.scope);
        set_namespace(&mut scope.head, namespace)?;
        namespace.clone_into(&mut scope.namespace);
        Ok(Self { core: self.core.clone(), scope: Arc::new(scope) })
    }

    /// The server's address.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.core.pool.endpoint().address()
    }

    /// Reads a value; `None` is a miss.
    ///
    /// A value of up to 16 KiB has memory of its own, a larger one is the buffer that it was
    /// received in.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("key", vec![1, 2, 3]).await?;
    /// assert_eq!(client.get("key").await?.as_deref(), Some(&[1, 2, 3][..]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The key is not 1 to 256 characters ([`ErrorKind::Validation`]), or the call failed.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn get<'c>(&'c self, key: &'c str) -> Request<'c, Get<'c>> {
        Request::new(self, Get { key })
    }

    /// Reads a value that is text; `None` is a miss.
    ///
    /// # Errors
    ///
    /// As [`Client::get`], and [`ErrorKind::NotText`] where the value is not UTF-8.
    ///
    /// [`ErrorKind::NotText`]: crate::ErrorKind::NotText
    pub fn get_text<'c>(&'c self, key: &'c str) -> Request<'c, GetText<'c>> {
        Request::new(self, GetText { key })
    }

    /// Writes a value and replaces the one that was there, its TTL included.
    ///
    /// The value is taken without a copy where it can be: a `Bytes`, `Vec<u8>`, `String`, or
    /// a `&'static` slice or text. What is borrowed otherwise is copied by the caller, with
    /// `Bytes::copy_from_slice`.
    ///
    /// A write whose reply was late is tried again, and the first try may still arrive after
    /// the second. Where that matters, ask for no [retries](Request::retries), or use
    /// [`compare_and_set`](Client::compare_and_set).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("key", "for an hour, unless the builder says otherwise").await?;
    /// client.set("key", "for a minute").ttl(Duration::from_secs(60)).await?;
    /// client.set("key", "for ever").ttl(Duration::ZERO).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The key is not 1 to 256 characters, or the TTL longer than 68 years
    /// ([`ErrorKind::Validation`]); the value is larger than the server takes
    /// ([`ErrorKind::ResourceExhausted`]); or the call failed.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::ResourceExhausted`]: crate::ErrorKind::ResourceExhausted
    pub fn set<'c>(&'c self, key: &'c str, value: impl Into<Bytes>) -> Request<'c, Set<'c>> {
        Request::new(self, Set { key, value: value.into(), ttl: None })
    }

    /// Writes a value unless a live one is there. Of many callers at once, one wins.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// use tiny_cache_client::SetIfAbsentOutcome::{Exists, Stored};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// assert_eq!(client.set_if_absent("lock", "me").await?, Stored);
    /// assert_eq!(client.set_if_absent("lock", "you").await?, Exists);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::set`]. It is repeated only where it is certain that the server has not
    /// executed it; see [`Error::may_have_been_applied`](crate::Error::may_have_been_applied).
    pub fn set_if_absent<'c>(
        &'c self,
        key: &'c str,
        value: impl Into<Bytes>,
    ) -> Request<'c, SetIfAbsent<'c>> {
        Request::new(self, SetIfAbsent { key, value: value.into(), ttl: None })
    }

    /// Replaces a value if it is the expected one. Of many callers at once, one wins.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// use tiny_cache_client::CompareAndSetOutcome::{Mismatch, NotFound, Stored};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// assert_eq!(client.compare_and_set("count", "1", "2").await?, NotFound);
    /// client.set("count", "1").await?;
    /// assert_eq!(client.compare_and_set("count", "1", "2").await?, Stored);
    /// assert_eq!(client.compare_and_set("count", "1", "3").await?, Mismatch);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Client::set`]. It is repeated only where it is certain that the server has not
    /// executed it; see [`Error::may_have_been_applied`](crate::Error::may_have_been_applied).
    pub fn compare_and_set<'c>(
        &'c self,
        key: &'c str,
        expected: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> Request<'c, CompareAndSet<'c>> {
        let (expected, value) = (expected.into(), value.into());
        Request::new(self, CompareAndSet { key, expected, value, ttl: None })
    }

    /// Removes a value, whether or not it is there.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub fn delete<'c>(&'c self, key: &'c str) -> Request<'c, Delete<'c>> {
        Request::new(self, Delete { key })
    }

    /// Reads many values: one result for each key, in the keys' order.
    ///
    /// As many keys as you like: more than a thousand are asked for in parts, four at a time,
    /// and what a reply has no room for is asked for again.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set_many([("a", "1"), ("b", "2")]).await?;
    /// let found = client.get_many(["b", "c", "a"]).await?;
    /// let found: Vec<_> = found.into_iter().collect::<Result<_, _>>()?;
    /// assert_eq!(found, [Some("2".into()), None, Some("1".into())]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A key that is not 1 to 256 characters is an error in its own place
    /// ([`ErrorKind::Validation`]), and so is a value that fits into no reply
    /// ([`ErrorKind::ResourceExhausted`]). The whole is an error where a call failed.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::ResourceExhausted`]: crate::ErrorKind::ResourceExhausted
    pub fn get_many<'c, K>(
        &'c self,
        keys: impl IntoIterator<Item = &'c K>,
    ) -> Request<'c, GetMany<'c>>
    where
        K: AsRef<str> + ?Sized + 'c,
    {
        Request::new(self, GetMany { keys: keys.into_iter().map(AsRef::as_ref).collect() })
    }

    /// Writes many values: one result for each item, in the items' order.
    ///
    /// An item is a pair of key and value, or an [`Item`] where it has a TTL of its own. As
    /// many as you like: more than a thousand, or a megabyte, are sent in parts, four at a time.
    /// A key that is there twice gets one of its values.
    ///
    /// # Errors
    ///
    /// An item that is refused is an error in its own place: a key that is not 1 to 256
    /// characters ([`ErrorKind::Validation`]), a value that is too large
    /// ([`ErrorKind::ResourceExhausted`]). The whole is an error where a call failed; some
    /// items may have been written then.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    /// [`ErrorKind::ResourceExhausted`]: crate::ErrorKind::ResourceExhausted
    pub fn set_many<I: Into<Item>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Request<'_, SetMany> {
        let items = items.into_iter().map(Into::into).collect();
        Request::new(self, SetMany { items, ttl: None })
    }

    /// Removes many values, whether or not they are there: one result for each key, in the
    /// keys' order.
    ///
    /// # Errors
    ///
    /// A key that is not 1 to 256 characters is an error in its own place
    /// ([`ErrorKind::Validation`]). The whole is an error where a call failed; some entries
    /// may have been removed then.
    ///
    /// [`ErrorKind::Validation`]: crate::ErrorKind::Validation
    pub fn delete_many<'c, K>(
        &'c self,
        keys: impl IntoIterator<Item = &'c K>,
    ) -> Request<'c, DeleteMany<'c>>
    where
        K: AsRef<str> + ?Sized + 'c,
    {
        Request::new(self, DeleteMany { keys: keys.into_iter().map(AsRef::as_ref).collect() })
    }

    /// Asks for the figures of the whole server.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// client.set("key", "value").await?;
    /// assert_eq!(client.stats().await?.entries, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The call failed.
    pub fn stats(&self) -> Request<'_, GetStats> {
        Request::new(self, GetStats)
    }

    /// Asks the server whether it takes calls, through gRPC health.
    ///
    /// # Errors
    ///
    /// The call failed; [`ErrorKind::Unimplemented`] where the server knows no health.
    ///
    /// [`ErrorKind::Unimplemented`]: crate::ErrorKind::Unimplemented
    pub fn health(&self) -> Request<'_, GetHealth> {
        Request::new(self, GetHealth)
    }

    /// Whether the server is there and takes calls: true or false, never an error. Waits as
    /// long as a try may take, but no longer than five seconds, and tries once unless more
    /// retries are asked for.
    ///
    /// ```
    /// # use tiny_cache_client::{Client, testing::TestServer};
    /// # #[tokio::main]
    /// # async fn main() -> tiny_cache_client::Result<()> {
    /// # let server = TestServer::start().await?;
    /// # let client = server.client().await?;
    /// assert!(client.ping().await);
    /// client.close().await;
    /// assert!(!client.ping().await);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ping(&self) -> Request<'_, Ping> {
        Request::new(self, Ping).retries(0)
    }

    /// Closes the connections of this client and all its clones, and waits for the calls that
    /// are under way, but little longer than the deadline of a try. Every call that begins
    /// later is an [`ErrorKind::Connection`].
    ///
    /// Dropping the last clone closes the connections, too, but waits for nothing.
    ///
    /// [`ErrorKind::Connection`]: crate::ErrorKind::Connection
    pub async fn close(&self) {
        // The calls under way end by then, even where nothing answers them.
        self.core.pool.close(self.core.patience.deadline.saturating_add(CLOSING)).await;
    }
}
