//! The window: new entries in the order in which they came. The table holds them; here stand their
//! hashes, what they weigh together, and the ghost of those that were dropped.
//!
//! First come, first judged: a read moves nothing here (admission by a window as in W-TinyLFU, by
//! hits and a ghost as in S3-FIFO).

use std::collections::VecDeque;

use crate::sync::{Mutex, MutexGuard, PoisonError};

use super::ghost::Ghost;

/// Items of a chunk: 4 KiB.
const CHUNK: usize = 256;

/// An entry's hash, and the mark that tells it from an earlier one of the key.
pub(super) type Item = (u64, u32);

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
        let mut at = {
            let ring = &self.lock().ring;
            if (ring.len as u64) < 2 * entries + 4 * CHUNK as u64 {
                return;
            }
            // The first chunk is being taken from.
            ring.first + 1
        };
        loop {
            let Some(items) = self.lock().ring.chunk(at) else { return };
            let stale = |item: &Item| !is_there(*item);
            let stale = items.into_iter().filter(stale).collect();
            at = self.lock().ring.take_out(at, &stale);
        }
    }

    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.lock().ring.len
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queue in chunks, each of which can be thinned out while the others stand.
#[derive(Debug, Default)]
struct Ring {
    chunks: VecDeque<VecDeque<Item>>,
    /// The number of the first chunk, counted from the beginning.
    first: u64,
    len: usize,
}

impl Ring {
    fn push(&mut self, item: Item) {
        if self.chunks.back().is_none_or(|chunk| chunk.len() >= CHUNK) {
            self.chunks.push_back(VecDeque::with_capacity(CHUNK));
        }
        self.chunks.back_mut().expect("there is one now").push_back(item);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.chunks.front_mut()?.pop_front() {
                self.len -= 1;
                return Some(item);
            }
            if self.chunks.len() == 1 {
                return None;
            }
            self.chunks.pop_front();
            self.first += 1;
        }
    }

    /// The items of chunk `number`, unless it is the last one, which is being added to.
    fn chunk(&self, number: u64) -> Option<Vec<Item>> {
        let index = self.index(number);
        (index + 1 < self.chunks.len()).then(|| self.chunks[index].iter().copied().collect())
    }

    /// Takes `stale` items out of a chunk, and puts the rest behind those of the chunk before it
    /// where they fit. Returns the number of the next chunk.
    fn take_out(&mut self, number: u64, stale: &std::collections::HashSet<Item>) -> u64 {
        let index = self.index(number);
        let chunk = &mut self.chunks[index];
        let before = chunk.len();
        chunk.retain(|item| !stale.contains(item));
        self.len -= before - chunk.len();
        let left = chunk.len();
        if index > 0 && self.chunks[index - 1].len() + left <= CHUNK {
            let rest = self.chunks.remove(index).unwrap_or_default();
            self.chunks[index - 1].extend(rest);
            return self.first + index as u64;
        }
        self.first + index as u64 + 1
    }

    /// Where a chunk is now; the first one, if it has gone meanwhile.
    fn index(&self, number: u64) -> usize {
        number.saturating_sub(self.first) as usize
    }
}
