//! Reads a peer's last bytes after it has hung up. Knows bytes only.
//!
//! A write can fail while the peer's last words are unread in the socket: replies, a GOAWAY that
//! names the calls it did not process, or a TLS alert with its reason. h2 ends the connection
//! with the failed write. So a failed write reports success here, and the connection ends where
//! its input ends.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// Time to read on after a failed write. A broken socket ends at once; this bounds other streams.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A stream that is read to its end after a write has failed.
pub(super) struct ReadToEnd<T> {
    stream: T,
    /// Set by the first failed write; later writes are discarded.
    broken: Arc<AtomicBool>,
    failed: Option<(io::Error, Pin<Box<Sleep>>)>,
}

impl<T> ReadToEnd<T> {
    pub(super) fn new(stream: T, broken: Arc<AtomicBool>) -> Self {
        Self { stream, broken, failed: None }
    }

    /// Turns the error of a write to a peer that has hung up into success.
    fn forgive<R>(
        &mut self,
        cx: &Context<'_>,
        result: Poll<io::Result<R>>,
        success: R,
    ) -> Poll<io::Result<R>> {
        match result {
            Poll::Ready(Err(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                self.broken.store(true, Ordering::Release);
                self.failed.get_or_insert_with(|| (error, Box::pin(sleep(LAST_WORDS))));
                // h2 may have read already in this turn: make it read again.
                cx.waker().wake_by_ref();
                Poll::Ready(Ok(success))
            }
            result => result,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ReadToEnd<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_pending()
            && let Some((error, time)) = &mut self.failed
            && time.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::Error::new(error.kind(), error.to_string())));
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ReadToEnd<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.failed.is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.forgive(cx, written, bytes.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed.is_some() {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.forgive(cx, flushed, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
