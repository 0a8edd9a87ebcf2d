//! One shard: a moka cache with a write lock, a ledger and an expiry index around it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use moka::{notification::RemovalCause, policy, sync::Cache};

use super::{
    EvictionPolicy, Lookup, Outcome, Refused, Stats, Ttl,
    capacity::{Capacity, entry_bytes},
    clock::{Clock, Deadline},
    entry::{Entry, HashOnly, StoredKey, Wanted},
    expiry::ExpiryIndex,
    ledger::{Departure, Footprint, Ledger, NamespaceShare},
    namespaces::{Namespaces, SLOTS, Slot},
    route::Prehashed,
    stripes::Stripes,
};

#[derive(Debug)]
pub(super) struct Shard {
    cache: Cache<StoredKey, Entry, Prehashed>,
    stripes: Stripes,
    ledger: Arc<Ledger>,
    expiry: Arc<ExpiryIndex>,
    capacity: Capacity,
    clock: Clock,
    namespaces: Arc<Namespaces>,
    /// Applies each write before the next read is recorded, so that the order of use is exact.
    /// A maintenance run of moka applies all pending reads before all pending writes: with
    /// writes pending, an entry that was read after them counts as older than they are, and
    /// goes first. TinyLFU judges by how often a key is asked for and does not need it.
    in_order: bool,
}

/// What a shard holds that is not past its deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShardStats {
    pub(crate) entries: u64,
    pub(crate) memory_bytes: u64,
}

impl Shard {
    pub(super) fn new(
        capacity: Capacity,
        policy: EvictionPolicy,
        clock: Clock,
        namespaces: Arc<Namespaces>,
    ) -> Self {
        let ledger = Ledger::shared();
        let expiry = Arc::new(ExpiryIndex::default());
        let cache = Cache::builder()
            .max_capacity(capacity.weight)
            .weigher(move |key: &StoredKey, entry: &Entry| {
                moka_weight(capacity.weigh(entry_bytes(key.len(), entry.value.len())))
            })
            .eviction_policy(match policy {
                EvictionPolicy::TinyLfu => policy::EvictionPolicy::tiny_lfu(),
                EvictionPolicy::Lru => policy::EvictionPolicy::lru(),
            })
            .eviction_listener({
                let (ledger, expiry, clock) = (ledger.clone(), expiry.clone(), clock.clone());
                let admits_all = policy == EvictionPolicy::Lru;
                // Runs inside moka's maintenance and under its lock for the key, so it only
                // counts, and takes no lock but the index's.
                move |key: Arc<StoredKey>, entry: Entry, cause: RemovalCause| {
                    expiry.remove(entry.deadline, key.hash());
                    let expired =
                        entry.deadline != Deadline::NEVER && entry.deadline.passed(clock.now());
                    let bytes = entry_bytes(key.len(), entry.value.len());
                    let weight = capacity.weigh(bytes);
                    let departure = Departure::new(cause, expired, entry.write);
                    let footprint = Footprint { bytes, weight, slot: entry.slot };
                    ledger.remove(footprint, departure, admits_all);
                }
            })
            .build_with_hasher(Prehashed);
        Self {
            cache,
            stripes: Stripes::new(),
            ledger,
            expiry,
            capacity,
            clock,
            namespaces,
            in_order: policy == EvictionPolicy::Lru,
        }
    }

    /// Adds the shard's figures, and tells what it holds. What is past its deadline is not
    /// counted, removed or not.
    pub(super) fn add_to(&self, stats: &mut Stats) -> ShardStats {
        self.settle();
        let (entries, bytes) = self.expiry.lapsed(self.clock.now());
        let held = ShardStats {
            entries: self.ledger.entries().saturating_sub(entries),
            memory_bytes: self.ledger.bytes().saturating_sub(bytes),
        };
        stats.entries += held.entries;
        stats.memory_bytes += held.memory_bytes;
        self.ledger.add_to(stats);
        held
    }

    /// The share of each namespace.
    pub(super) fn by_namespace(&self) -> [NamespaceShare; SLOTS] {
        self.ledger.by_namespace()
    }

    pub(super) fn get(&self, wanted: Wanted<'_>) -> Lookup {
        match self.live(wanted) {
            Some(value) => Lookup::Hit(value),
            None => Lookup::Miss,
        }
    }

    /// Writes a value. Returns the number of its namespace.
    pub(super) fn set(&self, wanted: Wanted<'_>, value: &[u8], ttl: Ttl) -> Slot {
        let write = Write::new(self, wanted, value, ttl);
        {
            let _guard = self.stripes.lock(wanted.hash);
            write.insert();
        }
        write.settle();
        write.footprint.slot
    }

    /// Reads the live value, lets `decide`, and writes when it says [`Outcome::Stored`]; no
    /// other write of the key comes in between. Returns the number of the namespace that was
    /// written to, if one was.
    pub(super) fn set_if(
        &self,
        wanted: Wanted<'_>,
        value: &[u8],
        ttl: Ttl,
        decide: impl FnOnce(Option<&[u8]>) -> Result<Outcome, Refused>,
    ) -> Result<(Outcome, Option<Slot>), Refused> {
        let guard = self.stripes.lock(wanted.hash);
        let current = self.live(wanted);
        let outcome = decide(current.as_deref())?;
        if outcome == Outcome::Stored {
            let write = Write::new(self, wanted, value, ttl);
            write.insert();
            drop(guard);
            write.settle();
            return Ok((outcome, Some(write.footprint.slot)));
        }
        Ok((outcome, None))
    }

