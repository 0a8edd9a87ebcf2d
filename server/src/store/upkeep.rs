//! Removes in the background what is past its deadline, and applies what the shards have
//! pending, so that a request does not find work piled up.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::{Instrument, Span, field::Empty, info_span};

use super::{shard::Shard, sharded::Store};

/// How long a sweep works before it rests as long.
const SPELL: Duration = Duration::from_millis(2);

/// The longest pause between two sweeps, whatever is set: what is past its deadline still
/// takes memory, which live entries want.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// From this lag on, a sweep no longer gives way to requests: more ends than it removes.
const LATE: Duration = Duration::from_secs(4);

/// The store's upkeep, which has a thread of its own.
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

    /// Sweeps, and simulates other memory, until it is dropped.
    pub async fn run(self) {
        tokio::join!(self.keep_sweeping(), self.store.keep_simulating());
    }

    async fn keep_sweeping(&self) {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(self.pause).await;
            // For the traces: what the store did while a request waited.
            let span = info_span!("sweep", removed = Empty, lag_seconds = Empty);
            last = self.sweep(last).instrument(span).await;
        }
    }

    /// Removes everything that was due when it began. It rests as long as it worked, so that a
    /// mass of entries that end together takes at most half of a core from the requests; only
    /// when it is late it does not rest. Takes the moment when the last sweep ended, and returns
    /// its own.
    async fn sweep(&self, last: Instant) -> Instant {
        let begun = Instant::now();
        let mut longest_lag = Duration::ZERO;
        let mut all_removed = 0_i64;
        let mut working = Instant::now();
        for shard in &self.store.shards {
            for stripe in 0..shard.stripes() {
                loop {
                    let (removed, lag) = shard.expire(stripe);
                    longest_lag = longest_lag.max(lag);
                    all_removed += removed as i64;
                    if removed == 0 {
                        break;
                    }
                    let worked = working.elapsed();
                    if worked >= SPELL {
                        if lag < LATE {
                            tokio::time::sleep(worked).await;
                        } else {
                            tokio::task::yield_now().await;
                        }
                        working = Instant::now();
                    }
                }
            }
            shard.settle();
            shard.compact();
        }
        self.remove_invalidated().await;
        self.keep_quotas().await;
        self.store.release_empty_namespaces();
        Span::current().record("removed", all_removed);
        Span::current().record("lag_seconds", longest_lag.as_secs_f64());
        let left = self.store.shards.iter().map(Shard::left_window).sum();
        let ended = Instant::now();
        self.store.sweeps.record_left_window(left, ended - last);
        self.store.sweeps.record(ended - begun, longest_lag);
        ended
    }

    /// Removes what was invalidated before it began. It rests as long as it worked.
    async fn remove_invalidated(&self) {
        let Some(up_to) = self.store.pending_invalidations() else { return };
        let mut working = Instant::now();
        for shard in &self.store.shards {
            for stripe in 0..shard.stripes() {
                let rest = async || {
                    let worked = working.elapsed();
                    if worked >= SPELL {
                        tokio::time::sleep(worked).await;
                        working = Instant::now();
                    }
                };
                shard.sweep_invalidated(stripe, up_to, rest).await;
            }
            shard.settle();
            shard.compact();
        }
        self.store.invalidations_done(up_to);
    }

    /// Has namespaces evict what they hold beyond their quotas since these were lowered, or because
    /// entries have become residents, which weigh more. It rests as long as it worked.
    async fn keep_quotas(&self) {
        loop {
            let working = Instant::now();
            if self.store.keep_quotas(SPELL) {
                return;
            }
            tokio::time::sleep(working.elapsed()).await;
        }
    }
}

#[cfg(test)]
impl Upkeep {
    pub(super) async fn sweep_once(&self) {
        self.sweep(Instant::now()).await;
    }
}
