//! A handle, and the place where those are put down that moka evicted.

use crate::{
    store::ring::Item,
    sync::{AtomicUsize, Mutex, Ordering, PoisonError},
};

#[derive(Clone, Copy, Debug)]
pub(super) struct Handle {
    pub(super) weight: u32,
    pub(super) mark: u32,
}

/// What moka evicted and the table still has. Its lock is a leaf, and is taken inside moka's
/// maintenance.
#[derive(Debug, Default)]
pub(super) struct Evicted {
    items: Mutex<Vec<Item>>,
    count: AtomicUsize,
}

impl Evicted {
    pub(super) fn put(&self, item: Item) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.push(item);
        self.count.store(items.len(), Ordering::Release);
    }

    pub(super) fn take(&self) -> Vec<Item> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        self.count.store(0, Ordering::Release);
        std::mem::take(&mut items)
    }
}
