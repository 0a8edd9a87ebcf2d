//! Starts the workers. Each owns its connections for life, on a thread of its own.

use std::{error::Error, io, net::TcpStream, rc::Rc, sync::Arc};

use tiny_cache_http2::{Head, Lane};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::RuntimeMetrics,
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        watch,
    },
    time::{Instant, sleep, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, field::display};

use crate::{
    acceptor::Handed,
    command::Bounds,
    health::{Health, HealthServer},
    lifecycle::{Part, Phase},
    reflection::Reflection,
    rpc::{ConnectionRpc, IntakeLimits, Meter, Rpc, Services, WorkerContext},
    service::CacheRpcs,
    settings::Transport,
    store::{Store, StoreHandle},
    telemetry::Traces,
    threads::{Ready, Threads},
    transport::{self, Answers, ConnectionError, Engine, Fault, Faults, Limits, Peer, Turns},
};

/// What all workers are made from.
#[derive(Clone)]
pub(crate) struct WorkerConfig {
    pub(crate) bounds: Bounds,
    pub(crate) intake: IntakeLimits,
    pub(crate) transport: Transport,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) traces: Traces,
    pub(crate) reflection: Reflection,
    pub(crate) faults: Faults,
    pub(crate) phases: watch::Receiver<Phase>,
    /// Takes no new connections; the open ones finish their requests.
    pub(crate) drain: CancellationToken,
}

/// What the other parts hold of the running workers: of each vector, one element for each.
#[derive(Default)]
pub(crate) struct Workers {
    pub(crate) senders: Vec<UnboundedSender<Handed>>,
    pub(crate) meters: Vec<Meter>,
    pub(crate) runtimes: Vec<RuntimeMetrics>,
}

impl WorkerConfig {
    /// Starts the workers on threads of their own.
    pub(crate) fn start(
        &self,
        count: usize,
        store: &Arc<Store>,
        threads: &mut Threads,
    ) -> io::Result<Workers> {
        let mut workers = Workers::default();
        for index in 0..count {
            let (sender, sockets) = unbounded_channel();
            let meter = Meter::default();
            let worker =
                self.worker(StoreHandle::new(store.clone(), index), meter.clone(), sockets);
            workers.runtimes.push(threads.spawn(Part::Worker(index), |ready| worker.run(ready))?);
            workers.senders.push(sender);
            workers.meters.push(meter);
        }
        Ok(workers)
    }

    fn worker(
        &self,
        store: StoreHandle,
        meter: Meter,
        sockets: UnboundedReceiver<Handed>,
    ) -> Worker {
        let services = Services {
            cache: Arc::new(CacheRpcs::new(store, self.bounds)),
            health: HealthServer::new(Health::new(self.phases.clone())),
            reflection: self.reflection.clone().service(),
            phases: self.phases.clone(),
        };
        let context =
            WorkerContext { intake: self.intake.clone(), meter, traces: self.traces.clone() };
        Worker { sockets, services, context, config: self.clone() }
    }
}

struct Worker {
    sockets: UnboundedReceiver<Handed>,
    services: Services,
    context: WorkerContext,
    config: WorkerConfig,
}

impl Worker {
    /// Serves the sockets that come until the drain has begun, the acceptor has ended and every
    /// connection has closed.
    async fn run(mut self, ready: Ready) -> io::Result<()> {
        let connections = TaskTracker::new();
        let rpc = Rc::new(Rpc::new(self.services, self.context));
        let lane = match self.config.transport {
            Transport::LongWay => |_: &Head| Lane::Stream,
            Transport::Engine | Transport::Hyper => ConnectionRpc::lane,
        };
        let engine = Engine::new::<ConnectionRpc>(lane, self.config.limits);
        let shared = Rc::new(Shared { rpc, engine, config: self.config });
        ready.report();
        // Ends when the acceptor has dropped its side.
        while let Some((socket, permit)) = self.sockets.recv().await {
            let shared = shared.clone();
            connections.spawn_local(async move {
                shared.serve(socket).await;
                drop(permit);
            });
        }
        // An acceptor that was lost ends no worker: the drain that follows does.
        shared.config.drain.cancelled().await;
        connections.close();
        connections.wait().await;
        Ok(())
    }
}

/// What the connections of a worker share.
struct Shared {
    rpc: Rc<Rpc>,
    engine: Engine,
    config: WorkerConfig,
}

impl Shared {
    async fn serve(&self, socket: TcpStream) {
        let addr = socket.peer_addr().ok();
        let peer = Peer { addr, faults: self.config.faults.clone() };
        if let Err(problem) = self.connection(socket, &peer).await {
            let fault = Fault::of(&problem);
            if let Some(fault) = fault {
                peer.faults.count(fault);
            }
            let cause = problem.source().map(display);
            let peer = addr.map(display);
            debug!(peer, %problem, cause, ?fault, "connection ended early");
        }
    }

    async fn connection(&self, socket: TcpStream, peer: &Peer) -> Result<(), ConnectionError> {
        let opened = Instant::now();
        let socket = tokio::net::TcpStream::from_std(socket)?;
        match &self.config.tls {
            None => self.http2(socket, opened, peer).await,
            // In memory of its own, which a plain connection does not take.
            Some(tls) => Box::pin(self.over_tls(tls, socket, opened, peer)).await,
        }
    }

    async fn over_tls(
        &self,
        tls: &TlsAcceptor,
        socket: tokio::net::TcpStream,
        opened: Instant,
        peer: &Peer,
    ) -> Result<(), ConnectionError> {
        let WorkerConfig { limits, drain, .. } = &self.config;
        let given_up = async {
            drain.cancelled().await;
            sleep(limits.quiet_timeout).await;
        };
        let secured = tokio::select! {
            // Nothing was asked, so nothing is owed.
            () = given_up => return Ok(()),
            secured = timeout_at(opened + limits.handshake_timeout, tls.accept(socket)) => {
                secured.map_err(|_elapsed| ConnectionError::Handshake)??
            }
        };
        self.http2(secured, opened, peer).await
    }

    /// Speaks HTTP/2. TLS and it share one timeout, which began at `opened`.
    async fn http2<IO>(&self, io: IO, opened: Instant, peer: &Peer) -> Result<(), ConnectionError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let WorkerConfig { transport, limits, drain, .. } = &self.config;
        let rpc = self.rpc.for_connection(peer.addr);
        match transport {
            Transport::Engine | Transport::LongWay => {
                let opened = opened.into_std();
                Turns::new(&self.engine, io, rpc, opened, peer).run(drain).await
            }
            Transport::Hyper => {
                let end = opened + limits.handshake_timeout;
                let handshake_timeout = end.saturating_duration_since(Instant::now());
                let limits = Limits { handshake_timeout, ..*limits };
                // In memory of its own: hyper's connection is larger than all that ours takes.
                Box::pin(transport::serve(io, rpc, limits, peer, drain)).await
            }
        }
    }
}
