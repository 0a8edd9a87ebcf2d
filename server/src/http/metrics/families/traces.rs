//! What became of the spans of sampled requests.

use crate::{
    http::metrics::family::{Family, Samples},
    telemetry::SpanCounts,
};

pub(super) fn families(spans: &SpanCounts) -> [Family; 3] {
    let dropped =
        [("queue_full", spans.dropped_for_room()), ("export_failed", spans.dropped_in_export())];
    [
        Family::counter(
            "tiny_cache_spans_exported_total",
            "Spans that the collector took",
            spans.exported(),
        ),
        Family::counter(
            "tiny_cache_spans_dropped_total",
            "Spans that were lost, because the queue was full or because the export failed",
            Samples::by("reason", dropped),
        ),
        Family::gauge("tiny_cache_spans_queued", "Spans that wait to be exported", spans.waiting()),
    ]
}
