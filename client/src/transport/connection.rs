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
use http::Uri;
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep, timeout_at},
};
use tracing::debug;

use super::{
    ConnectError, Endpoint, Failure, Head, ReplyMetadata,
    gather::Gathered,
    greeting::{self, Driven, Greeted},
    race::Steer,
    reply,
    rpc::{Method, Rpc},
};

/// How long a connection without calls may take to end. What is left to send is a farewell: a
/// peer that has stopped to read must not keep it, and whoever closes the client, for ever.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection to a server, over which any number of calls can be under way.
///
/// Dropping it lets the calls finish, then closes.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Bytes>,
    /// Indexed by [`Method`].
    uris: [Uri; Method::ALL.len()],
    max_reply_bytes: usize,
    calls: AtomicUsize,
    /// How often something was read.
    reads: Arc<AtomicU64>,
    /// Set by whoever sees first that no call can be made over it: a failed write, a call, or
    /// the driver.
    retired: Arc<AtomicBool>,
    opened: Instant,
    peer: Option<SocketAddr>,
    /// Its end tells the driver that no call will follow.
    _open: oneshot::Sender<Infallible>,
}

impl Connection {
    /// Connects, and drives the connection in a task of the current runtime.
    ///
    /// The connection is there when the server has sent its first frame: a listener whose
    /// process does not accept is not taken for a server. Where the name has several
    /// addresses, the next one is tried after 250 ms, and the first that answers is taken.
    ///
    /// # Errors
    ///
    /// It did not come about, or not within the endpoint's time for it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn open(endpoint: &Endpoint) -> Result<Self, ConnectError> {
        let made = Self::establish(endpoint, Steer::default(), || {}).await?;
        tokio::spawn(made.driver);
        Ok(made.connection)
    }

    /// Connects. The driver must be polled for as long as it lives; `on_retired` is called
    /// once, as soon as no further call can be made.
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
            retire: Retire { retired: retired.clone(), tell: Some(Box::new(on_retired)) },
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
        let mut uris = Method::ALL.map(|_| Uri::default());
        for method in Method::ALL {
            uris[method as usize] = uri(method)?;
        }
        let connection = Self {
            sender,
            uris,
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

    /// Makes a call and waits for its reply, for as long as that takes. Dropping the future
    /// cancels the call.
    ///
    /// # Errors
    ///
    /// There was no reply, or one with a status other than OK.
    pub async fn call<R: Rpc>(&self, rpc: &R, head: &Head) -> Result<R::Reply, Failure> {
        let frames = rpc.frames().map_err(|too_long| Failure::TooLong(too_long.bytes))?;
        let request = head.request(self.uris[R::METHOD as usize].clone());

        let _under_way = UnderWay::begin(&self.calls);
        // A clone, since h2 makes a handle wait while its last stream is not open yet.
        let (response, mut stream) =
            self.sender.clone().send_request(request, false).map_err(|error| {
                self.retire();
                Failure::unsent(error)
            })?;
        for (bytes, last) in frames.into_iter_with_last() {
            // Fails only where the server has ended the stream; the response tells why.
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

    /// Makes a call that is given up after `deadline`, and the server told so.
    ///
    /// # Errors
    ///
    /// There was no reply in time, or one with a status other than OK.
    pub async fn call_within<R: Rpc>(
        &self,
        rpc: &R,
        head: &Head,
        deadline: Duration,
    ) -> Result<R::Reply, Failure> {
        let call = self.call(rpc, head);
        match Instant::now().checked_add(deadline) {
            None => call.await,
            Some(end) => timeout_at(end, call).await.unwrap_or(Err(Failure::Deadline(deadline))),
        }
    }

    /// Takes the connection out of use as soon as a call has seen its end. The driver, which
    /// is on another thread perhaps, does so a moment later, and the call that looks for
    /// another connection meanwhile must not find this one.
    fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// How many calls are under way.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// How often something was read from the server; the same number later means silence.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// The address that it leads to; none where the caller connects in a way of its own.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// How long ago it came about.
    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Whether no further call can be made: the server is going away, or the connection broke.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }
}

/// What came of connecting.
pub(crate) struct Established {
    pub(crate) connection: Connection,
    pub(crate) driver: Driver,
    /// What the server's name gave.
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
    /// Whether the next turn is the one that was put off.
    deferred: bool,
    io: Gathered,
    /// Asked after each step whether a call could still be made; none once that is of no
    /// interest, since h2 closes a connection only when nobody holds a sender.
    probe: Option<SendRequest<Bytes>>,
    calls_end: oneshot::Receiver<Infallible>,
    /// Set once there are no calls and will be none.
    farewell: Option<Pin<Box<Sleep>>>,
    retire: Retire,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // First everybody else who is ready gets a turn, so that the calls that they make go
        // into this one. Woken by one call, tokio would poll the driver next, and each call
        // would have a system call of its own.
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
        // A GOAWAY is seen here as soon as it is read, while earlier calls go on.
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
            // Nothing more can be sent; dropping the connection ends every call.
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

/// Marks the connection as of no further use, at the latest when its driver is gone.
struct Retire {
    retired: Arc<AtomicBool>,
    tell: Option<Box<dyn FnOnce() + Send>>,
}

impl Retire {
    fn now(&mut self) {
        self.retired.store(true, Ordering::Release);
        if let Some(tell) = self.tell.take() {
            tell();
        }
    }
}

impl Drop for Retire {
    fn drop(&mut self) {
        self.now();
    }
}
