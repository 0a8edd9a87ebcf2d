//! Gathers the writes of one turn of a connection into one system call.
//!
//! h2 hands each DATA frame of 256 bytes or more to the socket by itself, and every reply
//! is at least three frames. Here a write only appends to a buffer; the connection's task
//! flushes it at the end of each of its turns, so nothing is held back once it goes idle.
//! The buffer is lent by the thread for the turn: an idle connection holds none.
//!
//! All bytes of a connection pass here, so this is also where its frames are followed.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    blocks::Blocks,
    frames::{Frames, GOAWAY, Head, PING},
    streams::{Refused, Streams},
    watch::Passing,
};
use tiny_cache_http2::ConnectionError;

use crate::transport::farewell::{Calls, PING_PAYLOAD};

/// Bytes gathered before a write goes through to the socket: four of HTTP/2's largest
/// default frames. A peer that stops reading pins no more than this above its socket.
const FULL: usize = 64 << 10;

thread_local! {
    /// Emptied buffers, as many as turns were blocked at once.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Spare buffers kept by a thread.
const SPARES: usize = 16;

/// The side that the HTTP/2 connection reads from and writes to.
#[derive(Debug)]
pub(super) struct Gathered<IO>(Rc<RefCell<Inner<IO>>>);

/// The side that the connection's task flushes.
#[derive(Debug)]
pub(super) struct Flusher<IO>(Rc<RefCell<Inner<IO>>>);

#[derive(Debug)]
struct Inner<IO> {
    io: IO,
    buffer: Vec<u8>,
    /// How much of `buffer` the socket has taken.
    written: usize,
    /// How much the socket has taken in all.
    taken: u64,
    received: u64,
    incoming: Blocks,
    outgoing: Frames,
    streams: Streams,
}

/// Wraps a socket into its two sides.
pub(super) fn gather<IO>(io: IO) -> (Gathered<IO>, Flusher<IO>) {
    let inner = Inner {
        io,
        buffer: Vec::new(),
        written: 0,
        taken: 0,
        received: 0,
        incoming: Blocks::default(),
        outgoing: Frames::default(),
        streams: Streams::default(),
    };
    let inner = Rc::new(RefCell::new(inner));
    (Gathered(inner.clone()), Flusher(inner))
}

impl<IO: AsyncWrite + Unpin> Flusher<IO> {
    /// Writes out what was gathered. Pending means that the socket is full and the task
    /// will be woken when it has room.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_drain(cx)
    }
}

impl<IO> Flusher<IO> {
    /// Bytes that the peer has sent so far.
    pub(super) fn received(&self) -> u64 {
        self.0.borrow().received
    }

    /// The calls that have come so far.
    pub(super) fn calls(&self) -> Calls {
        let inner = self.0.borrow();
        let Calls { none_open, last } = inner.streams.calls();
        Calls { none_open: none_open && !inner.incoming.is_holding(), last }
    }

    /// How often the peer has answered [`Self::ping`].
    pub(super) fn pongs(&self) -> u32 {
        self.0.borrow().streams.pongs()
    }

    /// Sends a PING beside the library's own frames, unless one of them is cut just now.
    pub(super) fn ping(&self) {
        let inner = &mut *self.0.borrow_mut();
        if inner.outgoing.is_between() {
            let head = Head { length: PING_PAYLOAD.len(), kind: PING, flags: 0, stream: 0 };
            inner.gather(&head.encode());
            inner.gather(&PING_PAYLOAD);
        }
    }

    /// What passes.
    pub(super) fn passing(&self) -> Passing {
        let inner = self.0.borrow();
        Passing {
            calls: self.calls(),
            in_block: inner.incoming.is_holding(),
            frames: inner.streams.frames(),
            is_full: !inner.buffer.is_empty(),
            is_replying: inner.streams.is_replying(),
            taken: inner.taken,
        }
    }

    /// Why the connection is to end, if the peer floods.
    pub(super) fn flood(&self) -> Option<ConnectionError> {
        self.0.borrow().streams.flood()
    }

    /// Says that the connection ends, unless a frame is cut just now.
    pub(super) fn go_away(&self, error: ConnectionError) {
        let inner = &mut *self.0.borrow_mut();
        if inner.outgoing.is_between() {
            let (last, code) = (inner.streams.calls().last, error.code.0);
            let head = Head { length: 8, kind: GOAWAY, flags: 0, stream: 0 };
            inner.gather(&head.encode());
            inner.gather(&last.to_be_bytes());
            inner.gather(&code.to_be_bytes());
        }
    }

