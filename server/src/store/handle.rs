//! The store's verbs, as one worker calls them: each finds the shard, applies there, and counts.

use std::sync::Arc;

use tiny_cache_proto::key::{Key, Namespace};

use super::{
    capacity::most_bytes_with_ticket,
    counters::Counters,
    entry::{Content, HashedKey},
    invalidations::{Scope, TooManyInvalidations},
    outcome::{Lookup, Outcome, Refused},
    quota_limits::OverQuota,
    shard::{Shard, Written},
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

    /// The number of its worker.
    pub(super) fn worker(&self) -> usize {
        self.worker
    }

    /// The store behind the handle, for those that outlive the call.
    pub(super) fn shared(&self) -> &Arc<Store> {
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
    pub fn get_at(&self, place: Located<'_>) -> Lookup {
        let found = place.shard.get(place.key);
        let is_hit = matches!(found, Lookup::Hit(_));
        self.count_read(place.key.key.namespace(), is_hit);
        self.sample_read(place, is_hit);
        self.note_request(place.key, found.value_bytes());
        found
    }

    /// Reads a live value, and counts neither a hit nor a miss. It is a use of the entry all the same.
    pub(crate) fn peek(&self, key: Key<'_>) -> Lookup {
        let Located { shard, key } = self.store.locate(key);
        shard.get(key)
    }

    /// Whether a live value is there. It is no use of the entry.
    pub(crate) fn has(&self, key: Key<'_>) -> bool {
        let Located { shard, key } = self.store.locate(key);
        shard.has(key)
    }

    /// Counts a write that was carried out elsewhere.
    pub(crate) fn count_write(&self, namespace: Namespace<'_>, value_bytes: usize) {
        self.counters().count_write(self.store.namespaces.take(namespace.as_str()), value_bytes);
    }

    /// Whether a value may be written.
    ///
    /// # Errors
    /// [`Refused`], which is counted.
    pub(crate) fn admit_write(&self, key: Key<'_>, value: &[u8], ttl: Ttl) -> Result<(), Refused> {
        self.admissible(self.store.locate(key).key, Content::plain(value, ttl))
    }

    /// Puts in a value that was written elsewhere, if it may be kept here. Counts nothing.
    pub(crate) fn fill(&self, key: Key<'_>, value: &[u8], ttl: Ttl) {
        let Located { shard, key } = self.store.locate(key);
        let content = Content::plain(value, ttl);
        if value.len() > self.store.limits().max_value_bytes || !self.has_quota(key, content) {
            return;
        }
        let written = shard.set(key, content);
        self.store.keep_quota(written.slot, written.hash);
        shard.make_room(written);
    }

    /// Counts a read as a hit or a miss.
    pub fn count_read(&self, namespace: Namespace<'_>, hit: bool) {
        let slot = self.store.namespaces.find(namespace.as_str());
        self.counters().count_read(slot, hit);
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
    pub fn set_at(&self, place: Located<'_>, value: &[u8], ttl: Ttl) -> Result<(), Refused> {
        let content = Content::plain(value, ttl);
        self.note_request(place.key, value.len());
        self.admissible(place.key, content)?;
        let written = place.shard.set(place.key, content);
        self.conclude(place.shard, written, value);
        self.sample_write(place, Outcome::Stored, content);
        Ok(())
    }

    /// Writes a value unless a live one is there. Counts neither as a hit nor as a miss.
    ///
    /// # Errors
    /// [`Refused`] when nothing is there and the value is too large.
    pub fn set_if_absent(&self, key: Key<'_>, value: &[u8], ttl: Ttl) -> Result<Outcome, Refused> {
        let place = self.store.locate(key);
        self.note_request(place.key, value.len());
        let content = Content::plain(value, ttl);
        let done = place.shard.set_if(place.key, content, |current, _| match current {
            Some(_) => Ok(Outcome::Exists),
            None => self.admissible(place.key, content).map(|()| Outcome::Stored),
        });
        let outcome = self.concluded(place.shard, done?, value);
        self.sample_write(place, outcome, content);
        Ok(outcome)
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
        self.note_request(place.key, value.len());
        let content = Content::plain(value, ttl);
        let done = place.shard.set_if(place.key, content, |current, _| match current {
            None => Ok(Outcome::NotFound),
            Some(current) if current.value() != expected => Ok(Outcome::Mismatch),
            Some(_) => self.admissible(place.key, content).map(|()| Outcome::Stored),
        });
        let outcome = self.concluded(place.shard, done?, value);
        self.sample_write(place, outcome, content);
        Ok(outcome)
    }

    /// Counts a call, or an item of a batch, that is refused before it reaches the store.
    pub(crate) fn count_refusal(&self, namespace: Namespace<'_>) {
        self.counters().count_refused(self.store.namespaces.find(namespace.as_str()));
    }

    /// Lets a request of a namespace through, unless its quota for them is used up. A batch counts
    /// as its items.
    ///
    /// # Errors
    /// [`Refused::OverQuota`], which is counted.
    pub(crate) fn admit(&self, namespace: Namespace<'_>, items: usize) -> Result<(), Refused> {
        let Some(quotas) = &self.store.quotas else { return Ok(()) };
        quotas.admit(namespace, items).map_err(|over| self.refuse(namespace, over))
    }

    pub(super) fn concluded(
        &self,
        shard: &Shard,
        (outcome, written): (Outcome, Option<Written>),
        value: &[u8],
    ) -> Outcome {
        if let Some(written) = written {
            self.conclude(shard, written, value);
        }
        outcome
    }

    /// Has what is beyond the limits evicted after a write, and counts it. Its namespace's quota
    /// comes first: a namespace that keeps to it by evictions of its own pushes out no other's.
    pub(super) fn conclude(&self, shard: &Shard, written: Written, value: &[u8]) {
        self.make_room(shard, written);
        self.counters().count_write(written.slot, value.len());
    }

    pub(super) fn make_room(&self, shard: &Shard, written: Written) {
        self.store.keep_quota(written.slot, written.hash);
        shard.make_room(written);
    }

    #[cold]
    fn refuse(&self, namespace: Namespace<'_>, over: OverQuota) -> Refused {
        self.count_refusal(namespace);
        Refused::OverQuota(Box::new(over))
    }

    /// Makes entries of a namespace unreadable that were written before, in a time that does not
    /// depend on how many there are. The upkeep removes them.
    ///
    /// # Errors
    /// [`TooManyInvalidations`]: nothing was done.
    pub fn invalidate(
        &self,
        namespace: Namespace<'_>,
        scope: Scope<'_>,
    ) -> Result<(), TooManyInvalidations> {
        self.store.invalidate(namespace, scope)
    }

    /// Removes the entry, if there is one.
    pub fn delete(&self, key: Key<'_>) {
        self.delete_at(self.store.locate(key));
    }

    /// As [`delete`](Self::delete).
    pub fn delete_at(&self, Located { shard, key }: Located<'_>) {
        self.note_request(key, 0);
        shard.delete(key);
        self.sample_removal(key.hash);
    }

    /// Every value up to the limits can be taken: a shard always holds several of the largest,
    /// or is the only one, and makes room by eviction. So does a namespace with a quota, which an
    /// entry may fill alone.
    pub(super) fn admissible(
        &self,
        key: HashedKey<'_>,
        content: Content<'_>,
    ) -> Result<(), Refused> {
        let namespace = key.key.namespace();
        if content.value.len() > self.store.limits().max_value_bytes {
            self.counters().count_oversize();
            self.count_refusal(namespace);
            return Err(Refused::Oversize);
        }
        let Some(quotas) = &self.store.quotas else { return Ok(()) };
        quotas
            .admit_entry(namespace, most_bytes(key, content))
            .map_err(|over| self.refuse(namespace, over))
    }

    fn has_quota(&self, key: HashedKey<'_>, content: Content<'_>) -> bool {
        let most = most_bytes(key, content);
        let quotas = self.store.quotas.as_ref();
        quotas.is_none_or(|quotas| quotas.admit_entry(key.key.namespace(), most).is_ok())
    }

    fn counters(&self) -> &Counters {
        self.store.counters.of(self.worker)
    }
}

/// The most bytes that an entry of a namespace with a quota is counted as.
fn most_bytes(key: HashedKey<'_>, content: Content<'_>) -> u64 {
    let has_deadline = content.life.ttl != Ttl::Forever;
    most_bytes_with_ticket(key.stored_len() + content.stored_len(), has_deadline)
}
