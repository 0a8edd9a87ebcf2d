//! The composition root: builds the parts in the order in which they need one another,
//! binds before it serves, and ends them in the opposite order.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use thiserror::Error;
use tiny_cache_proto::cache::cache_service_server::CacheServiceServer;
use tokio::{
    runtime::{Builder, LocalOptions, LocalRuntime, RuntimeMetrics},
    sync::{mpsc::unbounded_channel, watch},
};
use tokio_util::sync::CancellationToken;
use tracing::{field, info, warn};

use crate::{
    acceptor::accept,
    cgroup,
    command::Bounds,
    handout::Handout,
    health::{self, Health, HealthServer},
    http::{Http, LogLevel},
    lifecycle::Phase,
    listener::{self, BindError},
    monitor::{Monitor, Sources},
    reflection::Reflection,
    rpc::{IntakeBudget, IntakeLimits, Load, Meter, Rpc, Services},
    service::CacheRpcs,
    settings::Settings,
    store::{Lane, Store, Upkeep},
    telemetry::{Telemetry, Traces},
    transport::{Faults, Limits, QUIET_TIMEOUT, TlsError, tls},
    worker::Worker,
};

/// How long the threads have to end after they were stopped. Together with the grace this
/// stays below the promise of half a second more.
const STOP_TIMEOUT: Duration = Duration::from_millis(250);

/// How long a drain takes when there is nothing to drain, with room to spare.
const LEAST_WAIT: Duration = Duration::from_millis(100);

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The TLS files cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The operating system refused a thread, a reactor or a look at a socket.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered and every connection closed in time.
    Complete,
    /// The grace was over before some peers had finished.
    CutOff,
}

/// A running server with threads of its own. Dropping it stops it at once.
#[derive(Debug)]
pub struct Server {
    grpc_addr: SocketAddr,
    http_addr: SocketAddr,
    phase: watch::Sender<Phase>,
    accepting: CancellationToken,
    drain: CancellationToken,
    stop: CancellationToken,
    traces: Traces,
    /// Disconnected as soon as the last worker has ended.
    workers_ended: mpsc::Receiver<()>,
    threads: Vec<JoinHandle<()>>,
    grace: Duration,
}

