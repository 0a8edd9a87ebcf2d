//! Exports batches of spans: encodes them, sends each until the collector decides or its time is
//! over, and counts and reports the outcome.
//!
//! The SDK's batch processor calls [`Exporter`] on its own thread and waits there. The work is
//! done on the thread "export", whose runtime drives the connection between batches too.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use opentelemetry::InstrumentationScope;
use opentelemetry_proto::{
    tonic::{
        common::v1::InstrumentationScope as ScopeMessage,
        resource::v1::Resource as ResourceMessage,
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    },
    transform::common::tonic::ResourceAttributesWithSchema,
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};
use prost::Message;
use retry_policies::{Jitter, RetryDecision, RetryPolicy, policies::ExponentialBackoff};
use tokio::{
    runtime::{Builder, Handle},
    time::{Instant, sleep},
};
use tokio_util::sync::{CancellationToken, DropGuard};

#[cfg(test)]
use crate::{lifecycle, threads::injected};

use super::{
    attributes::SCOPE,
    collector::{Collector, ExportError, Rejected},
    config::OtelConfig,
    counts::SpanCounts,
    failure::{Failure, Repeat},
    report::Report,
};

/// Bytes of one message. A collector refuses more than 4 MiB unless it is set to take more.
const MOST_BYTES: usize = 2 << 20;

/// Pauses between two sendings of a batch, as OpenTelemetry's own exporters begin with.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the SDK's batch processor exports with.
#[derive(Debug)]
pub(super) struct Exporter {
    sending: Arc<Sending>,
    runtime: Handle,
    /// Ends the thread "export".
    _running: DropGuard,
    ended: CancellationToken,
}

impl Exporter {
    /// Starts the thread. A collector that cannot be reached is no error: each batch tries to
    /// connect again. Once `ending` is cancelled, no batch waits to be sent again.
    pub(super) fn start(
        config: &OtelConfig,
        resource: &Resource,
        counts: SpanCounts,
        ending: CancellationToken,
    ) -> Result<Self, ExportError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let collector = {
            let _entered = runtime.enter();
            Collector::new(config)?
        };
        let sending = Arc::new(Sending {
            collector,
            encoding: Encoding::new(resource),
            report: Mutex::new(Report::new(config.shown_endpoint(), counts.clone())),
            counts,
            request_timeout: config.request_timeout,
            batch_timeout: config.batch_timeout,
            ending,
        });
        let (running, ended) = (CancellationToken::new(), CancellationToken::new());
        let (stop, ending) = (running.clone(), ended.clone().drop_guard());
        thread::Builder::new().name("export".to_owned()).spawn(move || {
            let _ending = ending;
            let stopped = stop.cancelled();
            #[cfg(test)]
            let stopped = injected::interfere(lifecycle::Part::Export, stopped);
            runtime.block_on(stopped);
        })?;
        Ok(Self { sending, runtime: handle, _running: running.drop_guard(), ended })
    }

    /// Cancelled when the thread has ended.
    pub(super) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sending = self.sending.clone();
        let sent = self.runtime.spawn(async move { sending.export(batch).await });
        // A failure is counted and reported by then; the processor would do nothing with it.
        sent.await.map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
    }
}

/// How a batch is sent.
#[derive(Debug)]
struct Sending {
    collector: Collector,
    encoding: Encoding,
    counts: SpanCounts,
    report: Mutex<Report>,
    /// For one request.
    request_timeout: Duration,
    /// For a batch, with all requests and pauses.
    batch_timeout: Duration,
    ending: CancellationToken,
}

impl Sending {
    async fn export(&self, batch: Vec<SpanData>) {
        for Part { spans, message } in self.encoding.parts(batch) {
            let result = self.send(message).await;
            let dropped = match &result {
                Ok(rejected) => rejected.spans.min(spans),
                Err(_) => spans,
            };
            self.counts.leave(spans, dropped);
            match result {
                Ok(Rejected { spans: 0, .. }) => self.with_report(Report::works),
                Ok(Rejected { spans, reason }) => {
                    let failure = Failure::rejected(spans, &reason);
                    self.with_report(|report| report.fails(&failure));
                }
                Err(failure) => self.with_report(|report| report.fails(&failure)),
            }
        }
    }

