//! Whether a server takes its keys. A server that was down gets them back key by key: its share
//! grows from nothing to all in the time of the warm-up, so that an empty cache does not send all
//! its misses to whatever is behind it at once.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::Instant};

/// The state of a server of several, as this client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerState {
    /// It takes its keys.
    Up,
    /// It cannot be reached. The next servers on the ring take its keys.
    Down,
    /// It was down, and takes a share of its keys that grows.
    Returning,
}

/// The health of a server.
#[derive(Debug)]
pub(super) struct Health {
    /// Set while `phase` is `Up`: every call reads it.
    up: AtomicBool,
    phase: Mutex<Phase>,
}

#[derive(Debug)]
enum Phase {
    Up,
    /// The task waits until the server is back.
    Down(JoinHandle<()>),
    Returning {
        since: Instant,
    },
}

impl Health {
    pub(super) fn new() -> Self {
        Self { up: AtomicBool::new(true), phase: Mutex::new(Phase::Up) }
    }

    /// Whether the server takes a key of this hash. `watch` starts the task that waits for a server
    /// that is down, in case the last one ended with its runtime.
    pub(super) fn takes(
        &self,
        hash: u64,
        warm_up: Duration,
        watch: impl FnOnce() -> JoinHandle<()>,
    ) -> bool {
        if self.up.load(Ordering::Relaxed) {
            return true;
        }
        let mut phase = self.phase();
        match &*phase {
            Phase::Up => true,
            Phase::Down(task) => {
                if task.is_finished() {
                    *phase = Phase::Down(watch());
                }
                false
            }
            Phase::Returning { since } => {
                let share = since.elapsed().as_secs_f64() / warm_up.as_secs_f64();
                // Also if the warm-up takes no time, which makes it infinite or no number.
                if share < 1.0 {
                    return rank(hash) < share;
                }
                *phase = Phase::Up;
                self.up.store(true, Ordering::Relaxed);
                true
            }
        }
    }

    /// Takes all keys from the server until it is back; true unless they were taken already.
    pub(super) fn give_up(&self, watch: impl FnOnce() -> JoinHandle<()>) -> bool {
        let mut phase = self.phase();
        if matches!(*phase, Phase::Down(_)) {
            return false;
        }
        *phase = Phase::Down(watch());
        self.up.store(false, Ordering::Relaxed);
        true
    }

    /// The server is back.
    pub(super) fn come_back(&self) {
        *self.phase() = Phase::Returning { since: Instant::now() };
    }

    pub(super) fn state(&self, warm_up: Duration) -> ServerState {
        match &*self.phase() {
            Phase::Down(_) => ServerState::Down,
            Phase::Returning { since } if since.elapsed() < warm_up => ServerState::Returning,
            Phase::Up | Phase::Returning { .. } => ServerState::Up,
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The share at which a hash comes back, from 0 to 1. It mixes the hash anew: the keys of a server
/// lie close together on the ring.
fn rank(hash: u64) -> f64 {
    // The golden ratio times 2^64, as Fibonacci hashing has it.
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as f64 / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring;

    fn idle() -> JoinHandle<()> {
        tokio::spawn(std::future::pending())
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_down_gets_its_keys_back_one_by_one() {
        let warm_up = Duration::from_secs(10);
        let health = Health::new();
        let taken = || -> Vec<u64> {
            let hashes = (0..10_000).map(|n| ring::hash(&format!("key-{n}")));
            hashes.filter(|hash| health.takes(*hash, warm_up, idle)).collect()
        };
        assert_eq!((taken().len(), health.state(warm_up)), (10_000, ServerState::Up));
        assert!(health.give_up(idle));
        assert!(!health.give_up(idle));
        assert_eq!((taken().len(), health.state(warm_up)), (0, ServerState::Down));

        health.come_back();
        let mut before = taken();
        assert_eq!((before.len(), health.state(warm_up)), (0, ServerState::Returning));
        for tenth in 1..10 {
            tokio::time::advance(Duration::from_secs(1)).await;
            let now = taken();
            let expected = tenth * 1000;
            assert!((expected - 200..=expected + 200).contains(&now.len()), "{}", now.len());
            // None of them leaves again.
            assert!(before.iter().all(|hash| now.contains(hash)));
            before = now;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((taken().len(), health.state(warm_up)), (10_000, ServerState::Up));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_warm_up_it_gets_them_at_once() {
        let health = Health::new();
        health.give_up(idle);
        health.come_back();
        assert!(health.takes(7, Duration::ZERO, idle));
    }

    #[tokio::test]
    async fn a_watch_that_ended_is_replaced() {
        let health = Health::new();
        health.give_up(|| tokio::spawn(async {}));
        tokio::task::yield_now().await;
        let mut replaced = false;
        let watch = || {
            replaced = true;
            idle()
        };
        assert!(!health.takes(7, Duration::ZERO, watch));
        assert!(replaced);
    }
}
