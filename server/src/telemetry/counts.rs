//! Counts spans on their way to the collector, and the places where they may wait.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Spans so far. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct SpanCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    room: u64,
    /// Whether the last export failed.
    failing: AtomicBool,
    /// Ended and not yet exported.
    waiting: AtomicU64,
    exported: AtomicU64,
    dropped_for_room: AtomicU64,
    dropped_in_export: AtomicU64,
}

impl SpanCounts {
    pub(super) fn with_room_for(room: usize) -> Self {
        Self(Arc::new(Counts { room: room as u64, ..Counts::default() }))
    }

    /// Whether the last export failed.
    pub(super) fn are_failing(&self) -> bool {
        self.0.failing.load(Ordering::Relaxed)
    }

    pub(super) fn set_failing(&self, failing: bool) {
        self.0.failing.store(failing, Ordering::Relaxed);
    }

    /// Spans that were lost, for either reason.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped_for_room() + self.dropped_in_export()
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
    pub(super) fn enter(&self) -> bool {
        let entered = self.0.waiting.fetch_add(1, Ordering::Relaxed) < self.0.room;
        if !entered {
            self.0.waiting.fetch_sub(1, Ordering::Relaxed);
            self.0.dropped_for_room.fetch_add(1, Ordering::Relaxed);
        }
        entered
    }

    /// Frees the places of a batch of which `dropped` were not taken.
    pub(super) fn leave(&self, spans: u64, dropped: u64) {
        self.0.exported.fetch_add(spans - dropped, Ordering::Relaxed);
        self.0.dropped_in_export.fetch_add(dropped, Ordering::Relaxed);
        self.0.waiting.fetch_sub(spans, Ordering::Relaxed);
    }
}
