//! One HTTP/2 connection that carries many calls at a time.
//!
//! The connection is driven by a task of its own; a call writes its frames into h2's buffers
//! from the caller's task and waits there for the reply. So a call costs no channel, no task
//! and no copy of its message beyond what h2 does itself.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderValue, Uri};
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep, timeout},
};
use tracing::debug;

use super::{
    endpoint::{ConnectError, Endpoint},
    failure::Failure,
    gather::Gathered,
    greeting::{self, Driven, Greeted},
    head::{Head, RING_KEY, ReplyMetadata},
    race::Steer,
    reply,
    rpc::{Method, Rpc},
};

/// Time for a connection without calls to end. Only a farewell is left to send: a peer that has
/// stopped reading must not keep the connection, or [`close`](crate::Client::close), waiting.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection to a server, over which any number of calls can be under way.
///
/// Dropping it lets the calls finish, then closes.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Bytes>,
    /// Each at the index of its [`Method`].
    uris: Box<[Uri]>,
    max_reply_bytes: usize,
    calls: AtomicUsize,
    /// Reads from the socket so far.
    reads: Arc<AtomicU64>,
    /// Set once no further call can be made, by the first of a failed write, a call and the
    /// driver that notices.
    retired: Arc<AtomicBool>,
    opened: Instant,
    /// The server's address; none if the caller made the stream.
    pub(crate) peer: Option<SocketAddr>,
    /// Dropped with the connection, which tells the driver that no call will follow.
    _open: oneshot::Sender<Infallible>,
}

impl Connection {
    /// Connects, and drives the connection in a task of the current runtime.
    ///
    /// Returns when the server has sent its first frame: a listener whose process does not accept
    /// does not count as a server. If the name has several addresses, the next is tried after
    /// 250 ms, and the first that answers wins.
    ///
    /// # Errors
    ///
    /// No address answered within the endpoint's connect timeout.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn open(endpoint: &Endpoint) -> Result<Self, ConnectError> {
        let made = Self::establish(endpoint, Steer::default(), || {}).await?;
        tokio::spawn(made.driver);
        Ok(made.connection)
    }

    /// Connects. The caller polls the driver until it ends. It calls `on_retired` once, as soon
    /// as no further call can be made.
    pub(crate) async fn establish(
        endpoint: &Endpoint,
        steer: Steer,
        on_retired: impl FnOnce() + Send + 'static,
    ) -> Result<Established, ConnectError> {
        let Greeted { sender, driven, io, retired, peer, addresses } =
            greeting::connect(endpoint, steer).await?;
        let reads = io.reads();
        let (open, calls_end) = oneshot::channel();
        let driver = Driver {
            driven,
            deferred: false,
            io,
            probe: Some(sender.clone()),
            calls_end,
            farewell: None,
            retire: Retire { retired: retired.clone(), on_retired: Some(Box::new(on_retired)) },
        };
        let (scheme, authority) = (endpoint.scheme(), endpoint.address().authority());
        let uri = |method: Method| {
            Uri::builder()
                .scheme(scheme)
                .authority(authority.as_str())
                .path_and_query(method.path())
                .build()
                .map_err(|error| endpoint.failed(error))
        };
        let connection = Self {
            sender,
            uris: Method::all().map(uri).collect::<Result<_, _>>()?,
            max_reply_bytes: endpoint.max_reply_bytes,
            calls: AtomicUsize::new(0),
            reads,
            retired,
            opened: Instant::now(),
            peer,
            _open: open,
        };
        Ok(Established { connection, driver, addresses })
    }

    /// Makes a call and waits for its reply without a deadline. Dropping the future cancels the
    /// call.
    ///
    /// # Errors
    ///
    /// The connection failed, or the reply has a status other than OK or is malformed.
    pub async fn call<R: Rpc>(&self, rpc: &R, head: &Head) -> Result<R::Reply, Failure> {
        self.call_of_key(rpc, head, None).await
    }

    /// As [`call`](Self::call), with this value of the metadata `x-cache-key`, as of
    /// [`key_metadata`](crate::key_metadata).
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn call_of_key<R: Rpc>(
        &self,
        rpc: &R,
        head: &Head,
        key: Option<&HeaderValue>,
    ) -> Result<R::Reply, Failure> {
        let frames = rpc.frames().map_err(|too_long| Failure::TooLong(too_long.bytes))?;
        let mut request = head.request(self.uris[R::METHOD.index()].clone());
        if let Some(key) = key {
            request.headers_mut().insert(RING_KEY, key.clone());
        }

        let _under_way = UnderWay::begin(&self.calls);
        // A clone: h2 makes a handle wait while its last stream is not open yet.
        let (response, mut stream) =
            self.sender.clone().send_request(request, false).map_err(|error| {
                self.retire();
                Failure::unsent(error)
            })?;
        for (bytes, last) in frames.into_iter_with_last() {
            // Fails only if the server has ended the stream; the response has the reason.
            if stream.send_data(bytes, last).is_err() {
                break;
            }
        }
        let response = response.await.map_err(|error| {
            if !error.is_reset() {
                self.retire();
            }
            Failure::lost(error)
        })?;
        if let Some(observer) = &head.on_reply {
            observer(&ReplyMetadata(response.headers()));
        }
        reply::read(response, self.max_reply_bytes).await
    }

    /// Makes a call, and cancels it after `deadline`.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), and [`Failure::Deadline`].
    pub async fn call_within<R: Rpc>(
        &self,
        rpc: &R,
        head: &Head,
        deadline: Duration,
    ) -> Result<R::Reply, Failure> {
        let call = self.call(rpc, head);
        timeout(deadline, call).await.unwrap_or(Err(Failure::Deadline(deadline)))
    }

    /// Takes the connection out of use as soon as a call has seen its end. The driver, perhaps on
    /// another thread, does so a moment later, and a retry must not pick this connection again.
    fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// How many calls are under way.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Reads from the socket so far; an unchanged number means that the server was silent.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Time since it was opened.
    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Whether no further call can be made: the server is going away, or the connection broke.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }
}

