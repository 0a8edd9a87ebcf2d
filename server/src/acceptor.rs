//! Takes connections off the listener and hands them to the workers.

use std::{
    io,
    net::{TcpListener, TcpStream},
    time::Duration,
};

use tokio::{sync::mpsc::UnboundedSender, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::handout::{Handout, Place};

/// How long to leave the listener alone when the process is out of descriptors or memory:
/// trying at once would spin, and the kernel keeps the connections meanwhile.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A connection on its way to a worker.
pub(crate) type Handed = (TcpStream, Place);

/// Accepts until `stop` is cancelled; the listener closes with it.
pub(crate) async fn accept(
    listener: TcpListener,
    handout: Handout,
    workers: Vec<UnboundedSender<Handed>>,
    stop: CancellationToken,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let socket = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            socket = next(&listener, "gRPC") => socket,
        };
        let Some(place) = handout.take() else {
            debug!("connection limit reached; a connection was closed");
            continue;
        };
        match release(socket) {
            // A worker is gone only when the whole server is going; the socket closes then.
            Ok(socket) => drop(workers[place.worker()].send((socket, place))),
            Err(problem) => debug!(%problem, "a connection was gone as soon as it came"),
        }
    }
}

/// Waits for one connection on `port`, however often the listener fails meanwhile.
pub(crate) async fn next(listener: &tokio::net::TcpListener, port: &str) -> tokio::net::TcpStream {
    loop {
        match listener.accept().await {
            Ok((socket, _peer)) => return socket,
            // The peer gave up while it waited in the backlog.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                warn!(%error, port, pause = ?BACK_OFF, "cannot accept connections");
                sleep(BACK_OFF).await;
            }
        }
    }
}

/// Lets go of a socket: it belongs to a worker's reactor.
fn release(socket: tokio::net::TcpStream) -> io::Result<TcpStream> {
    // Replies go out as they are ready, not when the last one is acknowledged.
    socket.set_nodelay(true)?;
    socket.into_std()
}
