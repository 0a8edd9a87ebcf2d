//! One HTTP/2 connection, from its first byte to its last.
//!
//! hyper speaks the protocol; this loop adds what it does not: a deadline for the
//! handshake, a drain that waits for a good moment, and one write for all that a turn
//! produced.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http2, service::Service};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Sleep, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tracing::{debug, field::display};

use super::{
    blocks::PREFACE_BYTES,
    farewell::{Farewell, Step},
    fault::{Fault, Faults},
    gather::{Flusher, gather},
    in_place::InPlace,
    streams::code_name,
};

/// What a peer may send on one stream before we have read it.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 64 << 10;

/// HTTP/2's largest window.
const LARGEST_WINDOW_BYTES: u32 = (1 << 31) - 1;

/// Bytes of a reply that h2 takes before it waits for the peer to read.
const SEND_BUFFER_BYTES: usize = 256 << 10;

/// Metadata that a request may carry, in bytes as HPACK counts them. The services refuse more,
/// with a status that gRPC's clients can read.
pub(crate) const HEADER_LIST_BYTES: usize = 16 << 10;

/// Metadata beyond which the library refuses a request, with HTTP's status 431. It ends the
/// connection when the fields come in more than seven of its largest frames.
const LARGEST_HEADER_LIST_BYTES: u32 = 64 << 10;

/// After this long without a word from the peer it is pinged, and after
/// [`PING_TIMEOUT`] without an answer it is gone.
const PING_INTERVAL: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a drained connection stays half open for the peer to close it. Closed while
/// something of the peer's lies unread, it would be reset, and a peer that is just writing
/// gives up on replies that it has not read yet.
const LINGER: Duration = Duration::from_secs(1);

/// How long a drain waits for a moment without an open call before it says GOAWAY.
pub(crate) const QUIET_TIMEOUT: Duration = Duration::from_millis(100);

/// Whom a connection is with, and where what goes wrong with it is counted.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The other end, where the socket knows it.
    pub addr: Option<SocketAddr>,
    /// The counts of this worker's server.
    pub faults: Faults,
}

/// What may be set about a connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests at a time.
    pub max_concurrent_streams: u32,
    /// From accept until the preface has come.
    pub handshake_timeout: Duration,
    /// From the beginning of a drain until GOAWAY, while requests are in flight.
    pub quiet_timeout: Duration,
}

/// Why a connection ended otherwise than by agreement.
#[derive(Debug, Error)]
pub enum ConnectionError {
    /// The preface did not come in time.
    #[error("no HTTP/2 preface within the handshake timeout")]
    Handshake,
    /// The peer broke the protocol, or the socket failed.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The socket failed while a turn's writes were flushed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves one connection until the peer closes it, or until `drain` is cancelled and the
/// requests in flight are answered.
///
/// Must run on a [`tokio::runtime::LocalRuntime`], where waiting requests become tasks.
///
/// # Errors
/// [`ConnectionError`] when it ends before both sides have agreed to.
pub async fn serve<IO, S, B>(
    io: IO,
    service: S,
    limits: Limits,
    peer: &Peer,
    drain: &CancellationToken,
) -> Result<(), ConnectionError>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + 'static,
    S::Future: 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (io, flusher) = gather(io);
    let connection = http2::Builder::new(InPlace)
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(connection_window(limits.max_concurrent_streams))
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_pending_accept_reset_streams(cancelled_at_once(limits.max_concurrent_streams))
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(LARGEST_HEADER_LIST_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(io), service);

    let mut turns = Turns {
        connection: pin!(connection),
        flusher,
        draining: pin!(drain.cancelled()),
        drain: Drain::None,
        quiet_timeout: limits.quiet_timeout,
        handshake: Some(pin!(sleep(limits.handshake_timeout))),
        peer,
    };
    poll_fn(|cx| turns.poll(cx)).await?;
    if !matches!(turns.drain, Drain::None) && turns.handshake.is_none() {
        let closed = poll_fn(|cx| turns.flusher.poll_discard(cx));
        // Either way the connection is over.
        let _ = timeout(LINGER, closed).await;
    }
    Ok(())
}

