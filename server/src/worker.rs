//! What one thread of its own does: it owns its connections for life.

use std::{error::Error, net::TcpStream, rc::Rc};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, field::display};

use crate::{
    acceptor::Handed,
    rpc::Rpc,
    transport::{self, ConnectionError, Fault, Faults, Limits, Peer},
};

/// What a worker needs to serve connections.
pub(crate) struct Worker {
    pub(crate) sockets: UnboundedReceiver<Handed>,
    pub(crate) rpc: Rpc,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    /// No new connections; those that are open finish their requests.
    pub(crate) drain: CancellationToken,
}

impl Worker {
    /// Serves the sockets that come until the acceptor is gone and every connection closed.
    pub(crate) async fn run(mut self) {
        let connections = TaskTracker::new();
        let shared = Rc::new(Shared {
            rpc: self.rpc,
            tls: self.tls,
            limits: self.limits,
            faults: self.faults,
            drain: self.drain,
        });
        // Ends when the acceptor has dropped its side.
        while let Some((socket, place)) = self.sockets.recv().await {
            let shared = shared.clone();
            connections.spawn_local(async move {
                let addr = socket.peer_addr().ok();
                let peer = Peer { addr, faults: shared.faults.clone() };
                if let Err(problem) = shared.connection(socket, &peer).await {
                    let fault = Fault::of(&problem);
                    fault.into_iter().for_each(|fault| peer.faults.count(fault));
                    let cause = problem.source().map(display);
                    let peer = addr.map(display);
                    debug!(peer, %problem, cause, ?fault, "connection ended early");
                }
                drop(place);
            });
        }
        connections.close();
        connections.wait().await;
    }
}

struct Shared {
    rpc: Rpc,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    faults: Faults,
    drain: CancellationToken,
}

impl Shared {
    async fn connection(&self, socket: TcpStream, peer: &Peer) -> Result<(), ConnectionError> {
        let socket = tokio::net::TcpStream::from_std(socket)?;
        let rpc = self.rpc.for_connection(peer.addr);
        let Some(tls) = &self.tls else {
            return transport::serve(socket, rpc, self.limits, peer, &self.drain).await;
        };
        // TLS and HTTP/2 share one timeout.
        let end = Instant::now() + self.limits.handshake_timeout;
        let secured = tokio::select! {
            // Nothing was asked, so nothing is owed.
            () = self.drain.cancelled() => return Ok(()),
            secured = timeout_at(end, tls.accept(socket)) => {
                secured.map_err(|_elapsed| ConnectionError::Handshake)??
            }
        };
        let handshake_timeout = end.saturating_duration_since(Instant::now());
        let limits = Limits { handshake_timeout, ..self.limits };
        transport::serve(secured, rpc, limits, peer, &self.drain).await
    }
}
