//! What became of the spans of sampled requests, and of log lines.

use crate::{
    http::metrics::family::{Family, Samples},
    telemetry::SpanCounts,
};

pub(super) fn families(spans: &SpanCounts, dropped_lines: u64) -> [Family; 4] {
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
        Family::counter(
            "tiny_cache_log_lines_dropped_total",
            "Log lines that were lost, because nobody read them in time",
            dropped_lines,
        ),
    ]
}
