//! Removes in the background what is past its deadline, and applies what the shards have
//! pending, so that a request does not find work piled up.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Store, entry::Deadline};

/// Entries removed before the stripe, the index and the core are let go of. Removing one
/// takes about a microsecond.
const STEP: usize = 256;

/// The longest pause between two sweeps, whatever is set: what is past its deadline still
/// takes memory, which live entries want.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// From this lag on, a sweep no longer gives way to requests: more ends than it removes.
const LATE: Duration = Duration::from_secs(4);

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
            self.sweep().await;
        }
    }

    /// Removes everything that was due when it began. It works in steps, and after each it
    /// rests as long as it worked, so that a mass of entries that end together takes at
    /// most half of a core from the requests; only when it is late it does not rest.
    async fn sweep(&self) {
        let mut due = Vec::<(Deadline, u64)>::with_capacity(STEP);
        for shard in &self.store.shards {
            loop {
                let started = Instant::now();
                let (removed, lag) = shard.expire(&mut due);
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
    }
}

#[cfg(test)]
impl Upkeep {
    pub(super) async fn sweep_once(&self) {
        self.sweep().await;
    }
}
