//! Records how long the sweeps of the upkeep took, and how late they were.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use crate::{
    histogram::{Histogram, Layout, Schema, Snapshot},
    sync::{AtomicU64, Mutex, Ordering, PoisonError},
};

use super::stats::SweepStats;

/// From 60 ns to 64 s, in nanoseconds.
static DURATIONS: LazyLock<Layout> = LazyLock::new(|| {
    const BOUNDS: [f64; 16] = [
        100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3,
        1.0, 2.5, 5.0, 10.0,
    ];
    Layout::new(Schema::Eighths, [-191, 48], &BOUNDS, 1e9)
});

/// The sweeps so far. The upkeep records them; any thread reads.
#[derive(Debug)]
pub(super) struct Sweeps {
    durations: Histogram,
    /// Nanoseconds.
    lag: AtomicU64,
    /// Nanoseconds in Unix time.
    completed: AtomicU64,
    /// Entries that left the window up to the last sweep, and in each of the last ones.
    left_window: Mutex<Leavers>,
    /// How many left it in a second of late, in thousandths.
    leaving: AtomicU64,
}

/// Entries that left the window, by sweep.
#[derive(Debug, Default)]
struct Leavers {
    all: u64,
    /// How many left, and in what time, in a ring.
    recent: [(u64, Duration); RECENT],
    next: usize,
}

/// Sweeps whose rate counts as that of now: four seconds, at two sweeps a second. All count alike,
/// so that a burst is over when it is over: it stayed in a decaying mean three times as long.
const RECENT: usize = 8;

impl Sweeps {
    pub(super) fn new() -> Self {
        Self {
            durations: Histogram::new(&DURATIONS),
            lag: AtomicU64::new(0),
            completed: AtomicU64::new(unix_now()),
            left_window: Mutex::default(),
            leaving: AtomicU64::new(0),
        }
    }

    pub(super) fn stats(&self) -> SweepStats {
        let mut durations = Snapshot::new(&DURATIONS);
        durations.add(&self.durations);
        SweepStats {
            durations,
            lag: Duration::from_nanos(self.lag.load(Ordering::Relaxed)),
            completed: Duration::from_nanos(self.completed.load(Ordering::Relaxed)),
            left_window_per_second: self.leaving.load(Ordering::Relaxed) as f64 / 1e3,
        }
    }

    /// Records how many entries have left the window in all, some time after the last record.
    pub(super) fn record_left_window(&self, left: u64, since: Duration) {
        let mut leavers = self.left_window.lock().unwrap_or_else(PoisonError::into_inner);
        let Leavers { all, recent, next } = &mut *leavers;
        recent[*next] = (left.saturating_sub(std::mem::replace(all, left)), since);
        *next = (*next + 1) % RECENT;
        let count: u64 = recent.iter().map(|(count, _)| count).sum();
        let time: Duration = recent.iter().map(|(_, time)| *time).sum();
        let rate = count as f64 * 1e3 / time.as_secs_f64().max(1e-9);
        self.leaving.store(rate as u64, Ordering::Relaxed);
    }

    pub(super) fn record(&self, took: Duration, lag: Duration) {
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
