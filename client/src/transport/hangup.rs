//! Reads what a peer has said before it hung up. Knows bytes only.
//!
//! A write can fail while the peer's last words lie unread in the socket: replies, the GOAWAY
//! which tells what calls it has not looked at, or the TLS alert which tells what it does not
//! like. h2 gives up with the write; so writes that fail are said to have succeeded, and the
//! end of what there is to read becomes the end of the connection.

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

/// How long there may be something to read after a failed write. A broken socket is read to
/// its end at once; this is for streams that are something else.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A stream that is read to its end after a write has failed.
pub(super) struct ReadToEnd<T> {
    stream: T,
    /// Set with the first failed write: what is written now goes nowhere.
    broken: Arc<AtomicBool>,
    failed: Option<(io::Error, Pin<Box<Sleep>>)>,
}

impl<T> ReadToEnd<T> {
    pub(super) fn new(stream: T, broken: Arc<AtomicBool>) -> Self {
        Self { stream, broken, failed: None }
    }

    /// Makes a success out of a write to a peer that has hung up.
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
                // h2 reads before it writes, and has perhaps looked already.
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

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = parts.iter().map(|part| part.len()).sum();
        if self.failed.is_some() {
            return Poll::Ready(Ok(len));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.forgive(cx, written, len)
    }
}
