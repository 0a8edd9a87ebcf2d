//! Spans on their way to the exporter: the SDK's batch processor, behind our count of places.
//!
//! The processor drops what finds no place and does not say how many. So places are counted
//! here, before a span is made; with as many in the processor, none is ever dropped there.

use std::{sync::Arc, time::Duration};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData,
        SpanProcessor,
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    collector::ExportError, config::OtelConfig, counts::SpanCounts, exporter::Exporter,
    sampling::Root,
};

/// The way of every span. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct SpanQueue(Arc<Queued>);

#[derive(Debug)]
struct Queued {
    batches: BatchSpanProcessor,
    counts: SpanCounts,
    ending: CancellationToken,
    exporter_ended: CancellationToken,
}

impl SpanQueue {
    /// Starts the exporter that `config` asks for.
    pub(super) fn start(config: &OtelConfig, resource: &Resource) -> Result<Self, ExportError> {
        let counts = SpanCounts::with_room_for(config.queue);
        let ending = CancellationToken::new();
        let exporter = Exporter::start(config, resource, counts.clone(), ending.clone())?;
        let exporter_ended = exporter.ended();
        let batching = BatchConfigBuilder::default()
            .with_max_queue_size(config.queue)
            .with_max_export_batch_size(config.batch)
            .with_scheduled_delay(config.schedule_delay)
            .build();
        let batches = BatchSpanProcessor::new(exporter, batching);
        Ok(Self(Arc::new(Queued { batches, counts, ending, exporter_ended })))
    }

    /// The SDK's tracer of what is no request: such spans take the same way.
    pub(super) fn provider(&self, config: &OtelConfig, resource: Resource) -> SdkTracerProvider {
        SdkTracerProvider::builder()
            .with_span_processor(self.clone())
            .with_sampler(match config.sampling.root {
                Root::Always => Sampler::AlwaysOn,
                Root::Never => Sampler::AlwaysOff,
                Root::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
            })
            .with_max_attributes_per_span(config.most_attributes)
            .with_resource(resource)
            .build()
    }

    /// Cancelled when the exporter's thread has ended, or the processor that feeds it.
    pub(super) fn exporter_ended(&self) -> CancellationToken {
        self.0.exporter_ended.clone()
    }

    pub(super) fn counts(&self) -> &SpanCounts {
        &self.0.counts
    }

    /// Adds a span that has ended, if there is a place for it, and never waits.
    pub(super) fn add(&self, span: impl FnOnce() -> SpanData) -> bool {
        let entered = self.0.counts.enter();
        if entered {
            self.0.batches.on_end(span());
        }
        entered
    }
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.add(|| span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.ending.cancel();
        self.0.batches.shutdown_with_timeout(timeout)
    }
}
