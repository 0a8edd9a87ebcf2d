//! The window: new entries in the order in which they came. The table holds them; here stand their
//! hashes, what they weigh together, and the ghost of those that were dropped.
//!
//! First come, first judged: a read moves nothing here (admission by a window as in W-TinyLFU, by
//! hits and a ghost as in S3-FIFO).

use crate::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    ghost::Ghost,
    ring::{self, Item, Ring},
};

/// The window of one shard. Its lock is a leaf: nothing else is taken under it.
#[derive(Debug)]
pub(super) struct Window(Mutex<Queue>);

#[derive(Debug)]
struct Queue {
    ring: Ring,
    ghost: Ghost,
}

impl Window {
    pub(super) fn new(ghost_slots: u64) -> Self {
        Self(Mutex::new(Queue { ring: Ring::default(), ghost: Ghost::new(ghost_slots) }))
    }

    /// Lets a new key in at the end, unless the ghost knows it. Returns whether it did.
    pub(super) fn admit(&self, item: Item, held: u64) -> bool {
        let mut queue = self.lock();
        let known = queue.ghost.take(item.0, held);
        if !known {
            queue.ring.push(item);
        }
        !known
    }

    /// The item that came first. Its entry may have gone, or be another.
    pub(super) fn pop(&self) -> Option<Item> {
        self.lock().ring.pop()
    }

    pub(super) fn remember_dropped(&self, hash: u64) {
        self.lock().ghost.put(hash);
    }

    /// Takes out the items whose entries are gone, when they are more than half, `entries` being
    /// there: deletes and expiry leave them. Works chunk by chunk, and asks `is_there` while the lock is free.
    pub(super) fn compact(&self, entries: u64, is_there: impl Fn(Item) -> bool) {
        ring::compact(entries, is_there, |work| work(&mut self.lock().ring));
    }

    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.lock().ring.len()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
