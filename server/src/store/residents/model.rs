//! What stands in for moka under the model checker: the least recently used goes.

use std::sync::Arc;

use super::evicted::{Evicted, Handle};
use crate::{
    store::outcome::EvictionPolicy,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[derive(Debug)]
pub(super) struct Handles {
    most: u64,
    /// The least recently used first.
    order: Mutex<Vec<(u64, Handle)>>,
    evicted: Arc<Evicted>,
}

impl Handles {
    pub(super) fn new(most: u64, _: EvictionPolicy, evicted: Arc<Evicted>) -> Self {
        Self { most, order: Mutex::default(), evicted }
    }

    pub(super) fn insert(&self, hash: u64, handle: Handle) {
        let mut order = self.lock();
        order.retain(|(held, _)| *held != hash);
        order.push((hash, handle));
    }

    pub(super) fn remove(&self, hash: u64) {
        self.lock().retain(|(held, _)| *held != hash);
    }

    pub(super) fn report(&self, hash: u64) {
        let mut order = self.lock();
        if let Some(at) = order.iter().position(|(held, _)| *held == hash) {
            let used = order.remove(at);
            order.push(used);
        }
    }

    pub(super) fn settle(&self) {
        while self.count_and_weight().1 > self.most {
            let (hash, handle) = self.lock().remove(0);
            self.evicted.put((hash, handle.mark));
        }
    }

    pub(super) fn count_and_weight(&self) -> (u64, u64) {
        let order = self.lock();
        (order.len() as u64, order.iter().map(|(_, handle)| u64::from(handle.weight)).sum())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Handle)>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
