//! Keeps the entries. Knows keys, values and deadlines; it knows nothing of gRPC.
//!
//! A request's way through it: [`route`] hashes the key and chooses a [`shard`]; a write
//! takes one of the shard's [`stripes`] around read-decide-write; the shard keeps an
//! [`entry`] in its moka cache, its bytes in the [`ledger`] and its deadline, a moment on the
//! store's [`clock`], in the [`expiry`] index; what is told of each namespace goes by the number that it has in
//! [`namespaces`]; [`upkeep`] removes in the background what is past its deadline.
//! Reads take no lock of ours.

mod capacity;
mod clock;
mod entry;
mod expiry;
mod ledger;
mod namespaces;
mod route;
mod shard;
mod stripes;
mod tally;
mod upkeep;

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc, time::Duration};

use bytes::Bytes;
use thiserror::Error;

use tiny_cache_proto::key::{Key, Namespace};

use crate::sync::{Mutex, PoisonError};

use self::{
    capacity::Capacity,
    entry::Wanted,
    namespaces::{Namespaces, Slot},
    route::Route,
    shard::Shard,
    tally::Tally,
    upkeep::Sweeps,
};

pub use self::{
    capacity::{ENTRY_OVERHEAD_BYTES, StoreLimits},
    tally::Lane,
    upkeep::Upkeep,
};
pub(crate) use self::{
    shard::ShardStats,
    upkeep::{LONGEST_PAUSE, SweepStats},
};

/// Which entry gives way when the store is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EvictionPolicy {
    /// A new key is let in only if it was asked for more often than those it would push
    /// out (Einziger, Friedman, Manes: "TinyLFU", ACM ToS 2017). Keeps a hot set against
    /// scans; turns away keys that nobody has asked for yet.
    #[default]
    TinyLfu,
    /// The least recently used entry of the new one's shard goes, and every new key is let in.
    Lru,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A live entry's value, shared with the store, not copied.
    Hit(Bytes),
    /// Nothing, or nothing alive.
    Miss,
}

/// What a conditional write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The value was written.
    Stored,
    /// A live entry was there already.
    Exists,
    /// No live entry was there to compare with.
    NotFound,
    /// The live entry had another value.
    Mismatch,
}

/// How long an entry lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Until it is deleted, replaced or evicted.
    Forever,
    /// Gone as soon as this much time has passed, that of a suspend included.
    For(Duration),
}

impl Ttl {
    /// Reads the wire's seconds: 0 or less means forever.
    pub fn from_seconds(seconds: i32) -> Self {
        match u64::try_from(seconds) {
            Ok(seconds @ 1..) => Ttl::For(Duration::from_secs(seconds)),
            _ => Ttl::Forever,
        }
    }
}

/// A write that was turned away; the old value stands. The texts are part of the wire
/// contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The value is larger than `CACHE_MAX_VALUE_BYTES`.
    #[error("Value exceeds maximum allowed cache entry size")]
    Oversize,
}

/// The figures of the whole store, in full 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries held that are not past their deadline.
    pub entries: u64,
    /// Reads that found a live entry.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Entries that had been let in and were pushed out to stay within the limits.
    pub lru_evictions: u64,
    /// New entries that TinyLFU turned away from a full shard. An estimate: an entry counts
    /// here when it goes before the shard has seen 448 further writes.
    pub admission_rejections: u64,
    /// Entries that were removed, or written over, after their deadline.
    pub expired_removals: u64,
    /// Writes that replaced no live entry.
    pub inserts: u64,
    /// Writes that replaced one.
    pub overwrites: u64,
    /// Live entries that callers deleted.
    pub deletes: u64,
    /// Writes that ran their shard's maintenance to make room for themselves.
    pub forced_maintenance: u64,
    /// Writes that took a millisecond or longer to enter their shard.
    pub write_stalls: u64,
    /// Writes refused because the value was too large.
    pub rejected_oversize: u64,
    /// Writes refused because no room could be made. Stays 0: a shard holds the largest
    /// value, or is the only one and holds nothing else; the field is the contract's.
    pub rejected_capacity: u64,
    /// Bytes of those entries: keys, values and overhead.
    pub memory_bytes: u64,
    /// The limit on `memory_bytes`.
    pub max_memory_bytes: u64,
    /// The limit on `entries`; 0: none.
    pub max_items: u64,
    /// The largest value.
    pub max_value_bytes: u64,
}

impl Stats {
    /// Every entry that the policy removed to stay within the limits.
    pub fn evictions(&self) -> u64 {
        self.lru_evictions.saturating_add(self.admission_rejections)
    }

