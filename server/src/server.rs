//! The composition root: builds the parts in the order in which they need one another, binds
//! before it serves, and ends them in the opposite order.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures::FutureExt;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::{field, info, warn};

use crate::{
    acceptor::Acceptor,
    certificates, cgroup,
    command::Bounds,
    handout::Handout,
    http::{Http, LogLevel},
    lifecycle::{Lifecycle, Lost, Part},
    listener::{self, BindError},
    logging::Log,
    monitor::{Monitor, Sources},
    reflection::Reflection,
    rpc::{IntakeBudget, IntakeLimits},
    settings::Settings,
    store::{EvictionPolicy, Store, Upkeep},
    telemetry::Traces,
    threads::Threads,
    transport::{
        Faults, Limits, QUIET_TIMEOUT, TlsError,
        tls::{self, Tls},
    },
    worker::WorkerConfig,
};

/// Time for a drain with nothing to drain, with room to spare.
const LEAST_WAIT: Duration = Duration::from_millis(100);

/// Pause between two looks at whether every part is ready.
const POLL: Duration = Duration::from_millis(1);

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
    /// A part ended before every part was ready.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered and every connection closed in time.
    Complete,
    /// The grace was over before some peers had finished.
    CutOff,
}

/// What a server reports beside its replies. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// The process's log, if it is ours.
    pub log: Option<Log>,
    /// Where spans go.
    pub traces: Traces,
}

/// A running server with threads of its own. Dropping it stops it at once.
#[derive(Debug)]
pub struct Server {
    grpc_addr: SocketAddr,
    http_addr: SocketAddr,
    settings: Settings,
    shards: usize,
    /// By which the shards go. Small ones go by another than was asked for.
    policy: EvictionPolicy,
    traces: Traces,
    lifecycle: Lifecycle,
    threads: Threads,
}