    /// Sends a message, again where that may help and while there is time.
    async fn send(&self, message: Bytes) -> Result<Rejected, Failure> {
        let end = Instant::now() + self.batch_timeout;
        let mut tried = 0;
        loop {
            let is_last = self.ending.is_cancelled();
            let time = self.request_timeout.min(end - Instant::now());
            let failure = match self.collector.send(message.clone(), time).await {
                Ok(rejected) => return Ok(rejected),
                Err(failure) => failure,
            };
            let Some(pause) = pause(failure.repeat, tried) else { return Err(failure) };
            // The end of the process waits for no collector, but a connection that had gone
            // while it was idle says nothing about the collector.
            let is_last = is_last && !(tried == 0 && failure.repeat == Repeat::Reconnect);
            if is_last || Instant::now() + pause >= end {
                return Err(failure);
            }
            if tried > 0 || failure.repeat == Repeat::Hung {
                self.with_report(|report| report.fails(&failure));
            }
            tried += 1;
            tokio::select! {
                () = self.ending.cancelled() => {}
                () = sleep(pause) => {}
            }
        }
    }

    fn with_report(&self, note: impl FnOnce(&mut Report)) {
        note(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// How long to wait before a batch is sent again, if it is.
fn pause(repeat: Repeat, tried: u32) -> Option<Duration> {
    match repeat {
        Repeat::Never => None,
        Repeat::After(delay) => Some(delay),
        // An idle connection may have gone long ago; and a hung one took time enough.
        Repeat::Reconnect if tried == 0 => Some(Duration::ZERO),
        Repeat::Hung => Some(Duration::ZERO),
        Repeat::Reconnect | Repeat::Later => {
            let pauses = ExponentialBackoff::builder()
                .jitter(Jitter::Full)
                .retry_bounds(FIRST_PAUSE, LONGEST_PAUSE)
                .build_with_max_retries(u32::MAX);
            let now = SystemTime::now();
            match pauses.should_retry(now, tried) {
                RetryDecision::Retry { execute_after } => {
                    Some(execute_after.duration_since(now).unwrap_or_default())
                }
                RetryDecision::DoNotRetry => None,
            }
        }
    }
}

/// Encodes spans with the resource and the scope that all of them share.
#[derive(Debug)]
struct Encoding {
    resource: ResourceMessage,
    scope: ScopeMessage,
}

/// Spans that are sent together, as an encoded `ResourceSpans`.
struct Part {
    spans: u64,
    message: Bytes,
}

impl Encoding {
    fn new(resource: &Resource) -> Self {
        let attributes = ResourceAttributesWithSchema::from(resource).attributes.0;
        let scope = InstrumentationScope::builder(SCOPE).build();
        Self {
            resource: ResourceMessage { attributes, ..ResourceMessage::default() },
            scope: (scope, None).into(),
        }
    }

    /// A batch in messages of at most [`MOST_BYTES`]; a span beyond that has one of its own.
    fn parts(&self, batch: Vec<SpanData>) -> Vec<Part> {
        let mut parts = Vec::new();
        let (mut spans, mut bytes) = (Vec::with_capacity(batch.len()), 0);
        for span in batch {
            let span = Span::from(span);
            let len = span.encoded_len();
            if bytes + len > MOST_BYTES && !spans.is_empty() {
                parts.push(self.part(std::mem::take(&mut spans)));
                bytes = 0;
            }
            bytes += len;
            spans.push(span);
        }
        parts.push(self.part(spans));
        parts
    }

    fn part(&self, spans: Vec<Span>) -> Part {
        let count = spans.len() as u64;
        let of_scope =
            ScopeSpans { scope: Some(self.scope.clone()), spans, ..ScopeSpans::default() };
        let message = ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: vec![of_scope],
            ..ResourceSpans::default()
        };
        Part { spans: count, message: message.encode_to_vec().into() }
    }
}