/// A new connection and its driver.
pub(crate) struct Established {
    pub(crate) connection: Connection,
    pub(crate) driver: Driver,
    /// The addresses that the server's name resolved to.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Counts a call for as long as it lives.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn begin(calls: &'a AtomicUsize) -> Self {
        calls.fetch_add(1, Ordering::Relaxed);
        Self(calls)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Moves the connection's bytes until it has ended.
pub(crate) struct Driver {
    driven: Driven,
    /// Whether the last turn was put off.
    deferred: bool,
    io: Gathered,
    /// Shows after each step whether a call can still be made. Dropped once none will be, since
    /// h2 closes a connection only when its last sender is dropped.
    probe: Option<SendRequest<Bytes>>,
    calls_end: oneshot::Receiver<Infallible>,
    /// Set once there are no calls and will be none.
    farewell: Option<Pin<Box<Sleep>>>,
    retire: Retire,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Lets all other ready tasks run first, so that this turn sends the calls that they make.
        // Otherwise tokio polls the driver right after the first call, and each call costs a
        // system call of its own.
        self.deferred = !self.deferred;
        if self.deferred {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.farewell.is_none() && Pin::new(&mut self.calls_end).poll(cx).is_ready() {
            self.probe = None;
            self.farewell = Some(Box::pin(sleep(FAREWELL)));
        }
        let ended = Pin::new(&mut self.driven).poll(cx);
        if let Some(farewell) = &mut self.farewell
            && ended.is_pending()
            && farewell.as_mut().poll(cx).is_ready()
        {
            debug!("a connection to the cache did not end and is dropped");
            return Poll::Ready(());
        }
        // Notices a GOAWAY as soon as it is read, while earlier calls continue.
        let usable = match &mut self.probe {
            Some(probe) => !matches!(probe.poll_ready(cx), Poll::Ready(Err(_))),
            None => true,
        };
        if !usable {
            self.retire.now();
            self.probe = None;
        }
        let drained = self.io.poll_drain(cx);
        match (ended, drained) {
            (Poll::Pending, Poll::Pending | Poll::Ready(Ok(()))) => Poll::Pending,
            // Nothing more can be sent. Dropping the connection ends every call.
            (Poll::Pending, Poll::Ready(Err(error))) => {
                debug!(%error, "the connection to the cache broke");
                Poll::Ready(())
            }
            (Poll::Ready(result), _) => {
                if let Err(error) = result {
                    debug!(%error, "the connection to the cache broke");
                }
                Poll::Ready(())
            }
        }
    }
}

/// Marks the connection as retired, at the latest when its driver ends.
struct Retire {
    retired: Arc<AtomicBool>,
    on_retired: Option<Box<dyn FnOnce() + Send>>,
}

impl Retire {
    fn now(&mut self) {
        self.retired.store(true, Ordering::Release);
        if let Some(on_retired) = self.on_retired.take() {
            on_retired();
        }
    }
}

impl Drop for Retire {
    fn drop(&mut self) {
        self.now();
    }
}