    /// The streams that the library has refused since this was last asked.
    pub(super) fn take_refused(&self) -> Vec<Refused> {
        self.0.borrow_mut().streams.take_refused()
    }
}

impl<IO: AsyncRead + Unpin> Flusher<IO> {
    /// Reads and drops what the peer still sends, until it closes.
    pub(super) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.borrow_mut();
        let mut scratch = [0; 4 << 10];
        loop {
            let mut read = ReadBuf::new(&mut scratch);
            let result = ready!(Pin::new(&mut inner.io).poll_read(cx, &mut read));
            if result.is_err() || read.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> Inner<IO> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.buffer.len() {
            let rest = &self.buffer[self.written..];
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
            self.taken += n as u64;
        }
        if !self.buffer.is_empty() {
            self.written = 0;
            give_back(std::mem::take(&mut self.buffer));
        }
        // TLS has a buffer of its own; for a socket this does nothing.
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Room in the buffer, after a write-through when it is full.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buffer.len() >= FULL {
            ready!(self.poll_drain(cx))?;
        }
        Poll::Ready(Ok(FULL - self.buffer.len()))
    }
}

impl<IO> Inner<IO> {
    fn gather(&mut self, bytes: &[u8]) {
        if self.buffer.capacity() == 0 {
            self.buffer = borrow_spare();
        }
        self.buffer.extend_from_slice(bytes);
        self.outgoing.pass(bytes, |head, code| self.streams.sent(head, code));
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Gathered<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.borrow_mut();
        let before = into.filled().len();
        inner.streams.refill();
        ready!(inner.incoming.poll_read(&mut inner.io, cx, into, &mut inner.streams))?;
        inner.received += (into.filled().len() - before) as u64;
        match inner.streams.flood() {
            // Nothing more of it reaches the library.
            Some(flood) => Poll::Ready(Err(io::Error::other(flood))),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Gathered<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.0.borrow_mut();
        let room = ready!(inner.poll_room(cx))?;
        let taken = room.min(bytes.len());
        inner.gather(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.0.borrow_mut();
        let mut room = ready!(inner.poll_room(cx))?;
        let mut taken = 0;
        for slice in slices {
            let n = room.min(slice.len());
            inner.gather(&slice[..n]);
            taken += n;
            room -= n;
        }
        Poll::Ready(Ok(taken))
    }

    /// Does nothing: the connection's task flushes at the end of its turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        ready!(inner.poll_drain(cx))?;
        Pin::new(&mut inner.io).poll_shutdown(cx)
    }
}

fn borrow_spare() -> Vec<u8> {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(FULL))
}

fn give_back(mut buffer: Vec<u8>) {
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARES {
            spare.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn many_writes_reach_the_peer_as_one() {
        let (near, mut far) = duplex(1 << 20);
        let (mut side, flusher) = gather(near);
        for part in [b"one ".as_slice(), b"two ", b"three"] {
            side.write_all(part).await.unwrap();
            side.flush().await.unwrap();
        }
        let mut seen = [0; 64];
        let mut cx = Context::from_waker(Waker::noop());
        let mut into = ReadBuf::new(&mut seen);
        assert!(Pin::new(&mut far).poll_read(&mut cx, &mut into).is_pending());
        std::future::poll_fn(|cx| flusher.poll_flush(cx)).await.unwrap();
        let n = far.read(&mut seen).await.unwrap();
        assert_eq!(&seen[..n], b"one two three");
    }

    #[tokio::test]
    async fn a_full_buffer_waits_for_the_socket_and_loses_nothing() {
        let (near, mut far) = duplex(1000);
        let (mut side, flusher) = gather(near);
        let sent: Vec<u8> = (0..300_000u32).map(|i| i as u8).collect();
        let expected = sent.clone();
        let writer = async move {
            side.write_all(&sent).await.unwrap();
            std::future::poll_fn(|cx| flusher.poll_flush(cx)).await.unwrap();
        };
        let reader = async move {
            let mut seen = vec![0; expected.len()];
            far.read_exact(&mut seen).await.unwrap();
            assert!(seen == expected);
        };
        tokio::join!(writer, reader);
    }

    #[tokio::test]
    async fn a_shutdown_sends_what_was_gathered_first() {
        let (near, mut far) = duplex(1000);
        let (mut side, _flusher) = gather(near);
        side.write_all(b"last words").await.unwrap();
        side.shutdown().await.unwrap();
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"last words");
    }
}
