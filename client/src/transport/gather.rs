//! Gathers the writes of one turn of a connection into one system call.
//!
//! h2 writes and flushes each DATA frame of 256 bytes or more by itself. Here a write appends to
//! a buffer, which the connection's driver empties at the end of its turn. The server does the
//! same for its replies, without a lock: there a connection stays on its thread. Here it may
//! move, but only one task uses it at a time, so the lock is never contended.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{endpoint::Io, hangup::ReadToEnd};

/// Bytes gathered before a write within the turn: four of HTTP/2's default frames. The server's
/// own `FULL` is meant to be equal.
const FULL: usize = 64 << 10;

/// Bytes read within a turn, give or take a frame: about fifty small replies. Their callers send
/// new calls before the rest is read, so the server has work meanwhile. Reading everything at
/// once makes server and client wait for each other in turn.
const TURN: usize = 8 << 10;

/// The side that h2 reads from and writes to.
#[derive(Clone)]
pub(super) struct Gathered {
    inner: Arc<Mutex<Inner>>,
    /// Reads from the socket so far.
    reads: Arc<AtomicU64>,
}

struct Inner {
    io: ReadToEnd<Box<dyn Io>>,
    buffer: BytesMut,
    /// Bytes read within this turn.
    read: usize,
}

impl Gathered {
    pub(super) fn new(io: ReadToEnd<Box<dyn Io>>) -> Self {
        let inner = Arc::new(Mutex::new(Inner { io, buffer: BytesMut::new(), read: 0 }));
        Self { inner, reads: Arc::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counter of reads.
    pub(super) fn reads(&self) -> Arc<AtomicU64> {
        self.reads.clone()
    }

    /// Ends the turn: writes the buffer. Pending means that the socket is full; the task is woken
    /// when it has room.
    pub(super) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        inner.read = 0;
        inner.poll_drain(cx)
    }
}

impl Inner {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.buffer.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.buffer))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.buffer.advance(written);
        }
        // For TLS, which has a buffer; a no-op for a socket.
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Room in the buffer. Writes the buffer first if it is full.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buffer.len() >= FULL {
            ready!(self.poll_drain(cx))?;
        }
        Poll::Ready(Ok(FULL - self.buffer.len()))
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        if inner.read >= TURN {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        let read = Pin::new(&mut inner.io).poll_read(cx, into);
        if read.is_ready() {
            inner.read += into.filled().len() - before;
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.inner();
        let mut room = ready!(inner.poll_room(cx))?;
        let before = room;
        for slice in slices {
            let taken = room.min(slice.len());
            inner.buffer.extend_from_slice(&slice[..taken]);
            room -= taken;
        }
        Poll::Ready(Ok(before - room))
    }

    /// Does nothing: the driver writes the buffer at the end of its turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        ready!(inner.poll_drain(cx))?;
        Pin::new(&mut inner.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::future::{FutureExt, poll_fn};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn gathered(stream: impl Io + 'static) -> Gathered {
        Gathered::new(ReadToEnd::new(Box::new(stream), Arc::default()))
    }

    #[tokio::test]
    async fn a_turns_writes_leave_together_and_in_order() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut gathered = gathered(ours);
        gathered.write_all(b"one ").await.unwrap();
        gathered.flush().await.unwrap();
        gathered.write_all(b"two").await.unwrap();
        let mut read = [0; 7];
        let early = Box::pin(theirs.read(&mut read)).now_or_never();
        assert!(early.is_none(), "nothing leaves before the end of the turn");
        poll_fn(|cx| gathered.poll_drain(cx)).await.unwrap();
        theirs.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"one two");
    }

    #[tokio::test]
    async fn more_than_the_buffer_holds_goes_through_a_narrow_pipe_intact() {
        let sent: Vec<u8> = (0u32..300_000).flat_map(u32::to_le_bytes).collect();
        let (ours, mut theirs) = tokio::io::duplex(1000);
        let mut gathered = gathered(ours);
        let mut received = Vec::new();
        let send = async {
            gathered.write_all(&sent).await.unwrap();
            gathered.shutdown().await.unwrap();
        };
        let receive = async { theirs.read_to_end(&mut received).await.unwrap() };
        tokio::join!(send, receive);
        assert_eq!(received, sent);
    }
}