/// What a peer may send on all streams together before we have read it: a window for each
/// stream, and one more. With less, streams that wait for their turn to be read could hold
/// all of it, and the stream whose turn it is could not send its rest.
fn connection_window(streams: u32) -> u32 {
    STREAM_WINDOW_BYTES.saturating_mul(streams.saturating_add(1)).min(LARGEST_WINDOW_BYTES)
}

/// Requests that may be cancelled between two turns of the connection before it is taken for
/// an attack (CVE-2023-44487): as many as can be open, and as many that took their places. A
/// caller that drops a fan-out of calls cancels them together, and the connection's other
/// calls must not suffer for that.
fn cancelled_at_once(streams: u32) -> usize {
    usize::try_from(streams).map_or(usize::MAX, |streams| streams.saturating_mul(2))
}

/// A connection between two turns.
struct Turns<'a, 'b, IO, C> {
    connection: Pin<&'a mut C>,
    flusher: Flusher<IO>,
    draining: Pin<&'a mut WaitForCancellationFuture<'b>>,
    drain: Drain,
    quiet_timeout: Duration,
    /// Until the preface has come.
    handshake: Option<Pin<&'a mut Sleep>>,
    peer: &'a Peer,
}

/// How far the drain of a connection is.
enum Drain {
    None,
    /// Requests are served as before, until it is time.
    Waits(Farewell),
    /// GOAWAY was said: first that there is an end, and after a round trip which request was
    /// the last, so that those under way are served too.
    Said,
}

/// What the loop needs of hyper's connection, whose full type has four parameters.
trait Http2: Future<Output = hyper::Result<()>> {
    fn graceful_shutdown(self: Pin<&mut Self>);
}

impl<I, S, B> Http2 for http2::Connection<I, S, InPlace>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        http2::Connection::graceful_shutdown(self);
    }
}

impl<IO, C> Turns<'_, '_, IO, C>
where
    IO: AsyncWrite + Unpin,
    C: Http2,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let mut turn = self.connection.as_mut().poll(cx);
        if turn.is_pending() && self.is_time_to_go(cx) {
            self.connection.as_mut().graceful_shutdown();
            turn = self.connection.as_mut().poll(cx);
        }
        let flushed = self.flusher.poll_flush(cx);
        self.report_refused();
        if let Poll::Ready(end) = turn {
            // hyper has shut the socket down, and flushed before, unless it failed.
            return Poll::Ready(end.map_err(ConnectionError::from));
        }
        if let Poll::Ready(Err(error)) = flushed {
            return Poll::Ready(Err(error.into()));
        }

        if let Some(deadline) = &mut self.handshake {
            if self.flusher.received() >= PREFACE_BYTES as u64 {
                self.handshake = None;
            } else if !matches!(self.drain, Drain::None) {
                // Nothing was asked, so nothing is owed.
                return Poll::Ready(Ok(()));
            } else if deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(ConnectionError::Handshake));
            }
        }
        Poll::Pending
    }

    /// Whether GOAWAY is due and not said; says so once.
    fn is_time_to_go(&mut self, cx: &mut Context<'_>) -> bool {
        if matches!(self.drain, Drain::None) && self.draining.as_mut().poll(cx).is_ready() {
            self.drain = Drain::Waits(Farewell::within(self.quiet_timeout));
        }
        let Drain::Waits(farewell) = &mut self.drain else { return false };
        match farewell.step(cx, self.flusher.calls(), self.flusher.pongs()) {
            Step::Wait => return false,
            Step::Ping => {
                self.flusher.ping();
                return false;
            }
            Step::Go => {}
        }
        self.drain = Drain::Said;
        true
    }

    fn report_refused(&self) {
        for refused in self.flusher.take_refused() {
            self.peer.faults.count(Fault::StreamRefused);
            let code = code_name(refused.code);
            let peer = self.peer.addr.map(display);
            debug!(peer, stream = refused.stream, code, "HTTP/2 refused a request");
        }
    }
}

#[cfg(test)]
mod tests;
