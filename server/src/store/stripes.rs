//! One lock domain for all writes of a key.
//!
//! moka's insert and invalidate are atomic each, but read-decide-write needs them to
//! exclude one another. A key always takes the same stripe; two keys may share one, which
//! costs a wait and never a wrong answer. Reads do not come here.

use crossbeam::utils::CachePadded;

use crate::sync::{Mutex, MutexGuard, PoisonError};

use super::route::{STRIPES, stripe};

/// The striped write lock of one shard.
#[derive(Debug)]
pub(super) struct Stripes(Box<[CachePadded<Mutex<()>>]>);

/// Held around a write; other writes of the same key wait.
#[must_use = "the stripe is free again as soon as this is dropped"]
pub(super) struct WriteGuard<'a>(
    #[expect(dead_code, reason = "held, never read")] MutexGuard<'a, ()>,
);

impl Stripes {
    pub(super) fn new() -> Self {
        Self((0..STRIPES).map(|_| CachePadded::new(Mutex::new(()))).collect())
    }

    /// Waits for the stripe of this hash. A panic of an earlier holder does not matter: the
    /// lock guards no data of its own.
    pub(super) fn lock(&self, hash: u64) -> WriteGuard<'_> {
        let stripe = &self.0[stripe(hash)];
        WriteGuard(stripe.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
