//! What became of the spans of sampled requests. Fed by whoever exports them; without an
//! exporter everything stays 0.

use crate::sync::AtomicU64;

#[derive(Debug, Default)]
pub(crate) struct SpanCounts {
    pub(crate) exported: AtomicU64,
    /// Dropped because the queue to the exporter was full.
    pub(crate) queue_full: AtomicU64,
    /// Dropped because the collector did not take them.
    pub(crate) export_failed: AtomicU64,
    /// In the queue at this moment.
    pub(crate) queued: AtomicU64,
}
