//! What became of the spans of sampled requests, and of log lines.

use crate::{
    http::metrics::family::{Family, Samples, families},
    telemetry::SpanCounts,
};

pub(super) fn families(spans: &SpanCounts, dropped_lines: u64) -> Vec<Family> {
    let dropped =
        [("queue_full", spans.dropped_for_room()), ("export_failed", spans.dropped_in_export())];
    families! {
        Counter "tiny_cache_spans_exported_total" = spans.exported();
            "Spans that the collector took"
        Counter "tiny_cache_spans_dropped_total" = Samples::by("reason", dropped);
            "Spans that were lost, because the queue was full or because the export failed"
        Gauge "tiny_cache_spans_queued" = spans.waiting();
            "Spans that wait to be exported"
        Counter "tiny_cache_log_lines_dropped_total" = dropped_lines;
            "Log lines that were lost, because nobody read them in time"
    }
}