    pub(super) fn delete(&self, wanted: Wanted<'_>) {
        let _guard = self.stripes.lock(wanted.hash);
        self.cache.invalidate(&wanted);
    }

    /// Removes entries that are past their deadline, at most as many as `due` has room for.
    /// Returns how many it looked at, and how long the first was overdue.
    pub(super) fn expire(&self, due: &mut Vec<(Deadline, u64)>) -> (usize, Duration) {
        due.clear();
        let now = self.clock.now();
        self.expiry.due(now, due);
        for &(deadline, hash) in &*due {
            let _guard = self.stripes.lock(hash);
            // Still listed under the lock: so the entry with this hash has this deadline,
            // and was not replaced meanwhile.
            if self.expiry.contains(deadline, hash) {
                self.cache.invalidate(&HashOnly(hash));
            }
        }
        (due.len(), due.first().map_or(Duration::ZERO, |(deadline, _)| deadline.lag(now)))
    }

    /// Applies what moka has pending: reads to the order of use, writes to the weight.
    pub(super) fn settle(&self) {
        self.cache.run_pending_tasks();
    }

    fn live(&self, wanted: Wanted<'_>) -> Option<Bytes> {
        let entry = self.cache.get(&wanted)?;
        let live = entry.deadline == Deadline::NEVER || !entry.deadline.passed(self.clock.now());
        live.then_some(entry.value)
    }
}

/// One write on its way into a shard.
struct Write<'a> {
    shard: &'a Shard,
    wanted: Wanted<'a>,
    value: Bytes,
    ttl: Ttl,
    footprint: Footprint,
}

impl<'a> Write<'a> {
    fn new(shard: &'a Shard, wanted: Wanted<'a>, value: &[u8], ttl: Ttl) -> Self {
        let bytes = entry_bytes(wanted.stored_len(), value.len());
        let slot = shard.namespaces.take(wanted.key.namespace().as_str());
        Self {
            shard,
            wanted,
            value: Bytes::copy_from_slice(value),
            ttl,
            footprint: Footprint { bytes, weight: shard.capacity.weigh(bytes), slot },
        }
    }

    /// Puts the entry into the cache. The caller holds the key's stripe.
    fn insert(&self) {
        let Shard { cache, ledger, expiry, clock, .. } = self.shard;
        let Footprint { bytes, slot, .. } = self.footprint;
        let begun = clock.now();
        let deadline = Deadline::after(begun, self.ttl);
        let deadline = expiry.add(deadline, self.wanted.hash, bytes);
        if !self.heavy() {
            ledger.add(self.footprint);
        }
        ledger.write(|write| {
            let entry = Entry { value: self.value.clone(), deadline, write, slot };
            cache.insert(StoredKey::new(self.wanted), entry);
        });
        if clock.now().since(begun) >= STALL {
            ledger.count_stall();
        }
    }

    /// Makes room when the shard overshoots. moka does so by the number of pending writes,
    /// up to 384 of them; here it goes by their bytes. An entry that is heavier than all
    /// the slack counts from when room was made for it.
    ///
    /// Under LRU each write settles: 0.3 to 0.6 us in a loop of inserts into a full cache of
    /// 100 and 1000 entries, beside the 1.0 to 1.4 us of the insert.
    fn settle(&self) {
        let Shard { ledger, capacity, in_order, .. } = self.shard;
        if self.heavy() {
            if ledger.weight() + self.footprint.weight > capacity.weight {
                ledger.count_forced_maintenance();
            }
            self.shard.settle();
            ledger.add(self.footprint);
            free_retired();
            return;
        }
        let overshoots = ledger.weight() > capacity.weight + capacity.slack();
        if overshoots {
            ledger.count_forced_maintenance();
        }
        if overshoots || *in_order {
            self.shard.settle();
        }
    }

    fn heavy(&self) -> bool {
        self.footprint.weight > self.shard.capacity.slack()
    }
}

/// From this long on, a write's way into the shard is a stall. moka does not tell: a writer
/// that finds its channel full sleeps for 50 microseconds at a time until it is not, and one
/// that finds maintenance due does it first. So each write reads the clock once more at its
/// end; it reads it for the deadline at the beginning anyway.
const STALL: Duration = Duration::from_millis(1);

/// Frees the values that moka has let go of. Its table retires them to crossbeam's epochs,
/// which free them two epochs later, and an epoch passes only when threads come by: with
/// values of a mebibyte that kept tens of them from the allocator.
fn free_retired() {
    for _ in 0..EPOCHS {
        crossbeam::epoch::pin().flush();
    }
}

/// Steps from an entry's removal until nobody can be reading it: two epochs, and the one
/// that is under way.
const EPOCHS: usize = 3;

/// moka's weights are 32 bits wide. [`Capacity`] keeps an entry's share within them, and the
/// settings a value.
fn moka_weight(weight: u64) -> u32 {
    u32::try_from(weight).unwrap_or(u32::MAX)
}

#[cfg(test)]
impl Shard {
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn indexed(&self) -> usize {
        self.expiry.len()
    }

    /// What moka itself says that it holds.
    pub(super) fn moka_count_and_weight(&self) -> (u64, u64) {
        (self.cache.entry_count(), self.cache.weighted_size())
    }
}
