//! The process's traces, and those of one connection: decides whether a request gets a span.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use opentelemetry::trace::TracerProvider;
use tokio_util::sync::CancellationToken;
use tracing::{Subscriber, warn};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    registry::LookupSpan,
};

use super::{
    attributes::SCOPE,
    counts::SpanCounts,
    environment,
    parent::Carrier,
    span::{Begun, RpcSpan, shortened},
    tracer::{ConnectionTracer, Peer, Tracer},
};
use crate::call::{CallStart, Method};

/// The target of `tracing` spans that are exported: the store's upkeep.
const BACKGROUND: &str = "tiny_cache_server::store";

/// The process's traces: off, or exported to a collector. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Arc<Tracer>>);

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
        let environment::Read { config, mut warnings } = environment::read(std::env::vars_os());
        let Some(config) = config else {
            return Configured { traces: Self::off(), warnings };
        };
        let traces = match Tracer::start(config, record_keys) {
            Ok(tracer) => Self(Some(Arc::new(tracer))),
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

    /// Cancelled when the thread that exports has ended. `None` where it does not run.
    pub(crate) fn exporter_ended(&self) -> Option<CancellationToken> {
        let ended = self.0.as_ref()?.queue.exporter_ended();
        (!ended.is_cancelled()).then_some(ended)
    }

    /// Spans exported, dropped and waiting, so far.
    pub fn counts(&self) -> SpanCounts {
        self.0.as_ref().map_or_else(SpanCounts::default, |tracer| tracer.queue.counts().clone())
    }

    /// Where spans go and how many, for the log.
    pub fn describe(&self) -> Option<String> {
        self.0.as_ref().map(|tracer| {
            format!("to {}: {}", tracer.config.shown_endpoint(), tracer.config.sampling)
        })
    }

    /// Exports the `tracing` spans of what the store does beside the requests.
    pub fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.0.as_ref()?;
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer.provider.tracer(SCOPE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        Some(layer.with_filter(Targets::new().with_target(BACKGROUND, LevelFilter::INFO)))
    }

    /// Sends what is waiting, for no longer than `timeout`; what is not sent by then is lost.
    /// Afterwards no span is made.
    pub fn shutdown(&self, timeout: Duration) {
        let Some(tracer) = &self.0 else { return };
        // A failure is in the counts, and the exporter has logged it.
        let _ = tracer.provider.shutdown_with_timeout(timeout);
        let spans = tracer.queue.counts().waiting();
        if spans > 0 {
            warn!(spans, "spans were not exported before the end");
        }
    }

    /// The traces of one connection's requests.
    pub(crate) fn of_connection(&self, peer: Option<SocketAddr>) -> ConnectionTraces {
        ConnectionTraces(self.0.as_ref().map(|tracer| {
            let peer = peer.map(Peer::from);
            Arc::new(ConnectionTracer { tracer: tracer.clone(), peer })
        }))
    }
}

/// The traces as one connection's requests see them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionTraces(Option<Arc<ConnectionTracer>>);

impl ConnectionTraces {
    /// The span of a request that is sampled. A sampled request that finds no room to wait
    /// for the exporter counts as dropped, and costs no span.
    pub(crate) fn begin(
        &self,
        start: CallStart,
        carrier: &impl Carrier,
        path: &str,
    ) -> Option<RpcSpan> {
        let connection = self.0.as_ref()?;
        let tracer = &*connection.tracer;
        let parent = tracer.config.sampling.decide(carrier)?;
        if !tracer.queue.counts().room() {
            return None;
        }
        let original = path.trim_start_matches('/');
        Some(RpcSpan::begin(Begun {
            connection: connection.clone(),
            parent,
            start,
            original: (start.method == Method::Other)
                .then(|| shortened(original, tracer.config.longest_text).to_owned()),
            wall: SystemTime::now(),
        }))
    }
}
