//! A peer that hangs up while the client writes.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    time::sleep,
};

use crate::{
    failing, secs,
    server::{FaultServer, SETTLED},
    succeeding,
};

/// A socket that the peer has closed once it is told so. What has come before is found only
/// after a write has failed: so it is where the peer closes between a read and a write.
struct Socket {
    pipe: DuplexStream,
    closed: Arc<AtomicBool>,
    write_failed: bool,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.closed.load(Ordering::Relaxed) {
            return Pin::new(&mut self.pipe).poll_read(cx, buffer);
        }
        if !self.write_failed {
            return Poll::Pending;
        }
        match Pin::new(&mut self.pipe).poll_read(cx, buffer) {
            // All is read; that is the end.
            Poll::Pending => Poll::Ready(Ok(())),
            read @ Poll::Ready(_) => read,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.closed.load(Ordering::Relaxed) {
            self.write_failed = true;
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// A client whose first connection the peer can be made to close.
fn client(server: &FaultServer) -> (tiny_cache_client::Client, Arc<AtomicBool>) {
    let closed = Arc::new(AtomicBool::new(false));
    let (server, close) = (server.clone(), closed.clone());
    let client = server.builder().retries(0).connector(move || {
        let first = server.dials() == 0;
        let closed = if first { close.clone() } else { Arc::default() };
        let dial = server.clone().dial();
        async move { Ok(Socket { pipe: dial.await?, closed, write_failed: false }) }
    });
    (client.build().unwrap(), closed)
}

/// A server that ends closes its connections when it has answered, and what was sent to it
/// meanwhile makes the system reset them. The client's next write failed then, and with it all
/// calls, while the GOAWAY that said which were not looked at lay unread in the socket.
#[tokio::test(start_paused = true)]
async fn a_goaway_is_read_after_a_write_has_failed() {
    let server = FaultServer::default();
    let (client, closed) = client(&server);
    succeeding(client.get("k")).await;
    closed.store(true, Ordering::Relaxed);
    server.go_away(0, 1);
    sleep(SETTLED).await;
    assert_eq!(succeeding(client.compare_and_set("k", "v", "w")).await, secs(0));
    assert_eq!((server.attempts(), server.dials()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_write_failed_without_a_goaway_may_have_been_applied() {
    let server = FaultServer::default();
    let (client, closed) = client(&server);
    succeeding(client.get("k")).await;
    closed.store(true, Ordering::Relaxed);
    let (error, took) = failing(client.compare_and_set("k", "v", "w")).await;
    assert!(error.may_have_been_applied(), "{error}");
    assert_eq!(took, secs(0));
    succeeding(client.get("k")).await;
}
