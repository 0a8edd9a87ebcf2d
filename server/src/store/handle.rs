//! The store's verbs, as one worker calls them: each finds the shard, applies there, and counts.

use std::sync::Arc;

use tiny_cache_proto::key::{Key, Namespace};

use super::{
    counters::Counters,
    namespaces::Slot,
    outcome::{Lookup, Outcome, Refused},
    sharded::{Located, Store},
    ttl::Ttl,
};

/// The store as one worker sees it: the same entries, and counters of the worker's own, so
/// that counting a read touches no other core's cache line.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    store: Arc<Store>,
    worker: usize,
}

impl StoreHandle {
    /// The handle of one worker. Workers beyond those that the store was made for share counters.
    pub fn new(store: Arc<Store>, worker: usize) -> Self {
        Self { worker: worker % store.counters.workers(), store }
    }

    /// The store behind the handle.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Finds the places of a batch's keys. The processor fetches meanwhile what is looked at there:
    /// in a large store each place is some misses of its caches away, and one after another they
    /// would be waited for.
    pub fn locate_all<'a, E>(
        &'a self,
        keys: impl Iterator<Item = Result<Key<'a>, E>>,
    ) -> Vec<Result<Located<'a>, E>> {
        let places: Vec<_> = keys.map(|key| Ok(self.store.locate(key?))).collect();
        for place in places.iter().flatten() {
            place.shard.fetch_stripe(place.key.hash);
        }
        for place in places.iter().flatten() {
            place.shard.fetch_entry(place.key.hash);
        }
        places
    }

    /// Reads a live value, and counts a hit or a miss.
    pub fn get(&self, key: Key<'_>) -> Lookup {
        self.get_at(self.store.locate(key))
    }

    /// As [`get`](Self::get).
    pub fn get_at(&self, Located { shard, key }: Located<'_>) -> Lookup {
        let found = shard.get(key);
        let slot = self.store.namespaces.find(key.key.namespace().as_str());
        self.counters().count_read(slot, matches!(found, Lookup::Hit(_)));
        found
    }

    /// Writes a value and replaces the old one and its TTL. The value is copied to its
    /// exact size: a slice would pin the receive buffer that it came in.
    ///
    /// # Errors
    /// [`Refused`] when the value is too large; the old value stands.
    pub fn set(&self, key: Key<'_>, value: &[u8], ttl: Ttl) -> Result<(), Refused> {
        self.set_at(self.store.locate(key), value, ttl)
    }

    /// As [`set`](Self::set).
    ///
    /// # Errors
    /// Likewise.
    pub fn set_at(
        &self,
        Located { shard, key }: Located<'_>,
        value: &[u8],
        ttl: Ttl,
    ) -> Result<(), Refused> {
        self.admissible(key.key, value)?;
        let slot = shard.set(key, value, ttl);
        self.counters().count_write(slot, value.len());
        Ok(())
    }

    /// Writes a value unless a live one is there. Counts neither as a hit nor as a miss.
    ///
    /// # Errors
    /// [`Refused`] when nothing is there and the value is too large.
    pub fn set_if_absent(&self, key: Key<'_>, value: &[u8], ttl: Ttl) -> Result<Outcome, Refused> {
        let place = self.store.locate(key);
        let done = place.shard.set_if(place.key, value, ttl, |current| match current {
            Some(_) => Ok(Outcome::Exists),
            None => self.admissible(key, value).map(|()| Outcome::Stored),
        });
        Ok(self.counted_write(done?, value))
    }

    /// Replaces the value if it equals `expected`. Counts neither as a hit nor as a miss.
    ///
    /// # Errors
    /// [`Refused`] when the comparison held and the value is too large.
    pub fn compare_and_set(
        &self,
        key: Key<'_>,
        expected: &[u8],
        value: &[u8],
        ttl: Ttl,
    ) -> Result<Outcome, Refused> {
        let place = self.store.locate(key);
        let done = place.shard.set_if(place.key, value, ttl, |current| match current {
            None => Ok(Outcome::NotFound),
            Some(current) if current != expected => Ok(Outcome::Mismatch),
            Some(_) => self.admissible(key, value).map(|()| Outcome::Stored),
        });
        Ok(self.counted_write(done?, value))
    }

    /// Counts a call, or an item of a batch, that is refused before it reaches the store.
    pub(crate) fn count_refusal(&self, namespace: Namespace<'_>) {
        self.counters().count_refused(self.store.namespaces.find(namespace.as_str()));
    }

    fn counted_write(&self, (outcome, written): (Outcome, Option<Slot>), value: &[u8]) -> Outcome {
        if let Some(slot) = written {
            self.counters().count_write(slot, value.len());
        }
        outcome
    }

    /// Removes the entry, if there is one.
    pub fn delete(&self, key: Key<'_>) {
        self.delete_at(self.store.locate(key));
    }

    /// As [`delete`](Self::delete).
    #[expect(clippy::unused_self, reason = "called as the verbs that count are")]
    pub fn delete_at(&self, Located { shard, key }: Located<'_>) {
        shard.delete(key);
    }

    /// Every value up to the limit can be taken: a shard always holds several of the largest,
    /// or is the only one, and makes room by eviction.
    fn admissible(&self, key: Key<'_>, value: &[u8]) -> Result<(), Refused> {
        if value.len() <= self.store.limits().max_value_bytes {
            return Ok(());
        }
        self.counters().count_oversize();
        self.count_refusal(key.namespace());
        Err(Refused::Oversize)
    }

    fn counters(&self) -> &Counters {
        self.store.counters.of(self.worker)
    }
}
