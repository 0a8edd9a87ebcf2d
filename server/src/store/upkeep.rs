//! Removes in the background what is past its deadline, and applies what the shards have
//! pending, so that a request does not find work piled up.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant, SystemTime},
};

use crate::{
    histogram::{Histogram, Layout, Schema, Snapshot},
    sync::{AtomicU64, Ordering},
};

use tracing::{Instrument, Span, field::Empty, info_span};

use super::{Store, clock::Deadline};

/// Entries removed before the stripe, the index and the core are let go of. Removing one
/// takes about a microsecond.
const STEP: usize = 256;

/// The longest pause between two sweeps, whatever is set: what is past its deadline still
/// takes memory, which live entries want.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// From this lag on, a sweep no longer gives way to requests: more ends than it removes.
const LATE: Duration = Duration::from_secs(4);

/// From 60 ns to 64 s, in nanoseconds.
static DURATIONS: LazyLock<Layout> = LazyLock::new(|| {
    const BOUNDS: [f64; 16] = [
        100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3,
        1.0, 2.5, 5.0, 10.0,
    ];
    Layout::new(Schema::Eighths, [-191, 48], &BOUNDS, 1e9)
});

/// What the sweeps took and found. The upkeep writes, whoever likes reads.
#[derive(Debug)]
pub(super) struct Sweeps {
    durations: Histogram,
    /// Nanoseconds.
    lag: AtomicU64,
    /// Nanoseconds in Unix time.
    completed: AtomicU64,
}

/// The sweeps so far.
#[derive(Debug)]
pub(crate) struct SweepStats {
    /// How long each took, its rests included.
    pub(crate) durations: Snapshot,
    /// How long the entry that the last one found latest was overdue.
    pub(crate) lag: Duration,
    /// When the last one was through, in Unix time; before the first, when the store was made.
    pub(crate) completed: Duration,
}

impl Sweeps {
    pub(super) fn new() -> Self {
        Self {
            durations: Histogram::new(&DURATIONS),
            lag: AtomicU64::new(0),
            completed: AtomicU64::new(unix_now()),
        }
    }

    pub(super) fn stats(&self) -> SweepStats {
        let mut durations = Snapshot::new(&DURATIONS);
        durations.add(&self.durations);
        SweepStats {
            durations,
            lag: Duration::from_nanos(self.lag.load(Ordering::Relaxed)),
            completed: Duration::from_nanos(self.completed.load(Ordering::Relaxed)),
        }
    }

    fn record(&self, took: Duration, lag: Duration) {
        self.durations.record(nanos(took), None);
        self.lag.store(nanos(lag), Ordering::Relaxed);
        self.completed.store(unix_now(), Ordering::Relaxed);
    }
}

fn unix_now() -> u64 {
    nanos(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// 584 years fit.
fn nanos(span: Duration) -> u64 {
    span.as_nanos() as u64
}

/// The store's upkeep, for the background runtime.
#[derive(Debug)]
pub struct Upkeep {
    store: Arc<Store>,
    pause: Duration,
}

impl Upkeep {
    /// Upkeep that sweeps once in `interval`, and at least twice a second.
    pub fn new(store: Arc<Store>, interval: Duration) -> Self {
        Self { store, pause: interval.min(LONGEST_PAUSE) }
    }

    /// Sweeps until it is dropped.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(self.pause).await;
            // For the traces: what the store did while a request waited.
            let span = info_span!("sweep", removed = Empty, lag_seconds = Empty);
            self.sweep().instrument(span).await;
        }
    }

    /// Removes everything that was due when it began. It works in steps, and after each it
    /// rests as long as it worked, so that a mass of entries that end together takes at
    /// most half of a core from the requests; only when it is late it does not rest.
    async fn sweep(&self) {
        let begun = Instant::now();
        let mut longest_lag = Duration::ZERO;
        let mut all_removed = 0_i64;
        let mut due = Vec::<(Deadline, u64)>::with_capacity(STEP);
        for shard in &self.store.shards {
            loop {
                let started = Instant::now();
                let (removed, lag) = shard.expire(&mut due);
                longest_lag = longest_lag.max(lag);
                all_removed += removed as i64;
                if removed < STEP {
                    break;
                }
                if lag < LATE {
                    tokio::time::sleep(started.elapsed()).await;
                } else {
                    tokio::task::yield_now().await;
                }
            }
            shard.settle();
        }
        self.store.release_empty_namespaces();
        Span::current().record("removed", all_removed);
        Span::current().record("lag_seconds", longest_lag.as_secs_f64());
        self.store.sweeps.record(begun.elapsed(), longest_lag);
    }
}

#[cfg(test)]
impl Upkeep {
    pub(super) async fn sweep_once(&self) {
        self.sweep().await;
    }
}
