//! The server's end of a connection, into which frames of the test's own can be put.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// Frames that wait to be sent.
pub(super) type Injection = Arc<Mutex<Vec<u8>>>;

/// A pipe that sends what was injected whenever it is read from: then h2 has written its own
/// frames to their end.
pub(super) struct Tap {
    pipe: DuplexStream,
    injection: Injection,
}

impl Tap {
    pub(super) fn new(pipe: DuplexStream) -> (Self, Injection) {
        let injection = Injection::default();
        (Self { pipe, injection: injection.clone() }, injection)
    }
}

/// GOAWAY: the streams up to `last` were looked at, the others were not.
pub(super) fn go_away(last: u32, reason: h2::Reason) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend(last.to_be_bytes());
    frame.extend(u32::from(reason).to_be_bytes());
    frame
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let frames = std::mem::take(&mut *self.injection.lock().unwrap());
        if !frames.is_empty() {
            let Poll::Ready(Ok(written)) = Pin::new(&mut self.pipe).poll_write(cx, &frames) else {
                panic!("the pipe has room for a frame");
            };
            assert_eq!(written, frames.len());
        }
        Pin::new(&mut self.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