impl Server {
    /// Binds both ports, starts every part, and returns when all of them are ready.
    ///
    /// # Errors
    /// [`StartError`] when an address, a certificate or a thread is refused, or a part ends;
    /// nothing is left running then.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        Self::start_with(settings, Telemetry::default())
    }

    /// [`Self::start`] with the process's log, whose level peers may then change over HTTP,
    /// and with traces, which [`Self::shutdown`] ends.
    ///
    /// # Errors
    /// Those of [`Self::start`].
    pub fn start_with(settings: Settings, telemetry: Telemetry) -> Result<Self, StartError> {
        let server = Self::launch(settings, telemetry)?;
        // Polled, because the caller may be on a runtime, where another one cannot be entered.
        while server.until_ready().now_or_never().transpose()?.is_none() {
            thread::sleep(POLL);
        }
        Ok(server)
    }

    /// Binds both ports and starts every part, without waiting until they are ready.
    pub(crate) fn launch(settings: Settings, telemetry: Telemetry) -> Result<Self, StartError> {
        let Telemetry { log, traces } = telemetry;
        let tls = load_tls(&settings)?;
        let grpc = listener::grpc(&settings.host, settings.port)?;
        let http = listener::http(&settings.health_host, settings.health_port)?;
        let (grpc_addr, http_addr) = (grpc.local_addr()?, http.local_addr()?);

        let count = settings.workers.get();
        let parts = [Part::Acceptor, Part::Http, Part::Upkeep];
        let lifecycle = Lifecycle::new((0..count).map(Part::Worker).chain(parts));
        let mut threads = Threads::new(lifecycle.clone());
        let store = new_store(&settings);
        let config = worker_config(&settings, &tls, &traces, &lifecycle);
        let workers = config.start(count, &store, &mut threads)?;
        let handout = Handout::new(count, settings.max_connections);

        let upkeep = Upkeep::new(store.clone(), settings.cleanup_interval);
        threads.spawn(Part::Upkeep, |ready| async move {
            ready.report();
            upkeep.run().await;
            Ok(())
        })?;

        let outside =
            [(Part::Log, log.as_ref().map(Log::ended)), (Part::Export, traces.exporter_ended())];
        let pages = Http::new(
            Arc::new(Monitor::new(Sources {
                handout: handout.clone(),
                meters: workers.meters,
                runtimes: workers.runtimes,
                faults: config.faults,
                spans: traces.counts(),
                certificates: tls.certificates.clone(),
                log: log.clone(),
                phase: lifecycle.phases(),
                grpc_port: grpc_addr.port(),
                store: store.clone(),
            })),
            LogLevel::new(log, settings.log_level_remote),
        );
        threads.spawn(Part::Http, {
            let lifecycle = lifecycle.clone();
            move |ready| async move {
                watch(lifecycle, outside);
                pages.serve(http, ready).await
            }
        })?;

        let acceptor = Acceptor { handout, workers: workers.senders, drain: config.drain };
        threads.spawn(Part::Acceptor, |ready| acceptor.run(grpc, ready))?;

        for warning in settings.warnings.iter().chain(&tls.warnings) {
            warn!("{warning}");
        }
        certificates::log_start(&tls.certificates);
        let (shards, policy) = (store.shard_count(), store.policy());
        Ok(Self { grpc_addr, http_addr, settings, shards, policy, traces, lifecycle, threads })
    }

    /// The address of the gRPC port.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc_addr
    }

    /// The address of the HTTP port.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Waits until every part is ready, and logs that the server listens.
    pub(crate) async fn until_ready(&self) -> Result<(), Lost> {
        self.lifecycle.until_ready().await?;
        self.log_start();
        Ok(())
    }

    /// Waits until a part is lost: for ever, if none is.
    ///
    /// A part is lost when its thread ends before [`Self::shutdown`]: by a panic, or because its
    /// listener failed for good. The server has begun its drain then, and is never ready again:
    /// call [`Self::shutdown`], and start another one.
    pub async fn lost(&self) -> Lost {
        self.lifecycle.until_lost().await
    }

    /// Drains and ends the server. Blocks for no longer than the grace and half a second.
    ///
    /// Readiness and health turn first, then the listener closes and connections get GOAWAY.
    /// Requests in flight are answered; what is left when the grace is over is cut off. The rest
    /// of the grace is for spans that wait for their export.
    pub fn shutdown(self) -> Drained {
        let grace = self.settings.shutdown_grace;
        self.lifecycle.drain();
        info!(?grace, "draining");
        let begun = Instant::now();
        // A grace of zero still leaves the threads the time to notice.
        let has_ended = self.threads.workers_end_by(begun + grace.max(LEAST_WAIT));
        let drained = if has_ended { Drained::Complete } else { Drained::CutOff };
        self.traces.shutdown(grace.saturating_sub(begun.elapsed()).max(LEAST_WAIT));
        drained
    }

    fn log_start(&self) {
        let (settings, shards) = (&self.settings, self.shards);
        let asked = settings.shards;
        if NonZeroUsize::new(shards)
            < asked.get().checked_next_power_of_two().and_then(NonZeroUsize::new)
        {
            info!(shards, asked, "fewer shards, so that each holds several of the largest values");
        }
        if self.policy != settings.eviction_policy {
            info!(
                "no window: a shard holds fewer than 32 entries, or one of \
                 CACHE_MAX_VALUE_BYTES takes more than four fifths of it; the eviction policy is lru"
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
        let file = limit.and_then(|limit| limit.source.as_ref());
        info!(
            grpc = %self.grpc_addr,
            http = %self.http_addr,
            workers = settings.workers,
            shards,
            max_memory_bytes = settings.limits.max_bytes,
            max_value_bytes = settings.limits.max_value_bytes,
            memory_limit_bytes = limit.map(|limit| limit.bytes),
            memory_limit_file = file.map(|file| field::display(file.display())),
            tls = settings.tls.is_some(),
            traces = self.traces.describe(),
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
    }
}

fn new_store(settings: &Settings) -> Arc<Store> {
    Store::new(settings.limits, settings.eviction_policy, settings.shards, settings.workers)
}

fn load_tls(settings: &Settings) -> Result<Tls, TlsError> {
    let Some(files) = &settings.tls else { return Ok(Tls::default()) };
    tls::load(&files.certificate, &files.key, files.client_ca.as_deref())
}

fn worker_config(
    settings: &Settings,
    tls: &Tls,
    traces: &Traces,
    lifecycle: &Lifecycle,
) -> WorkerConfig {
    let max_message_bytes = settings.max_message_bytes();
    WorkerConfig {
        bounds: Bounds {
            max_batch_items: settings.max_batch_items,
            max_reply_bytes: max_message_bytes,
        },
        intake: IntakeLimits {
            budget: IntakeBudget::new(settings.intake_bytes()),
            max_message_bytes,
        },
        transport: settings.transport,
        limits: Limits {
            max_concurrent_streams: settings.max_concurrent_streams,
            handshake_timeout: settings.handshake_timeout,
            quiet_timeout: QUIET_TIMEOUT.min(settings.shutdown_grace / 2),
        },
        tls: tls.acceptor.clone(),
        traces: traces.clone(),
        reflection: Reflection::new(),
        faults: Faults::default(),
        phases: lifecycle.phases(),
        drain: lifecycle.draining(),
    }
}

/// Reports the end of parts whose threads the process owns, not this server.
fn watch(lifecycle: Lifecycle, parts: impl IntoIterator<Item = (Part, Option<CancellationToken>)>) {
    for (part, ended) in parts {
        let Some(ended) = ended else { continue };
        let lifecycle = lifecycle.clone();
        tokio::spawn(async move {
            ended.cancelled().await;
            lifecycle.lose(part, "its thread ended".to_owned());
        });
    }
}
