//! Sends spans to the collector, off the request path.
//!
//! The SDK's batch processor takes a span without waiting, gathers, and exports from a thread
//! of its own. It drops what does not fit into its queue, but tells nobody how much. So the
//! places are counted here, in front of it: who finds none does not make a span at all, and
//! the SDK's queue never overflows.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use opentelemetry::{
    Context, Key, KeyValue,
    trace::{Link, SpanKind, TraceContextExt, TraceId},
};
use opentelemetry_otlp::{
    ExporterBuildError, SpanExporter as Otlp, WithTonicConfig,
    tonic_types::transport::{Certificate, ClientTlsConfig, Identity},
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{
        BatchSpanProcessor, Sampler, SamplingDecision, SamplingResult, SdkTracerProvider,
        ShouldSample, Span, SpanData, SpanExporter, SpanProcessor,
    },
};
use thiserror::Error;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    time::timeout,
};
use tracing::{info, warn};

use super::{
    attributes::{SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION},
    environment::{Plan, TlsPlan},
    sampling::{Root, Sampling},
};

/// Why there is no exporter.
#[derive(Debug, Error)]
pub(super) enum ExportError {
    #[error("cannot read {}: {problem}", path.display())]
    File { path: PathBuf, problem: io::Error },
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
    #[error("no thread for the exporter: {0}")]
    System(#[from] io::Error),
}

/// Holds the exporter's thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Exporter {
    endpoint: String,
    counts: SpanCounts,
    _alive: oneshot::Sender<()>,
}

impl Exporter {
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn counts(&self) -> SpanCounts {
        self.counts.clone()
    }
}

/// Builds what `plan` asks for. A collector that cannot be reached is no error: it is tried
/// again with each batch.
pub(super) fn start(plan: Plan) -> Result<(SdkTracerProvider, Exporter), ExportError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let otlp = {
        let _entered = handle.enter();
        otlp(plan.tls.as_ref())?
    };
    let (alive, dropped) = oneshot::channel::<()>();
    thread::Builder::new().name("export".to_owned()).spawn(move || {
        // It is never sent, only dropped.
        let _ = runtime.block_on(dropped);
    })?;

    let counts = SpanCounts::with_room_for(plan.queue);
    let watched = Watched {
        otlp: Arc::new(otlp),
        runtime: handle,
        timeout: plan.export_timeout,
        endpoint: plan.endpoint.clone(),
        failing: AtomicBool::new(false),
        counts: counts.clone(),
    };
    let processor =
        Counting { batches: BatchSpanProcessor::builder(watched).build(), counts: counts.clone() };
    let mut provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Decided::from(plan.sampling))
        .with_resource(resource());
    if let Some(most) = plan.most_attributes {
        provider = provider.with_max_attributes_per_span(most);
    }
    Ok((provider.build(), Exporter { endpoint: plan.endpoint, counts, _alive: alive }))
}

fn otlp(tls: Option<&TlsPlan>) -> Result<Otlp, ExportError> {
    let builder = Otlp::builder().with_tonic();
    let Some(tls) = tls else { return Ok(builder.build()?) };
    let mut config = ClientTlsConfig::new();
    config = match &tls.authorities {
        Some(path) => config.ca_certificate(Certificate::from_pem(pem(path)?)),
        None => config.with_enabled_roots(),
    };
    if let Some((certificate, key)) = &tls.identity {
        config = config.identity(Identity::from_pem(pem(certificate)?, pem(key)?));
    }
    Ok(builder.with_tls_config(config).build()?)
}

fn pem(path: &Path) -> Result<Vec<u8>, ExportError> {
    fs::read(path).map_err(|problem| ExportError::File { path: path.to_owned(), problem })
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

/// Spans so far. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct SpanCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    room: u64,
    /// Ended and not yet exported.
    waiting: AtomicU64,
    exported: AtomicU64,
    dropped_for_room: AtomicU64,
    dropped_in_export: AtomicU64,
}

impl SpanCounts {
    fn with_room_for(room: u64) -> Self {
        Self(Arc::new(Counts { room, ..Counts::default() }))
    }

    /// Spans that the collector has taken.
    pub fn exported(&self) -> u64 {
        self.0.exported.load(Ordering::Relaxed)
    }

    /// Spans that found no room to wait for the exporter.
    pub fn dropped_for_room(&self) -> u64 {
        self.0.dropped_for_room.load(Ordering::Relaxed)
    }