    /// Hits of all reads, from 0 to 1; 0 before the first read.
    pub fn hit_rate(&self) -> f64 {
        let reads = self.hits.saturating_add(self.misses);
        if reads == 0 { 0.0 } else { self.hits as f64 / reads as f64 }
    }
}

/// The figures of the store's parts, beside those of the whole.
#[derive(Debug)]
pub(crate) struct Detail {
    pub(crate) whole: Stats,
    pub(crate) shards: Vec<ShardStats>,
    pub(crate) namespaces: Vec<NamespaceStats>,
    pub(crate) sweeps: SweepStats,
}

/// The figures of a namespace. What is held counts until it is removed, up to two seconds
/// after its deadline.
#[derive(Clone, Debug)]
pub(crate) struct NamespaceStats {
    pub(crate) name: String,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Writes that were carried out, and the bytes of their values.
    pub(crate) writes: u64,
    pub(crate) written_bytes: u64,
    /// Calls, and items of batches, that were refused.
    pub(crate) refusals: u64,
    /// Entries removed, or turned away, to stay within the limits.
    pub(crate) evictions: u64,
    pub(crate) entries: u64,
    pub(crate) memory_bytes: u64,
}

impl NamespaceStats {
    /// Without what the number counted for the names that had it before.
    fn since(&self, before: &Self) -> Self {
        Self {
            name: self.name.clone(),
            hits: self.hits.saturating_sub(before.hits),
            misses: self.misses.saturating_sub(before.misses),
            writes: self.writes.saturating_sub(before.writes),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
            refusals: self.refusals.saturating_sub(before.refusals),
            evictions: self.evictions.saturating_sub(before.evictions),
            ..*self
        }
    }
}

/// The sharded store. Share it by `Arc`; every method may be called from any thread.
#[derive(Debug)]
pub struct Store {
    route: Route,
    shards: Box<[Shard]>,
    tally: Tally,
    namespaces: Arc<Namespaces>,
    /// What each number had counted when its last name gave it back, by the number.
    released: Mutex<HashMap<usize, NamespaceStats>>,
    sweeps: Sweeps,
    limits: StoreLimits,
}

impl Store {
    /// Makes an empty store of about `shards` shards (a power of two, and fewer when a
    /// shard could not hold several of the largest values), with one lane of counters for
    /// each of `workers` threads.
    pub fn new(
        limits: StoreLimits,
        policy: EvictionPolicy,
        shards: NonZeroUsize,
        workers: NonZeroUsize,
    ) -> Arc<Self> {
        let plan = Capacity::plan(limits, shards);
        let route = Route::new(plan.len());
        let clock = clock::Clock::start();
        let namespaces = Arc::new(Namespaces::new());
        let shard = |capacity| Shard::new(capacity, policy, clock.clone(), namespaces.clone());
        Arc::new(Self {
            route,
            shards: plan.into_iter().map(shard).collect(),
            tally: Tally::new(workers),
            namespaces,
            released: Mutex::default(),
            sweeps: Sweeps::new(),
            limits,
        })
    }

    /// The counters' lane for one worker; see [`Lane`].
    pub fn lane(self: &Arc<Self>, worker: usize) -> Lane {
        Lane::new(self, worker)
    }

    /// How many shards there are.
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// The limits it was made with.
    pub fn limits(&self) -> StoreLimits {
        self.limits
    }

    /// The figures of this moment. Applies what the shards have pending, so that sizes are
    /// exact when nothing is being written.
    pub fn stats(&self) -> Stats {
        self.with_shards().0
    }

    /// The figures of this moment, of the whole and of its parts.
    pub(crate) fn detail(&self) -> Detail {
        let (whole, shards) = self.with_shards();
        let sweeps = self.sweeps.stats();
        Detail { whole, shards, namespaces: self.by_namespace(), sweeps }
    }

    fn with_shards(&self) -> (Stats, Vec<ShardStats>) {
        let mut stats = Stats {
            max_memory_bytes: self.limits.max_bytes,
            max_items: self.limits.max_items.map_or(0, |n| n.get() as u64),
            max_value_bytes: self.limits.max_value_bytes as u64,
            ..Stats::default()
        };
        self.tally.add_to(&mut stats);
        let shards = self.shards.iter().map(|shard| shard.add_to(&mut stats)).collect();
        (stats, shards)
    }

    fn by_namespace(&self) -> Vec<NamespaceStats> {
        let names = self.namespaces.names();
        let before = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        let each = self.by_slot();
        let named = names.into_iter().map(|(slot, name)| {
            let counted = &each[slot.index()];
            let counted = before.get(&slot.index()).map_or(counted.clone(), |at| counted.since(at));
            NamespaceStats { name, ..counted }
        });
        named.collect()
    }

