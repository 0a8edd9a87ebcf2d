//! One HTTP/2 connection that hyper serves: the fallback, for `CACHE_TRANSPORT=hyper`.
//!
//! hyper speaks the protocol; this loop adds what it does not: a deadline for the
//! handshake, a drain that waits for a good moment, and one write for all that a turn
//! produced.

mod in_place; // runs a handler within the poll of its connection
mod gather; // one write for all that a turn produced, and what passes by
mod blocks; // reads the header blocks that come
mod authority; // lets every form of `:authority` pass
mod huffman; // codes a text as HPACK does
mod watch; // deadlines that the library does not have
mod streams; // which streams are open, and which were refused
pub(super) mod frames; // HTTP/2's frame header

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http2, service::Service};
use hyper_util::rt::{TokioIo, TokioTimer};
use tiny_cache_http2 as http2_engine;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Sleep, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tracing::{debug, field::display};

use self::{
    blocks::PREFACE_BYTES,
    gather::{Flusher, gather},
    in_place::InPlace,
    streams::code_name,
    watch::{Verdict, Watch},
};
use super::{
    error::ConnectionError,
    farewell::{Farewell, Step},
    fault::Fault,
    limits::{
        LINGER, Limits, PING_INTERVAL, PING_TIMEOUT, Peer, STREAM_WINDOW_BYTES, connection_window,
    },
};

/// Bytes of a reply that h2 takes before it waits for the peer to read.
const SEND_BUFFER_BYTES: usize = 256 << 10;

/// Metadata beyond which the library refuses a request, with HTTP's status 431. It ends the
/// connection when the fields come in more than seven of its largest frames.
const LARGEST_HEADER_LIST_BYTES: u32 = 64 << 10;

/// Serves one connection until the peer closes it, or until `drain` is cancelled and the
/// requests in flight are answered.
///
/// Must run on a [`tokio::runtime::LocalRuntime`], where waiting requests become tasks.
///
/// # Errors
/// [`ConnectionError`] when it ends before both sides have agreed to.
pub(crate) async fn serve<IO, S, B>(
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
        watch: Watch::new(limits, peer),
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
    watch: Watch,
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
        if let Some(flood) = self.flusher.flood() {
            return Poll::Ready(Err(self.end(cx, flood)));
        }
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
            } else if matches!(self.drain, Drain::Said) {
                // Nothing was asked until the drain's end, so nothing is owed.
                return Poll::Ready(Ok(()));
            } else if deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(ConnectionError::Handshake));
            }
        }
        self.look(cx)
    }

    /// Holds the connection to its deadlines.
    fn look(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        match self.watch.look(cx, self.flusher.passing()) {
            Verdict::Retire if matches!(self.drain, Drain::None) => {
                self.drain = Drain::Waits(Farewell::within(self.quiet_timeout));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Verdict::Nothing | Verdict::Retire => Poll::Pending,
            Verdict::Cut => Poll::Ready(Ok(())),
            Verdict::Stalled(stalled) => Poll::Ready(Err(self.end(cx, stalled))),
        }
    }

    /// Tells the peer why it ends, as far as the socket takes it.
    fn end(
        &mut self,
        cx: &mut Context<'_>,
        error: http2_engine::ConnectionError,
    ) -> ConnectionError {
        self.flusher.go_away(error);
        let _ = self.flusher.poll_flush(cx);
        error.into()
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
