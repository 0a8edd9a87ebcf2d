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
    access::{Access, AccessError, Audit, HttpTokens},
    certificates, cgroup,
    command::Bounds,
    handout::Handout,
    http::{Guard, Http, LogLevel},
    lifecycle::{Lifecycle, Lost, Part},
    listener::{self, BindError},
    logging::Log,
    monitor::{Monitor, Sources},
    pinned::PinnedLimit,
    quotas::{QuotasError, QuotasFile},
    reflection::Reflection,
    reload::{Reloader, Reloads},
    reserve::Descriptors,
    rpc::{IntakeBudget, IntakeLimits, Overload},
    settings::{PairFiles, Settings, TierSettings},
    store::{EvictionPolicy, Store, StoreHandle, Upkeep},
    telemetry::Traces,
    threads::{Ready, Threads},
    tier::{Desk, Figures, Tier, TierError},
    transport::{
        Faults, Limits, QUIET_TIMEOUT, Retirements, TlsError,
        tls::{GrpcFiles, KeyPair, Port, Shown, Tls},
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
    /// The file of quotas cannot be used.
    #[error(transparent)]
    Quotas(#[from] QuotasError),
    /// A file of access control cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The second tier cannot be used as it is set.
    #[error(transparent)]
    Tier(#[from] TierError),
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
    reloads: Reloads,
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
        let mut reloader = Reloader::default();
        let tls = Secured::load(&settings, &mut reloader)?;
        let quotas = settings.quotas.as_deref().map(QuotasFile::read).transpose()?;
        let store = new_store(&settings, quotas.as_ref());
        if let Some(file) = quotas {
            file.watch(&mut reloader, store.clone());
        }
        let access = load_access(&settings, &mut reloader)?;
        let grpc = listener::grpc(&settings.host, settings.port)?;
        let http = listener::http(&settings.health_host, settings.health_port)?;
        let (grpc_addr, http_addr) = (grpc.local_addr()?, http.local_addr()?);

        let count = settings.workers.get();
        let descriptors = Descriptors::of_this_process();
        let reloads = reloader.reloads();
        let reload = (!reloader.is_empty()).then_some(Part::Reload);
        let tier = settings.tier.is_some().then_some(Part::Tier);
        let parts =
            [Part::Acceptor, Part::Http, Part::Upkeep].into_iter().chain(reload).chain(tier);
        let lifecycle = Lifecycle::new((0..count).map(Part::Worker).chain(parts));
        let few = descriptors.warning(settings.max_connections, count);
        let mut threads = Threads::new(lifecycle.clone());
        let config =
            worker_config(&settings, (tls.grpc.clone(), access.grpc.clone()), &traces, &lifecycle);
        let tier =
            settings.tier.as_ref().map(|tier| start_tier(tier, &store, &lifecycle, &mut threads));
        let (tier, figures) = tier.transpose()?.unzip();
        let workers = config.start(count, (&store, tier.as_ref()), &mut threads)?;
        let handout = Handout::new(count, settings.max_connections);

        let upkeep = Upkeep::new(store.clone(), settings.cleanup_interval);
        threads.spawn(Part::Upkeep, |ready| in_background(ready, upkeep.run()))?;
        if let Some(part) = reload {
            threads.spawn(part, |ready| in_background(ready, reloader.run()))?;
        }

        let outside =
            [(Part::Log, log.as_ref().map(Log::ended)), (Part::Export, traces.exporter_ended())];
        let pages = Http::new(
            Arc::new(Monitor::new(Sources {
                handout: handout.clone(),
                meters: workers.meters,
                runtimes: workers.runtimes,
                faults: config.faults,
                retirements: config.retirements,
                overload: config.overload,
                audit: access.audit.clone(),
                spans: traces.counts(),
                certificates: tls.shown.clone(),
                reloads: reloads.clone(),
                tier: figures,
                log: log.clone(),
                phase: lifecycle.phases(),
                grpc_port: grpc_addr.port(),
                store: store.clone(),
            })),
            LogLevel::new(log, settings.log_level_remote),
            Guard { tokens: access.http, audit: access.audit },
            descriptors.http(),
        );
        threads.spawn(Part::Http, {
            let lifecycle = lifecycle.clone();
            move |ready| async move {
                watch(lifecycle, outside);
                pages.serve(http, tls.http, ready).await
            }
        })?;

        let acceptor = Acceptor {
            handout,
            workers: workers.senders,
            drain: config.drain,
            reserved_from: descriptors.reserved_from(),
        };
        threads.spawn(Part::Acceptor, |ready| acceptor.run(grpc, ready))?;

        let warnings = settings.warnings.iter().chain(&tls.warnings).chain(&access.warnings);
        for warning in warnings.chain(&few) {
            warn!("{warning}");
        }
        certificates::log_start(&tls.shown);
        let (shards, policy) = (store.shard_count(), store.policy());
        Ok(Self {
            grpc_addr,
            http_addr,
            settings,
            shards,
            policy,
            traces,
            reloads,
            lifecycle,
            threads,
        })
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

    /// Has the files read at once that the server reads again when they change, as SIGHUP does.
    /// Returns whether there are any; what comes of it is in the log and in the metrics.
    pub fn reload(&self) -> bool {
        self.reloads.ask()
    }

    /// [`Self::reload`] for a task of its own.
    pub(crate) fn reloads(&self) -> Reloads {
        self.reloads.clone()
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
            max_connections = settings.max_connections,
            eviction_policy = %self.policy,
            memory_limit_bytes = limit.map(|limit| limit.bytes),
            memory_limit_file = file.map(|file| field::display(file.display())),
            tls = settings.tls.is_some(),
            http_tls = settings.health_tls.is_some(),
            access = settings.access.is_some(),
            traces = self.traces.describe(),
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
    }
}

/// A part that works until it is dropped.
async fn in_background(ready: Ready, work: impl Future<Output = ()>) -> io::Result<()> {
    ready.report();
    work.await;
    Ok(())
}

fn new_store(settings: &Settings, quotas: Option<&QuotasFile>) -> Arc<Store> {
    let counts = (settings.shards, settings.workers);
    let quotas = quotas.map(QuotasFile::rules);
    // Over a second tier, what the store misses may well be in the cache: it would be estimated wrongly.
    let make = if settings.what_if && settings.tier.is_none() {
        Store::with_what_if
    } else {
        Store::with_quotas
    };
    make(settings.limits, settings.eviction_policy, counts, quotas)
}

/// Starts what asks the second tier. The part is ready at once, or when the tier is there for the
/// first time, if it is required.
fn start_tier(
    settings: &TierSettings,
    store: &Arc<Store>,
    lifecycle: &Lifecycle,
    threads: &mut Threads,
) -> Result<(Tier, Figures), StartError> {
    let near = StoreHandle::new(store.clone(), 0);
    let (required, lifecycle) = (settings.required, lifecycle.clone());
    let on_change = Box::new(move |is_there| {
        if required && is_there {
            lifecycle.ready(Part::Tier);
        }
        if required {
            lifecycle.set_tier(is_there);
        }
    });
    let (desk, tier, figures) = Desk::new(settings, near, on_change)?;
    threads.spawn(Part::Tier, move |ready| {
        if !required {
            ready.report();
        }
        desk.run()
    })?;
    Ok((tier, figures))
}

/// TLS of the ports that have it.
struct Secured {
    grpc: Option<Port>,
    http: Option<Port>,
    shown: Shown,
    warnings: Vec<String>,
}

impl Secured {
    /// Reads the files, and has them read again by `reloader`.
    fn load(settings: &Settings, reloader: &mut Reloader) -> Result<Self, TlsError> {
        let grpc = settings.tls.clone().map(|files| GrpcFiles {
            pair: KeyPair { certificate: files.certificate, key: files.key },
            client_ca: files.client_ca,
            crl: files.crl,
        });
        let http = settings.health_tls.clone();
        let http = http.map(|PairFiles { certificate, key }| KeyPair { certificate, key });
        let mut tls = Tls::load(grpc, http)?;
        let secured = Self {
            grpc: tls.grpc(),
            http: tls.http(),
            shown: tls.shown(),
            warnings: tls.warnings(),
        };
        certificates::register(tls, reloader);
        Ok(secured)
    }
}

/// What decides about callers.
struct AccessParts {
    grpc: Option<Arc<Access>>,
    http: Option<Arc<HttpTokens>>,
    audit: Audit,
    warnings: Vec<String>,
}

/// Reads the files, and has them read again by `reloader`.
fn load_access(settings: &Settings, reloader: &mut Reloader) -> Result<AccessParts, AccessError> {
    let audit = Audit::default();
    let grpc = settings.access.clone().map(|files| Access::load(files, audit.clone()));
    let (grpc, warnings) = grpc.transpose()?.unzip();
    let http = settings.health_tokens.clone().map(HttpTokens::load).transpose()?;
    if let Some(access) = &grpc {
        access.watch(reloader);
    }
    if let Some(tokens) = &http {
        tokens.watch(reloader);
    }
    Ok(AccessParts { grpc, http, audit, warnings: warnings.unwrap_or_default() })
}

fn worker_config(
    settings: &Settings,
    (tls, access): (Option<Port>, Option<Arc<Access>>),
    traces: &Traces,
    lifecycle: &Lifecycle,
) -> WorkerConfig {
    let max_message_bytes = settings.max_message_bytes();
    let pinned = PinnedLimit(settings.pinned_bytes());
    WorkerConfig {
        bounds: Bounds {
            max_batch_items: settings.max_batch_items,
            max_reply_bytes: max_message_bytes,
            pinned,
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
            pinned,
            max_age: settings.max_connection_age,
            max_idle: settings.max_connection_idle,
        },
        tls,
        grace: settings.shutdown_grace,
        access,
        traces: traces.clone(),
        reflection: Reflection::new(),
        faults: Faults::default(),
        retirements: Retirements::default(),
        overload: Overload::new(settings.max_in_flight),
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