    /// The figures of each number, of all names that it ever had.
    fn by_slot(&self) -> Vec<NamespaceStats> {
        let shards: Vec<_> = self.shards.iter().map(Shard::by_namespace).collect();
        let usages = self.tally.by_namespace().into_iter().enumerate();
        let each = usages.map(|(slot, usage)| {
            let shares = || shards.iter().map(|shard| shard[slot]);
            NamespaceStats {
                name: String::new(),
                hits: usage.hits,
                misses: usage.misses,
                writes: usage.writes,
                written_bytes: usage.written_bytes,
                refusals: usage.refusals,
                evictions: shares().map(|share| share.evictions).sum(),
                entries: shares().map(|share| share.entries).sum(),
                memory_bytes: shares().map(|share| share.bytes).sum(),
            }
        });
        each.collect()
    }

    /// Takes the numbers of namespaces back that hold nothing, when a new name finds none. The
    /// next name's counters start at zero.
    fn release_empty_namespaces(&self) {
        if !self.namespaces.full() {
            return;
        }
        let each = self.by_slot();
        let mut before = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        for slot in self.namespaces.release(|slot| each[slot.index()].entries == 0) {
            before.insert(slot.index(), each[slot.index()].clone());
        }
    }

    fn locate<'a>(&self, key: Key<'a>) -> (&Shard, Wanted<'a>) {
        let hash = self.route.hash(key);
        (&self.shards[self.route.shard(hash)], Wanted { hash, key })
    }
}

/// The operations, with the lane that counts them.
impl Lane {
    /// Reads a live value, and counts a hit or a miss.
    pub fn get(&self, key: Key<'_>) -> Lookup {
        let (shard, wanted) = self.store().locate(key);
        let found = shard.get(wanted);
        let slot = self.store().namespaces.find(key.namespace().as_str());
        self.count_read(slot, matches!(found, Lookup::Hit(_)));
        found
    }

    /// Writes a value and replaces the old one and its TTL. The value is copied to its
    /// exact size: a slice would pin the receive buffer that it came in.
    ///
    /// # Errors
    /// [`Refused`] when the value is too large; the old value stands.
    pub fn set(&self, key: Key<'_>, value: &[u8], ttl: Ttl) -> Result<(), Refused> {
        self.admissible(key, value)?;
        let (shard, wanted) = self.store().locate(key);
        let slot = shard.set(wanted, value, ttl);
        self.count_write(slot, value.len());
        Ok(())
    }

    /// Writes a value unless a live one is there. Counts neither as a hit nor as a miss.
    ///
    /// # Errors
    /// [`Refused`] when nothing is there and the value is too large.
    pub fn set_if_absent(&self, key: Key<'_>, value: &[u8], ttl: Ttl) -> Result<Outcome, Refused> {
        let (shard, wanted) = self.store().locate(key);
        let done = shard.set_if(wanted, value, ttl, |current| match current {
            Some(_) => Ok(Outcome::Exists),
            None => self.admissible(key, value).map(|()| Outcome::Stored),
        });
        self.counted_write(done?, value)
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
        let (shard, wanted) = self.store().locate(key);
        let done = shard.set_if(wanted, value, ttl, |current| match current {
            None => Ok(Outcome::NotFound),
            Some(current) if current != expected => Ok(Outcome::Mismatch),
            Some(_) => self.admissible(key, value).map(|()| Outcome::Stored),
        });
        self.counted_write(done?, value)
    }

    /// Counts a call, or an item of a batch, that is refused before it reaches the store.
    pub(crate) fn count_refusal(&self, namespace: Namespace<'_>) {
        self.count_refused(self.store().namespaces.find(namespace.as_str()));
    }

    fn counted_write(
        &self,
        (outcome, written): (Outcome, Option<Slot>),
        value: &[u8],
    ) -> Result<Outcome, Refused> {
        if let Some(slot) = written {
            self.count_write(slot, value.len());
        }
        Ok(outcome)
    }

    /// Removes the entry, if there is one.
    pub fn delete(&self, key: Key<'_>) {
        let (shard, wanted) = self.store().locate(key);
        shard.delete(wanted);
    }

    /// Every value up to the limit can be taken: a shard always holds several of the largest,
    /// or is the only one, and makes room by eviction.
    fn admissible(&self, key: Key<'_>, value: &[u8]) -> Result<(), Refused> {
        if value.len() <= self.store().limits.max_value_bytes {
            return Ok(());
        }
        self.count_oversize();
        self.count_refusal(key.namespace());
        Err(Refused::Oversize)
    }
}

#[cfg(all(test, feature = "shuttle"))]
pub(crate) mod interleavings;
#[cfg(test)]
mod tests;
