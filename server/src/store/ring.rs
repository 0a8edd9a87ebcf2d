//! A queue of entries in the order in which they came, kept as their hashes. An entry that leaves
//! the table otherwise leaves its item here, stale, until the queue is compacted. Knows no locks.

use std::collections::{HashSet, VecDeque};

/// Items of a chunk: 4 KiB.
const CHUNK: usize = 256;

/// Bytes of an item.
pub(super) const ITEM_BYTES: usize = size_of::<Item>();

/// An entry's hash, and the number that tells it from an earlier one of the key.
pub(super) type Item = (u64, u32);

/// A queue in chunks, each of which can be thinned out while the others stand.
#[derive(Debug, Default)]
pub(super) struct Ring {
    chunks: VecDeque<VecDeque<Item>>,
    /// The number of the first chunk, counted from the beginning.
    first: u64,
    len: usize,
}

impl Ring {
    /// Adds an item at the end.
    pub(super) fn push(&mut self, item: Item) {
        if self.chunks.back().is_none_or(|chunk| chunk.len() >= CHUNK) {
            self.chunks.push_back(VecDeque::with_capacity(CHUNK));
        }
        self.chunks.back_mut().expect("there is one now").push_back(item);
        self.len += 1;
    }

    /// The item that came first.
    pub(super) fn pop(&mut self) -> Option<Item> {
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

    /// How many items there are, stale ones among them.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The items of chunk `number`, unless it is the last one, which is being added to.
    fn chunk(&self, number: u64) -> Option<Vec<Item>> {
        let index = self.index(number);
        (index + 1 < self.chunks.len()).then(|| self.chunks[index].iter().copied().collect())
    }

    /// Takes `stale` items out of a chunk, and puts the rest behind those of the chunk before it
    /// where they fit. Returns the number of the next chunk.
    fn take_out(&mut self, number: u64, stale: &HashSet<Item>) -> u64 {
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

/// Takes out the items whose entries are gone, when they are more than half, `entries` being there.
/// Works chunk by chunk: `locked` locks the queue for each, and `is_there` is asked while it is free.
pub(super) fn compact(
    entries: u64,
    is_there: impl Fn(Item) -> bool,
    locked: impl Fn(&mut dyn FnMut(&mut Ring)),
) {
    // The first chunk is being taken from.
    let mut at = None;
    locked(&mut |ring| {
        let is_due = ring.len as u64 >= 2 * entries + 4 * CHUNK as u64;
        at = is_due.then_some(ring.first + 1);
    });
    while let Some(number) = at {
        let mut items = None;
        locked(&mut |ring| items = ring.chunk(number));
        let Some(items) = items else { return };
        let stale = items.into_iter().filter(|item| !is_there(*item)).collect();
        locked(&mut |ring| at = Some(ring.take_out(number, &stale)));
    }
}
