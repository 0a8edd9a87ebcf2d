//! What became of the spans of sampled requests.

use crate::{
    http::metrics::family::{Family, Samples},
    spans::SpanCounts,
    sync::Ordering,
};

pub(super) fn families(spans: &SpanCounts) -> [Family; 3] {
    let SpanCounts { exported, queue_full, export_failed, queued } = spans;
    let [exported, queue_full, export_failed, queued] =
        [exported, queue_full, export_failed, queued].map(|count| count.load(Ordering::Relaxed));
    [
        Family::counter(
            "tiny_cache_spans_exported_total",
            "Spans that the collector took",
            exported,
        ),
        Family::counter(
            "tiny_cache_spans_dropped_total",
            "Spans that were lost, because the queue was full or because the export failed",
            Samples::by("reason", [("queue_full", queue_full), ("export_failed", export_failed)]),
        ),
        Family::gauge("tiny_cache_spans_queued", "Spans that wait to be exported", queued),
    ]
}
