//! The near part: the store, as the loop fills and empties it.

use std::time::Instant;

use tiny_cache_proto::key::Key;

use crate::{
    store::{Lookup, StoreHandle},
    tier::remote::{self, Fetched},
};

#[derive(Debug)]
pub(super) struct NearPart(StoreHandle);

impl NearPart {
    pub(super) fn new(store: StoreHandle) -> Self {
        Self(store)
    }

    pub(super) fn find(&self, key: Key<'_>) -> Option<Lookup> {
        Some(self.0.peek(key)).filter(|found| *found != Lookup::Miss)
    }

    /// Takes in a value that was asked for at this moment.
    pub(super) fn fill(&self, key: Key<'_>, fetched: &Fetched, asked: Instant) {
        if let Some(ttl) = remote::left(fetched.ttl, asked) {
            self.0.fill(key, &fetched.value, ttl);
        }
    }

    pub(super) fn forget(&self, key: Key<'_>) {
        self.0.delete(key);
    }

    pub(super) fn flush(&self) {
        self.0.store().clear();
    }
}
