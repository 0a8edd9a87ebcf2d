//! Starts the workers. Each owns its connections for life, on a thread of its own.

use std::{
    error::Error, future::poll_fn, io, net::TcpStream, pin::pin, rc::Rc, sync::Arc, task::Poll,
    time::Duration,
};

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
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, field::display};

use crate::{
    acceptor::Accepted,
    access::{Access, Gate},
    command::Bounds,
    health::{Health, HealthServer},
    lifecycle::{Part, Phase},
    reflection::Reflection,
    rpc::{ConnectionRpc, IntakeLimits, Meter, Overload, Rpc, Services, WorkerContext},
    service::CacheRpcs,
    settings::Transport,
    store::{Store, StoreHandle},
    telemetry::Traces,
    threads::{Ready, Threads},
    tier::Tier,
    transport::{
        self, Answers, ConnectionError, Engine, Fault, Faults, Limits, Peer, Retirements, Turns,
        tls::{Admission, Port},
    },
};

/// What all workers are made from.
#[derive(Clone)]
pub(crate) struct WorkerConfig {
    pub(crate) bounds: Bounds,
    pub(crate) intake: IntakeLimits,
    pub(crate) transport: Transport,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Port>,
    /// How long calls are answered that are open when their connection ends by its age or its
    /// idleness.
    pub(crate) grace: Duration,
    /// `None`: every call is let in.
    pub(crate) access: Option<Arc<Access>>,
    pub(crate) traces: Traces,
    pub(crate) reflection: Reflection,
    pub(crate) faults: Faults,
    pub(crate) retirements: Retirements,
    pub(crate) overload: Overload,
    pub(crate) phases: watch::Receiver<Phase>,
    /// Takes no new connections; the open ones finish their requests.
    pub(crate) drain: CancellationToken,
}

/// What the other parts hold of the running workers: of each vector, one element for each.
#[derive(Default)]
pub(crate) struct Workers {
    pub(crate) senders: Vec<UnboundedSender<Accepted>>,
    pub(crate) meters: Vec<Meter>,
    pub(crate) runtimes: Vec<RuntimeMetrics>,
}

impl WorkerConfig {
    /// Starts the workers on threads of their own.
    pub(crate) fn start(
        &self,
        count: usize,
        (store, tier): (&Arc<Store>, Option<&Tier>),
        threads: &mut Threads,
    ) -> io::Result<Workers> {
        let mut workers = Workers::default();
        for index in 0..count {
            let (sender, sockets) = unbounded_channel();
            let meter = Meter::default();
            let entries = (StoreHandle::new(store.clone(), index), tier.cloned());
            let worker = self.worker(entries, meter.clone(), sockets);
            workers.runtimes.push(threads.spawn(Part::Worker(index), |ready| worker.run(ready))?);
            workers.senders.push(sender);
            workers.meters.push(meter);
        }
        Ok(workers)
    }

    fn worker(
        &self,
        (store, tier): (StoreHandle, Option<Tier>),
        meter: Meter,
        sockets: UnboundedReceiver<Accepted>,
    ) -> Worker {
        let services = Services {
            cache: Arc::new(CacheRpcs::new((store, tier), self.bounds, self.drain.clone())),
            health: HealthServer::new(Health::new(self.phases.clone())),
            reflection: self.reflection.clone().service(),
            phases: self.phases.clone(),
        };
        let context = WorkerContext {
            intake: self.intake.clone(),
            meter,
            traces: self.traces.clone(),
            overload: self.overload.clone(),
        };
        Worker { sockets, services, context, config: self.clone() }
    }
}

struct Worker {
    sockets: UnboundedReceiver<Accepted>,
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
        let WorkerConfig { faults, retirements, .. } = &self.config;
        let peer = Peer { addr, faults: faults.clone(), retirements: retirements.clone() };
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
            None => self.http2(socket, opened, (peer, self.gate(None)), &self.config.drain).await,
            // In memory of its own, which a plain connection does not take.
            Some(tls) => Box::pin(self.over_tls(tls, socket, opened, peer)).await,
        }
    }

    async fn over_tls(
        &self,
        tls: &Port,
        socket: tokio::net::TcpStream,
        opened: Instant,
        peer: &Peer,
    ) -> Result<(), ConnectionError> {
        let WorkerConfig { limits, drain, .. } = &self.config;
        let given_up = async {
            drain.cancelled().await;
            sleep(limits.quiet_timeout).await;
        };
        let (secured, admission) = tokio::select! {
            // Nothing was asked, so nothing is owed.
            () = given_up => return Ok(()),
            secured = timeout_at(
                opened + limits.handshake_timeout,
                tls.accept(socket, drain),
            ) => {
                secured.map_err(|_elapsed| ConnectionError::Handshake)??
            }
        };
        // Once for the connection: rustls lets a peer show its certificates only now.
        let shown = secured.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let gate = self.gate(shown.map(|certificate| &**certificate));
        let Some(admission) = admission else {
            return self.http2(secured, opened, (peer, gate), drain).await;
        };
        let served = self.http2(secured, opened, (peer, gate), admission.drain());
        while_admitted(served, &admission, self.config.grace).await
    }

    /// What lets the calls of a connection in whose peer showed this certificate.
    fn gate(&self, certificate: Option<&[u8]>) -> Gate {
        let access = self.config.access.as_ref();
        access.map_or_else(Gate::default, |access| Gate::new(access.clone(), certificate))
    }

    /// Speaks HTTP/2 until the peer closes, or `drain` is cancelled and what was asked is
    /// answered. TLS and it share one timeout, which began at `opened`.
    async fn http2<IO>(
        &self,
        io: IO,
        opened: Instant,
        (peer, gate): (&Peer, Gate),
        drain: &CancellationToken,
    ) -> Result<(), ConnectionError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let WorkerConfig { transport, limits, .. } = &self.config;
        let rpc = self.rpc.for_connection(peer.addr, gate);
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

/// Serves a connection whose client has shown a certificate. Once that is refused the connection
/// drains, and is cut off after `grace`: a call that never ends does not keep it.
async fn while_admitted(
    served: impl Future<Output = Result<(), ConnectionError>>,
    admission: &Admission,
    grace: Duration,
) -> Result<(), ConnectionError> {
    let (mut served, mut cut_off) = (pin!(served), None);
    let mut refusal = Some(pin!(admission.drain().cancelled()));
    poll_fn(|cx| {
        // Once, so that a refusal wakes this task, whichever way its connection is ending already.
        if let Some(refusal) = refusal.take() {
            let _already = refusal.poll(cx);
        }
        if let Poll::Ready(ended) = served.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        if !admission.is_refused() {
            return Poll::Pending;
        }
        let cut_off = cut_off.get_or_insert_with(|| Box::pin(sleep(grace)));
        cut_off.as_mut().poll(cx).map(Ok)
    })
    .await
}
