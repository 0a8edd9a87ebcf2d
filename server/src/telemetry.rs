//! A span for each RPC that is sampled, exported over OTLP.
//!
//! Whether a request is sampled is decided before a span exists, from the caller's flags or our
//! own ratio ([`sampling`]). So a request that is not sampled costs one look at a header. The
//! span of a sampled one is made when it ends ([`span`]) and handed to the SDK's batch processor
//! ([`queue`]), whose thread has it exported ([`exporter`], [`collector`]). No request waits for
//! that. Without an endpoint none of it exists.
//!
//! Upkeep beside the requests, such as a sweep of the store, has `tracing` spans, which
//! [`Traces::layer`] hands to the same processor.

mod attributes;
mod collector;
mod counts;
mod environment;
mod exporter;
mod failure;
mod parent;
mod queue;
mod report;
mod resource;
mod sampling;
mod span;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::Request;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Subscriber, warn};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    registry::LookupSpan,
};

use crate::{logging::Log, rpc::Method};

use self::{
    collector::ExportError,
    environment::Plan,
    queue::Queue,
    span::{Begun, Peer, shortened},
};

pub use self::counts::SpanCounts;
pub(crate) use self::{
    parent::TRACERESPONSE,
    span::{Ended, Ending, RpcSpan},
};

/// The instrumentation scope of every span.
const SCOPE: &str = "tiny-cache-server";

/// The target of `tracing` spans that are exported: the store's upkeep.
const BACKGROUND: &str = "tiny_cache_server::store";

/// What a server reports beside its replies. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// The process's log, if it is ours.
    pub log: Option<Log>,
    /// Where spans go.
    pub traces: Traces,
}

/// The process's traces: off, or exported to a collector. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Arc<On>>);

#[derive(Debug)]
struct On {
    plan: Plan,
    provider: SdkTracerProvider,
    queue: Queue,
    record_keys: bool,
}

impl On {
    fn start(plan: Plan, record_keys: bool) -> Result<Self, ExportError> {
        let resource = resource::resource(&plan.resource);
        let queue = Queue::start(&plan, &resource)?;
        let provider = queue.provider(&plan, resource);
        Ok(Self { plan, provider, queue, record_keys })
    }
}

/// What [`Traces::from_env`] found in the environment.
#[derive(Debug, Default)]
pub struct Configured {
    /// The traces, on or off.
    pub traces: Traces,
    /// What is wrong in the environment. None of it stops the start.
    pub warnings: Vec<String>,
}

impl Traces {
    /// No span is made.
    pub fn off() -> Self {
        Self::default()
    }

    /// Starts what the standard `OTEL_` variables of this process ask for. As OpenTelemetry's
    /// specification has it, a wrong value is warned about and passed over.
    ///
    /// `record_keys` puts keys and namespaces into the spans.
    pub fn from_env(record_keys: bool) -> Configured {
        let environment::Read { plan, mut warnings } = environment::read(std::env::vars_os());
        let Some(plan) = plan else {
            return Configured { traces: Self::off(), warnings };
        };
        let traces = match On::start(plan, record_keys) {
            Ok(on) => Self(Some(Arc::new(on))),
            Err(problem) => {
                warnings.push(format!("traces are off: {problem}"));
                Self::off()
            }
        };
        Configured { traces, warnings }
    }

    /// Whether spans are made at all.
    pub fn on(&self) -> bool {
        self.0.is_some()
    }

    /// Spans exported, dropped and waiting, so far.
    pub fn counts(&self) -> SpanCounts {
        self.0.as_ref().map_or_else(SpanCounts::default, |on| on.queue.counts().clone())
    }

    /// Where spans go and how many, for the log.
    pub fn describe(&self) -> Option<String> {
        self.0.as_ref().map(|on| format!("to {}: {}", on.plan.shown_endpoint(), on.plan.sampling))
    }

    /// Exports the `tracing` spans of what the store does beside the requests.
    pub fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let on = self.0.as_ref()?;
        let layer = tracing_opentelemetry::layer()
            .with_tracer(on.provider.tracer(SCOPE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        Some(layer.with_filter(Targets::new().with_target(BACKGROUND, LevelFilter::INFO)))
    }

    /// Sends what is waiting, for no longer than `timeout`; what is not sent by then is lost.
    /// Afterwards no span is made.
    pub fn shutdown(&self, timeout: Duration) {
        let Some(on) = &self.0 else { return };
        // A failure is in the counts, and the exporter has logged it.
        let _ = on.provider.shutdown_with_timeout(timeout);
        let spans = on.queue.counts().waiting();
        if spans > 0 {
            warn!(spans, "spans were not exported before the end");
        }
    }

    /// The traces of one connection's requests.
    pub(crate) fn of_connection(&self, peer: Option<SocketAddr>) -> ConnectionTraces {
        let of_connection =
            |on: &Arc<On>| Arc::new(OfConnection { on: on.clone(), peer: peer.map(Peer::from) });
        ConnectionTraces(self.0.as_ref().map(of_connection))
    }
}

/// The traces as one connection's requests see them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionTraces(Option<Arc<OfConnection>>);

/// What all spans of a connection share. One for each connection, so that no other worker
/// writes to its reference count.
#[derive(Debug)]
struct OfConnection {
    on: Arc<On>,
    peer: Option<Peer>,
}

impl ConnectionTraces {
    /// The span of a request that is sampled. A sampled request that finds no room to wait
    /// for the exporter counts as dropped, and costs no span.
    pub(crate) fn begin<B>(
        &self,
        method: Method,
        request: &Request<B>,
        since: Instant,
    ) -> Option<RpcSpan> {
        let connection = self.0.as_ref()?;
        let on = &*connection.on;
        let parent = on.plan.sampling.decide(request.headers())?;
        if !on.queue.counts().room() {
            return None;
        }
        let original = request.uri().path().trim_start_matches('/');
        Some(RpcSpan::begin(Begun {
            connection: connection.clone(),
            parent,
            method,
            original: (method == Method::Other)
                .then(|| shortened(original, on.plan.longest_text).to_owned()),
            started: SystemTime::now(),
            since,
        }))
    }
}