    /// Spans that the collector did not take.
    pub fn dropped_in_export(&self) -> u64 {
        self.0.dropped_in_export.load(Ordering::Relaxed)
    }

    /// Spans that wait for the exporter or are on their way.
    pub fn waiting(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Whether one more span can wait; if not, it counts as dropped.
    pub(super) fn room(&self) -> bool {
        let room = self.waiting() < self.0.room;
        if !room {
            self.0.dropped_for_room.fetch_add(1, Ordering::Relaxed);
        }
        room
    }

    /// Takes a place; spans that began while there was room may find none left.
    fn enter(&self) -> bool {
        let entered = self.0.waiting.fetch_add(1, Ordering::Relaxed) < self.0.room;
        if !entered {
            self.0.waiting.fetch_sub(1, Ordering::Relaxed);
            self.0.dropped_for_room.fetch_add(1, Ordering::Relaxed);
        }
        entered
    }

    fn leave(&self, spans: u64, exported: bool) {
        let counter = if exported { &self.0.exported } else { &self.0.dropped_in_export };
        counter.fetch_add(spans, Ordering::Relaxed);
        // Those that were given up at a shutdown have left already.
        let left = |waiting: u64| Some(waiting.saturating_sub(spans));
        let _ = self.0.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
    }

    /// Counts as dropped what was still waiting when the exporter was shut down.
    pub(super) fn lose_waiting(&self) {
        let lost = self.0.waiting.swap(0, Ordering::Relaxed);
        self.0.dropped_in_export.fetch_add(lost, Ordering::Relaxed);
        if lost > 0 {
            warn!(spans = lost, "spans were not exported before the end");
        }
    }
}

/// The batch processor, behind the count of its places.
#[derive(Debug)]
struct Counting {
    batches: BatchSpanProcessor,
    counts: SpanCounts,
}

impl SpanProcessor for Counting {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.counts.enter() {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// The OTLP exporter, with an eye on what becomes of each batch.
#[derive(Debug)]
struct Watched {
    otlp: Arc<Otlp>,
    /// Where the exporter's connection lives. The batch processor's own thread has no runtime.
    runtime: Handle,
    timeout: Duration,
    endpoint: String,
    failing: AtomicBool,
    counts: SpanCounts,
}

impl Watched {
    /// Logs when exports begin to fail and when they succeed again, not each of them.
    fn note(&self, result: &OTelSdkResult) {
        let failing = result.is_err();
        if failing == self.failing.swap(failing, Ordering::Relaxed) {
            return;
        }
        let endpoint = &self.endpoint;
        match result {
            Err(problem) => {
                warn!(%problem, endpoint, "spans cannot be exported; they are dropped");
            }
            Ok(()) => info!(endpoint, "spans are exported again"),
        }
    }
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let (otlp, limit) = (self.otlp.clone(), self.timeout);
        let exporting = self.runtime.spawn(async move { timeout(limit, otlp.export(batch)).await });
        let result = match exporting.await {
            Ok(Ok(result)) => result,
            Ok(Err(_elapsed)) => Err(OTelSdkError::Timeout(limit)),
            Err(ended) => Err(OTelSdkError::InternalFailure(ended.to_string())),
        };
        self.counts.leave(spans, result.is_ok());
        self.note(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // The provider sets it before the first span.
        if let Some(otlp) = Arc::get_mut(&mut self.otlp) {
            otlp.set_resource(resource);
        }
    }
}

/// The SDK's sampler for what was decided already: a server's span exists because it is
/// sampled. For spans of other kinds the ratio decides.
#[derive(Clone, Debug)]
struct Decided(Sampler);

impl From<Sampling> for Decided {
    fn from(sampling: Sampling) -> Self {
        Self(match sampling.root {
            Root::Always => Sampler::AlwaysOn,
            Root::Never => Sampler::AlwaysOff,
            Root::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
        })
    }
}

impl ShouldSample for Decided {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        if *kind != SpanKind::Server {
            return self.0.should_sample(parent, trace_id, name, kind, attributes, links);
        }
        let trace_state = parent.map(|parent| parent.span().span_context().trace_state().clone());
        SamplingResult {
            decision: SamplingDecision::RecordAndSample,
            attributes: Vec::new(),
            trace_state: trace_state.unwrap_or_default(),
        }
    }
}
