//! What is counted of the tier. Written by the workers and the loop, read by the metrics.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crossbeam::utils::CachePadded;

use crate::histogram::{Histogram, Layout, Schema, Snapshot};

/// What is asked of the tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Get, of one key or of several together.
    Read,
    /// Set.
    Set,
    /// SetIfAbsent.
    SetIfAbsent,
    /// CompareAndSet.
    CompareAndSet,
    /// Delete.
    Delete,
}

impl Command {
    const ALL: [Self; 5] =
        [Self::Read, Self::Set, Self::SetIfAbsent, Self::CompareAndSet, Self::Delete];

    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Set => "set",
            Self::SetIfAbsent => "set_if_absent",
            Self::CompareAndSet => "compare_and_set",
            Self::Delete => "delete",
        }
    }
}

/// Seconds: the buckets of the text format.
const BOUNDS: &[f64] = &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0];

/// From 2^-20 s to 2^6 s in native histograms.
static LAYOUT: LazyLock<Layout> =
    LazyLock::new(|| Layout::new(Schema::Eighths, [-160, 48], BOUNDS, 1e9));

/// The counters, shared by the workers and the loop.
#[derive(Clone, Debug)]
pub(crate) struct Figures(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    /// Read by the workers at each hit.
    stale: CachePadded<AtomicBool>,
    stale_hits: CachePadded<AtomicU64>,
    hits: AtomicU64,
    misses: AtomicU64,
    unanswered_reads: AtomicU64,
    joined: AtomicU64,
    fills: AtomicU64,
    fills_dropped: AtomicU64,
    changed_keys: AtomicU64,
    flushes: AtomicU64,
    errors: [AtomicU64; Command::ALL.len()],
    refused: AtomicU64,
    took: [Histogram; Command::ALL.len()],
    up: AtomicBool,
    primaries: AtomicU64,
    heard: AtomicU64,
    open: AtomicU64,
}

/// What was counted, by name.
#[derive(Debug)]
pub(crate) struct TierStats {
    pub(crate) up: bool,
    pub(crate) primaries: u64,
    pub(crate) heard: u64,
    pub(crate) open_ratio: f64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) unanswered_reads: u64,
    pub(crate) joined: u64,
    pub(crate) stale_hits: u64,
    pub(crate) fills: u64,
    pub(crate) fills_dropped: u64,
    pub(crate) changed_keys: u64,
    pub(crate) flushes: u64,
    pub(crate) refused: u64,
    pub(crate) errors: Vec<(&'static str, u64)>,
    pub(crate) took: Vec<(&'static str, Snapshot)>,
}

impl Default for Figures {
    fn default() -> Self {
        let zero = AtomicU64::default;
        Self(Arc::new(Counters {
            stale: CachePadded::default(),
            stale_hits: CachePadded::default(),
            hits: zero(),
            misses: zero(),
            unanswered_reads: zero(),
            joined: zero(),
            fills: zero(),
            fills_dropped: zero(),
            changed_keys: zero(),
            flushes: zero(),
            errors: Command::ALL.map(|_| zero()),
            refused: zero(),
            took: Command::ALL.map(|_| Histogram::new(&LAYOUT)),
            up: AtomicBool::new(false),
            primaries: zero(),
            heard: zero(),
            open: zero(),
        }))
    }
}

impl Figures {
    /// A near hit, which is marked while what is near may be old.
    pub(super) fn count_near_hits(&self, hits: u64) {
        if self.0.stale.load(Relaxed) {
            self.0.stale_hits.fetch_add(hits, Relaxed);
        }
    }

    pub(super) fn set_stale(&self, stale: bool) {
        self.0.stale.store(stale, Relaxed);
    }

    /// What the tier had of a key.
    pub(super) fn count_found(&self, found: bool) {
        let counter = if found { &self.0.hits } else { &self.0.misses };
        counter.fetch_add(1, Relaxed);
    }

    /// A read that the tier did not answer, which is a miss.
    pub(super) fn count_unanswered_read(&self) {
        self.0.unanswered_reads.fetch_add(1, Relaxed);
    }

    pub(super) fn count_joined(&self) {
        self.0.joined.fetch_add(1, Relaxed);
    }

    pub(super) fn count_fill(&self, filled: bool) {
        let counter = if filled { &self.0.fills } else { &self.0.fills_dropped };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn count_changed(&self, keys: u64) {
        self.0.changed_keys.fetch_add(keys, Relaxed);
    }

    pub(super) fn count_flush(&self) {
        self.0.flushes.fetch_add(1, Relaxed);
    }

    /// Something that the breaker kept back.
    pub(super) fn count_refused(&self) {
        self.0.refused.fetch_add(1, Relaxed);
    }

    /// How long the tier took for something that was sent, and whether it answered.
    pub(super) fn count_sent(&self, command: Command, took: Duration, answered: bool) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.0.took[command as usize].record(nanoseconds, None);
        if !answered {
            self.0.errors[command as usize].fetch_add(1, Relaxed);
        }
    }

    pub(super) fn set_up(&self, up: bool) {
        self.0.up.store(up, Relaxed);
    }

    pub(super) fn set_coverage(&self, (primaries, heard): (usize, usize)) {
        self.0.primaries.store(primaries as u64, Relaxed);
        self.0.heard.store(heard as u64, Relaxed);
    }

    pub(super) fn set_open(&self, ratio: f64) {
        self.0.open.store(ratio.to_bits(), Relaxed);
    }

    /// What was counted up to now.
    pub(crate) fn stats(&self) -> TierStats {
        let Counters { errors, took, .. } = &*self.0;
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        let (primaries, heard) = (read(&self.0.primaries), read(&self.0.heard));
        TierStats {
            up: self.0.up.load(Relaxed),
            primaries,
            heard,
            open_ratio: f64::from_bits(read(&self.0.open)),
            hits: read(&self.0.hits),
            misses: read(&self.0.misses),
            unanswered_reads: read(&self.0.unanswered_reads),
            joined: read(&self.0.joined),
            stale_hits: read(&self.0.stale_hits),
            fills: read(&self.0.fills),
            fills_dropped: read(&self.0.fills_dropped),
            changed_keys: read(&self.0.changed_keys),
            flushes: read(&self.0.flushes),
            refused: read(&self.0.refused),
            errors: Command::ALL.map(|one| (one.name(), read(&errors[one as usize]))).into(),
            took: Command::ALL.map(|one| (one.name(), snapshot(&took[one as usize]))).into(),
        }
    }
}

fn snapshot(histogram: &Histogram) -> Snapshot {
    let mut snapshot = Snapshot::new(&LAYOUT);
    snapshot.add(histogram);
    snapshot
}