impl Server {
    /// Binds both ports and serves at once.
    ///
    /// # Errors
    /// [`StartError`] when an address, a certificate or a thread cannot be had; nothing is
    /// left running then.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        Self::start_with(settings, Telemetry::default())
    }

    /// [`Self::start`] with the process's log, whose level peers may then change over HTTP,
    /// and with traces, which [`Self::shutdown`] ends.
    ///
    /// # Errors
    /// Those of [`Self::start`].
    pub fn start_with(settings: Settings, telemetry: Telemetry) -> Result<Self, StartError> {
        let Telemetry { log, traces } = telemetry;
        let tls = settings.tls.as_ref().map(tls::load).transpose()?.unwrap_or_default();
        let grpc = listener::grpc(&settings.host, settings.port)?;
        let http = listener::http(&settings.health_host, settings.health_port)?;
        let (grpc_addr, http_addr) = (grpc.local_addr()?, http.local_addr()?);

        let workers = settings.workers.get();
        let store = Store::new(
            settings.limits,
            settings.eviction_policy,
            settings.shards,
            settings.workers,
        );
        let handout = Handout::new(workers, settings.max_connections);
        let meters: Vec<_> = (0..workers).map(|_| Meter::default()).collect();
        let faults = Faults::default();
        let (phase, phases) = watch::channel(Phase::Starting);

        let (worker_ends, workers_ended) = mpsc::channel();
        let mut server = Self {
            grpc_addr,
            http_addr,
            phase,
            accepting: CancellationToken::new(),
            drain: CancellationToken::new(),
            stop: CancellationToken::new(),
            traces: traces.clone(),
            workers_ended,
            threads: Vec::new(),
            grace: settings.shutdown_grace,
        };

        let standard = Standard { phases: phases.clone(), reflection: reflection() };
        let intake = IntakeLimits {
            budget: IntakeBudget::new(settings.intake_bytes()),
            max_message_bytes: settings.max_message_bytes(),
        };
        let mut senders = Vec::with_capacity(workers);
        let mut runtimes = Vec::with_capacity(workers);
        for (index, meter) in meters.iter().cloned().enumerate() {
            let (sender, sockets) = unbounded_channel();
            senders.push(sender);
            let worker = Worker {
                sockets,
                rpc: rpc(
                    &settings,
                    store.lane(index),
                    &standard,
                    index,
                    Load { intake: intake.clone(), meter, traces: traces.clone() },
                ),
                tls: tls.acceptor.clone(),
                limits: Limits {
                    max_concurrent_streams: settings.max_concurrent_streams,
                    handshake_timeout: settings.handshake_timeout,
                    quiet_timeout: QUIET_TIMEOUT.min(settings.shutdown_grace / 2),
                },
                faults: faults.clone(),
                drain: server.drain.clone(),
            };
            let end = worker_ends.clone();
            runtimes.push(server.spawn(&format!("worker-{index}"), move || async move {
                worker.run().await;
                drop(end);
            })?);
        }
        drop(worker_ends);

        let upkeep = Upkeep::new(store.clone(), settings.cleanup_interval);
        let log_level = LogLevel::new(log.clone(), settings.log_level_remote);
        let monitor = Monitor::new(Sources {
            store: store.clone(),
            handout: handout.clone(),
            meters,
            runtimes,
            faults,
            spans: traces.counts(),
            certificates: tls.certificates,
            log,
            phase: phases,
            grpc_port: grpc_addr.port(),
        });
        let pages = Http::new(Arc::new(monitor), log_level);
        server.spawn("background", move || background(upkeep, pages, http))?;

        let accepting = server.accepting.clone();
        server.spawn("acceptor", move || async move {
            if let Err(problem) = accept(grpc, handout, senders, accepting).await {
                warn!(%problem, "the acceptor ended");
            }
        })?;

        server.phase.send_replace(Phase::Serving);
        for warning in settings.warnings.iter().chain(&tls.warnings) {
            warn!("{warning}");
        }
        log_start(&server, &settings, &store);
        Ok(server)
    }

    /// The address of the gRPC port.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc_addr
    }

    /// The address of the HTTP port.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Drains and ends the server: readiness and health turn first, then the listener
    /// closes and connections are told to go away, requests in flight are answered, and
    /// whatever is left when the grace is over is cut off. What is left of the grace is for the
    /// spans that wait to be exported. Blocks for no longer than the grace and half a second.
    pub fn shutdown(mut self) -> Drained {
        self.phase.send_replace(Phase::Draining);
        self.accepting.cancel();
        self.drain.cancel();
        info!(grace = ?self.grace, "draining");
        let begun = Instant::now();
        // A grace of zero still leaves the threads the time to notice.
        let drained = match self.workers_ended.recv_timeout(self.grace.max(LEAST_WAIT)) {
            Err(mpsc::RecvTimeoutError::Timeout) => Drained::CutOff,
            Err(mpsc::RecvTimeoutError::Disconnected) | Ok(()) => Drained::Complete,
        };
        self.traces.shutdown(self.grace.saturating_sub(begun.elapsed()).max(LEAST_WAIT));
        self.end();
        drained
    }

    /// Starts a thread with a runtime of its own that runs until `main` ends or the server
    /// is stopped, and tells how to read that runtime's figures.
    fn spawn<F>(
        &mut self,
        name: &str,
        main: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<RuntimeMetrics>
    where
        F: Future<Output = ()>,
    {
        let stop = self.stop.clone();
        // A runtime stays on its thread, so the thread makes it and says how that went.
        let (made, runtime_made) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(problem) => {
                    let _ = made.send(Err(problem));
                    return;
                }
            };
            let _ = made.send(Ok(runtime.metrics()));
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = main() => {}
                }
            });
        })?;
        self.threads.push(thread);
        runtime_made.recv().unwrap_or_else(|ended| Err(io::Error::other(ended)))
    }

    /// Stops every thread and waits a moment for them; one that is stuck is left to the end
    /// of the process.
    fn end(&mut self) {
        self.stop.cancel();
        let deadline = Instant::now() + STOP_TIMEOUT;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                // A panic was reported by the panic hook already.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

/// What the services that every gRPC server has are made from.
struct Standard {
    phases: watch::Receiver<Phase>,
    reflection: Reflection,
}

/// The services as one worker serves them.
fn rpc(
    settings: &Settings,
    store: Lane,
    Standard { phases, reflection }: &Standard,
    worker: usize,
    load: Load,
) -> Rpc {
    let max_message_bytes = settings.max_message_bytes();
    let bounds = Bounds {
        max_batch_items: settings.max_batch_items,
        max_reply_bytes: max_message_bytes,
        deadline: None,
    };
    // Requests are unpacked before they come here. Replies are never compressed: clients may
    // refuse that.
    let cache = CacheServiceServer::new(CacheRpcs::new(store, bounds))
        .max_decoding_message_size(max_message_bytes);
    let services = Services {
        cache,
        health: HealthServer::new(Health::new(phases.clone())),
        reflection: reflection.clone().service(),
        phases: phases.clone(),
    };
    Rpc::new(services, worker, load)
}

/// Server reflection, which describes itself too.
fn reflection() -> Reflection {
    Reflection::over(&[
        tiny_cache_proto::FILE_DESCRIPTOR_SET,
        health::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ])
}

/// What runs beside the requests.
async fn background(upkeep: Upkeep, pages: Http, listener: TcpListener) {
    let serving = async {
        if let Err(problem) = pages.serve(listener).await {
            warn!(%problem, "the HTTP port is closed");
        }
    };
    tokio::join!(upkeep.run(), serving);
}

fn log_start(server: &Server, settings: &Settings, store: &Store) {
    let shards = NonZeroUsize::new(store.shard_count());
    if shards < settings.shards.get().checked_next_power_of_two().and_then(NonZeroUsize::new) {
        info!(
            shards = store.shard_count(),
            asked = settings.shards,
            "fewer shards, so that each holds several of the largest values"
        );
    }
    if let Some(soft) = cgroup::soft_limit() {
        info!(
            soft_limit_bytes = soft.bytes,
            file = soft.source.as_ref().map(|file| field::display(file.display())),
            "the control group has a soft memory limit, which is not counted"
        );
    }
    let limit = settings.memory_limit.as_ref();
    info!(
        grpc = %server.grpc_addr,
        http = %server.http_addr,
        workers = settings.workers,
        shards = store.shard_count(),
        max_memory_bytes = settings.limits.max_bytes,
        max_value_bytes = settings.limits.max_value_bytes,
        memory_limit_bytes = limit.map(|limit| limit.bytes),
        memory_limit_file =
            limit.and_then(|limit| limit.source.as_ref()).map(|file| field::display(file.display())),
        tls = settings.tls.is_some(),
        traces = server.traces.describe(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
}
