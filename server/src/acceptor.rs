//! Takes connections off the gRPC listener and hands them to the workers.

use std::{
    io,
    net::{TcpListener, TcpStream},
    os::fd::AsRawFd,
};

use tokio::{sync::mpsc::UnboundedSender, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    handout::{ConnectionPermit, Handout},
    listener::{BACK_OFF, BACKLOG, next},
    threads::Ready,
};

/// A connection on its way to a worker.
pub(crate) type Accepted = (TcpStream, ConnectionPermit);

/// Hands connections to the workers.
pub(crate) struct Acceptor {
    pub(crate) handout: Handout,
    pub(crate) workers: Vec<UnboundedSender<Accepted>>,
    pub(crate) drain: CancellationToken,
    /// The first number of a descriptor that is left to others.
    pub(crate) reserved_from: u64,
}

impl Acceptor {
    /// Accepts until the drain begins, then empties the listener's queue and closes it.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub(crate) async fn run(self, listener: TcpListener, ready: Ready) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        ready.report();
        let mut is_short = false;
        loop {
            let socket = tokio::select! {
                biased;
                () = self.drain.cancelled() => break,
                socket = next(&listener, "gRPC") => socket?,
            };
            let was_short = std::mem::replace(&mut is_short, self.is_reserved(&socket));
            if !is_short {
                self.hand_over(socket.into_std());
                continue;
            }
            drop(socket);
            self.handout.refuse();
            if !was_short {
                warn!(
                    left_to_others_from = self.reserved_from,
                    "the file descriptors run short; gRPC connections wait or are closed"
                );
            }
            // The kernel keeps those that wait meanwhile.
            tokio::select! {
                () = self.drain.cancelled() => break,
                () = sleep(BACK_OFF) => {}
            }
        }
        self.empty(&listener.into_std()?);
        Ok(())
    }

    /// Whether a socket has one of the last descriptors, which probes and the log may need.
    fn is_reserved(&self, socket: &tokio::net::TcpStream) -> bool {
        u64::try_from(socket.as_raw_fd()).is_ok_and(|number| number >= self.reserved_from)
    }

    /// Hands over the connections that the kernel has completed: a listener that closes resets
    /// them. The bound is the queue's length, so peers that keep coming do not hold the drain.
    fn empty(&self, listener: &TcpListener) {
        for _ in 0..BACKLOG {
            match listener.accept() {
                Ok((socket, _peer)) => {
                    self.hand_over(socket.set_nonblocking(true).map(|()| socket));
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_empty) => return,
            }
        }
    }

    fn hand_over(&self, socket: io::Result<TcpStream>) {
        let Some(permit) = self.handout.take() else {
            debug!("connection limit reached; a connection was closed");
            return;
        };
        // Replies go out as they are ready, not when the last one is acknowledged.
        match socket.and_then(|socket| socket.set_nodelay(true).map(|()| socket)) {
            // A worker that is gone takes no socket, which closes it. The drain has begun then.
            Ok(socket) => drop(self.workers[permit.worker].send((socket, permit))),
            Err(problem) => debug!(%problem, "a connection was gone as soon as it came"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lifecycle::{Lifecycle, Part},
        listener,
    };
    use tokio::sync::mpsc::unbounded_channel;

    /// Connections that were complete and not yet accepted were reset: 4 of 20 at a SIGTERM.
    #[tokio::test]
    async fn connections_that_wait_when_the_drain_begins_are_handed_over() {
        const WAITING: usize = 20;
        let listener = listener::grpc("127.0.0.1", 0).unwrap();
        let addr = listener.local_addr().unwrap();
        let peers: Vec<_> = (0..WAITING).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let (sender, mut sockets) = unbounded_channel();
        let lifecycle = Lifecycle::new([Part::Acceptor]);
        lifecycle.drain();
        let acceptor = Acceptor {
            handout: Handout::new(1, 100),
            workers: vec![sender],
            drain: lifecycle.draining(),
            reserved_from: u64::MAX,
        };
        acceptor.run(listener, Ready::of(lifecycle, Part::Acceptor)).await.unwrap();
        let mut handed = Vec::new();
        while let Some((socket, _place)) = sockets.recv().await {
            handed.push(socket.peer_addr().unwrap());
            tokio::net::TcpStream::from_std(socket).expect("it does not block");
        }
        let waiting: Vec<_> = peers.iter().map(|peer| peer.local_addr().unwrap()).collect();
        assert_eq!(handed, waiting);
        TcpStream::connect(addr).expect_err("the listener is closed");
    }
}
