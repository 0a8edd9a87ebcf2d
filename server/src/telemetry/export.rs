//! Sends spans to the collector, off the request path.
//!
//! A span is encoded where it ends and appended to a buffer, which an exporter on a thread of
//! its own takes away when it is full or old enough. Nothing waits: the buffer is locked for as
//! long as it takes to copy some hundred bytes, and places are counted, so that who finds none
//! makes no span at all. The SDK's batch processor is not used: it hands spans to the exporter
//! one by one and as they are, which cost more than all the rest (see [`super::otlp`]), and does
//! not tell how many it dropped.

use std::{
    cell::RefCell,
    error::Error as _,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use bytes::Bytes;
use opentelemetry::{Context, InstrumentationScope, Key, KeyValue};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor},
};
use thiserror::Error;
use tokio::{
    runtime::Builder,
    sync::{Notify, mpsc as commands},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{info, warn};

use super::{
    SCOPE,
    attributes::{SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION},
    collector::{Collector, CollectorError, Rejected, chain},
    counts::SpanCounts,
    environment::Plan,
    otlp::{self, Envelope},
    sampling::Root,
};

/// Bytes from which on a batch is full, whatever its spans: a collector takes messages of
/// 4 MiB unless it is told otherwise.
const FULL_BYTES: usize = 2 << 20;

/// Why there is no exporter.
#[derive(Debug, Error)]
pub(super) enum ExportError {
    #[error(transparent)]
    Collector(#[from] CollectorError),
    #[error("no thread for the exporter: {0}")]
    System(#[from] io::Error),
}

/// Builds what `plan` asks for. A collector that cannot be reached is no error: it is tried
/// again with each batch.
pub(super) fn start(plan: &Plan) -> Result<(SdkTracerProvider, Arc<Gathered>), ExportError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let ending = CancellationToken::new();
    let collector = {
        let _entered = runtime.enter();
        Collector::new(plan, ending.clone())?
    };
    let resource = resource();
    let scope = InstrumentationScope::builder(SCOPE).build();
    let gathered = Arc::new(Gathered {
        batches: Mutex::default(),
        spare: Mutex::default(),
        full: Notify::new(),
        most: plan.batch,
        counts: SpanCounts::with_room_for(plan.queue),
    });
    let (sender, told) = commands::unbounded_channel();
    let exporter = Exporter {
        gathered: gathered.clone(),
        collector,
        envelope: Envelope::new(&resource, &scope),
        endpoint: plan.shown_endpoint(),
        pause: plan.schedule_delay,
        failing: false,
    };
    thread::Builder::new()
        .name("export".to_owned())
        .spawn(move || runtime.block_on(exporter.run(told)))?;

    let provider = SdkTracerProvider::builder()
        .with_span_processor(Gathering { gathered: gathered.clone(), exporter: sender, ending })
        .with_sampler(match plan.sampling.root {
            Root::Always => Sampler::AlwaysOn,
            Root::Never => Sampler::AlwaysOff,
            Root::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
        })
        .with_max_attributes_per_span(plan.most_attributes)
        .with_resource(resource)
        .build();
    Ok((provider, gathered))
}

/// What every span comes from. The environment's own attributes win.
fn resource() -> Resource {
    let given = Resource::builder().build();
    // The SDK's stand-in for a name that nobody gave.
    let name = given.get(&Key::new(SERVICE_NAME)).map(|name| name.to_string());
    let unnamed = name.is_none_or(|name| name.starts_with("unknown_service"));
    let mut ours = vec![
        KeyValue::new(SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        KeyValue::new(SERVICE_INSTANCE_ID, instance()),
    ];
    ours.retain(|attribute| given.get(&attribute.key).is_none());
    if unnamed {
        ours.push(KeyValue::new(SERVICE_NAME, "tiny-cache"));
    }
    Resource::builder().with_attributes(ours).build()
}

/// Tells this process from the others of the service.
fn instance() -> String {
    let random = ahash::RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}

/// Spans that wait, in the order in which they ended.
#[derive(Debug)]
pub(super) struct Gathered {
    /// The last is the one that is added to; those before it are full.
    batches: Mutex<Vec<Batch>>,
    /// The buffer of a batch that was exported, so that the next needs no fresh memory.
    spare: Mutex<Vec<u8>>,
    /// Told when the first batch is full.
    full: Notify,
    most: u64,
    counts: SpanCounts,
}

/// Encoded spans that are exported together.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    spans: u64,
}

thread_local! {
    /// One span, while it is encoded.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Gathered {
    pub(super) fn counts(&self) -> &SpanCounts {
        &self.counts
    }

    /// Adds the span that `write` writes, and tells whether there was room for it.
    pub(super) fn add(&self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        if !self.counts.enter() {
            return false;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            write(scratch);
            let mut batches = self.lock();
            if batches.last().is_none_or(|batch| self.is_full(batch)) {
                let spare = std::mem::take(&mut *self.spare());
                batches.push(Batch { bytes: spare, spans: 0 });
            }
            let first = batches.len() == 1;
            if let Some(batch) = batches.last_mut() {
                otlp::append(&mut batch.bytes, scratch);
                batch.spans += 1;
                if first && self.is_full(batch) {
                    self.full.notify_one();
                }
            }
        });
        true
    }

    fn is_full(&self, batch: &Batch) -> bool {
        batch.spans >= self.most || batch.bytes.len() >= FULL_BYTES
    }

    fn take(&self) -> Vec<Batch> {
        std::mem::take(&mut *self.lock())
    }

    /// Keeps a buffer for a batch to come, unless somebody still holds on to it.
    fn reuse(&self, bytes: Bytes) {
        if let Ok(bytes) = bytes.try_into_mut() {
            let mut bytes = Vec::from(bytes);
            bytes.clear();
            *self.spare() = bytes;
        }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<u8>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Batch>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The SDK's end of the way.
#[derive(Debug)]
struct Gathering {
    gathered: Arc<Gathered>,
    exporter: commands::UnboundedSender<Command>,
    ending: CancellationToken,
}

/// What the exporter is told, and where it says that it is done.
#[derive(Debug)]
struct Command {
    done: mpsc::SyncSender<()>,
    ends: bool,
}

/// How long a flush may take that nobody gave a time to.
const FLUSH: Duration = Duration::from_secs(5);

impl Gathering {
    fn tell(&self, ends: bool, wait: Duration) -> OTelSdkResult {
        let (done, is_done) = mpsc::sync_channel(1);
        let ended = |_| OTelSdkError::AlreadyShutdown;
        self.exporter.send(Command { done, ends }).map_err(ended)?;
        is_done.recv_timeout(wait).map_err(|_| OTelSdkError::Timeout(wait))
    }
}

impl SpanProcessor for Gathering {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.gathered.add(|out| otlp::encode(out, span));
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.tell(false, FLUSH)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.ending.cancel();
        self.tell(true, timeout)
    }
}

/// What the exporter's thread owns.
struct Exporter {
    gathered: Arc<Gathered>,
    collector: Collector,
    envelope: Envelope,
    endpoint: String,
    /// Until a batch that is not full is exported.
    pause: Duration,
    failing: bool,
}

impl Exporter {
    /// Exports until it is told to end, or until nobody is left to tell it.
    async fn run(mut self, mut told: commands::UnboundedReceiver<Command>) {
        let mut due = Instant::now() + self.pause;
        loop {
            let command = tokio::select! {
                () = self.gathered.full.notified() => None,
                () = sleep_until(due) => None,
                command = told.recv() => match command {
                    Some(command) => Some(command),
                    None => return,
                },
            };
            for batch in self.gathered.take() {
                self.export(batch).await;
            }
            due = Instant::now() + self.pause;
            if let Some(Command { done, ends }) = command {
                // Whoever waited may have given up.
                let _ = done.send(());
                if ends {
                    return;
                }
            }
        }
    }

    async fn export(&mut self, batch: Batch) {
        let head = self.envelope.before(batch.bytes.len());
        let bytes = Bytes::from(batch.bytes);
        let result = self.collector.export([head, bytes.clone()]).await;
        self.gathered.reuse(bytes);
        let dropped = match &result {
            Ok(rejected) => rejected.spans.min(batch.spans),
            Err(_) => batch.spans,
        };
        self.gathered.counts.leave(batch.spans, dropped);
        self.note(&result);
    }

    /// Logs when exports begin to fail and when they work again, not each time.
    fn note(&mut self, result: &Result<Rejected, Status>) {
        let endpoint = &self.endpoint;
        let problem = match result {
            Ok(Rejected { spans: 0, .. }) => None,
            Ok(Rejected { reason, .. }) => Some(format!("rejected by the collector: {reason}")),
            Err(status) => Some(format!("{:?}: {}", status.code(), reason(status))),
        };
        match (&problem, self.failing) {
            (Some(problem), false) => {
                warn!(problem, endpoint, "spans cannot be exported; they are dropped");
            }
            (None, true) => info!(endpoint, "spans are exported again"),
            _ => {}
        }
        self.failing = problem.is_some();
    }
}

/// What a status says, with what caused it where that is known.
fn reason(status: &Status) -> String {
    match status.source() {
        Some(cause) => format!("{}: {}", status.message(), chain(cause)),
        None => status.message().to_owned(),
    }
}
