//! What each namespace with a quota holds, in which order its entries came, and how fast it is asked
//! for. Knows numbers of namespaces and hashes of entries; the shards have the entries.
//!
//! An entry of a namespace whose bytes or number are limited has a *ticket*, its number in the
//! namespace's queue, and counts in the namespace's totals as long as it has it. All shards share
//! queue and totals, so that a quota holds for the whole and is not divided. An entry without a
//! ticket has no part in any of this.
//!
//! The lock of a queue is a leaf: nothing else is taken under it.

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
};

use arc_swap::ArcSwapOption;
use crossbeam::utils::CachePadded;
use governor::{
    DefaultDirectRateLimiter, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use tiny_cache_proto::key::Namespace;

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};

use super::{
    entry::Entry,
    namespaces::{Namespaces, SLOTS, Slot},
    quota_limits::{Excess, Named, OverQuota, QuotaLimits, QuotaRules, RateLimit},
    ring::{self, Item, Ring},
};

/// Tickets go from 1 to this, and then from 1 again. A queue that is compacted holds far fewer.
const LAST_TICKET: u32 = u32::MAX >> 1;

/// The quotas of all namespaces.
#[derive(Debug)]
pub(super) struct Quotas {
    namespaces: Arc<Namespaces>,
    /// By the numbers of the namespaces.
    each: Box<[CachePadded<Quota>]>,
}

/// The quotas of one namespace, and what it has of them.
#[derive(Debug)]
pub(super) struct Quota {
    /// `u64::MAX`: no limit.
    max_bytes: AtomicU64,
    max_entries: AtomicU64,
    /// What its entries with a ticket count as.
    bytes: AtomicU64,
    entries: AtomicU64,
    queue: Mutex<Queue>,
    rate: ArcSwapOption<Rate>,
    evictions: AtomicU64,
    refused: [AtomicU64; 2],
}

#[derive(Debug, Default)]
struct Queue {
    ring: Ring,
    last_ticket: u32,
}

#[derive(Debug)]
struct Rate {
    limit: RateLimit,
    limiter: DefaultDirectRateLimiter,
}

/// What a namespace's quotas are, and what became of what was beyond them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QuotaStats {
    pub(crate) limits: QuotaLimits,
    /// Entries that it evicted of its own.
    pub(crate) evictions: u64,
    /// Calls that came too fast.
    pub(crate) refused_requests: u64,
    /// Writes of entries that are larger than all of the quota.
    pub(crate) refused_entries: u64,
}

/// What became of an item of a namespace's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// Its entry had gone before, or was past its deadline.
    Gone,
    /// Its entry stays.
    Spared,
    Evicted,
}

/// How an item of a namespace's queue is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The hash of the entry that room is made for.
    pub(super) written: Option<u64>,
    /// Whether an entry that was used since the queue last looked at it stays for once.
    pub(super) second_chance: bool,
}

impl QuotaStats {
    /// Without what the number counted for the names that had it before.
    pub(super) fn since(self, before: &Self) -> Self {
        Self {
            limits: self.limits,
            evictions: self.evictions.saturating_sub(before.evictions),
            refused_requests: self.refused_requests.saturating_sub(before.refused_requests),
            refused_entries: self.refused_entries.saturating_sub(before.refused_entries),
        }
    }
}

impl Quotas {
    /// # Errors
    /// As [`Self::set`].
    pub(super) fn new(namespaces: Arc<Namespaces>, rules: &QuotaRules) -> Result<Self, &str> {
        let each = (0..SLOTS).map(|_| CachePadded::default()).collect();
        let quotas = Self { namespaces, each };
        quotas.set(rules)?;
        Ok(quotas)
    }

    /// Sets the limits. What is held beyond them is evicted with the next write of its namespace,
    /// or by the next sweep. An entry that was written while its namespace had no limit has to be
    /// given a ticket afterwards.
    ///
    /// # Errors
    /// The name for which there is no number. Nothing changes then.
    pub(super) fn set<'a>(&self, rules: &'a QuotaRules) -> Result<(), &'a str> {
        self.namespaces.keep(rules.named.keys().map(String::as_str))?;
        let mut limits = [rules.others; SLOTS];
        limits[Slot::SHARED.index()] = rules.shared.unwrap_or(rules.others);
        for (name, named) in &rules.named {
            limits[self.namespaces.find(name).index()] = *named;
        }
        for (quota, limits) in self.each.iter().zip(&limits) {
            quota.set(limits);
        }
        Ok(())
    }

    pub(super) fn of(&self, slot: Slot) -> &Quota {
        &self.each[slot.index()]
    }

    /// Gives an entry of a namespace whose entries are limited a place in its queue: that of the
    /// entry which it replaces, or the last. The caller holds the stripe of the hash.
    pub(super) fn give_ticket(&self, hash: u64, entry: &Entry, before: Option<&Entry>) {
        let quota = self.of(entry.slot());
        if !quota.bounds() {
            return;
        }
        let before = before.filter(|held| held.slot() == entry.slot()).and_then(Entry::ticket);
        entry.set_ticket(Some(before.unwrap_or_else(|| quota.enqueue(hash))));
        if before.is_some() {
            entry.note_use();
        }
    }

    /// Lets a request through, unless its namespace is asked for too much. A batch counts as its
    /// items.
    pub(super) fn admit(&self, namespace: Namespace<'_>, items: usize) -> Result<(), OverQuota> {
        let slot = self.namespaces.find(namespace.as_str());
        let quota = self.of(slot);
        let rate = quota.rate.load();
        let Some(Rate { limit, limiter }) = rate.as_deref() else { return Ok(()) };
        let n = u32::try_from(items.max(1)).ok().and_then(NonZeroU32::new);
        let (name, limit, what) = match n.map(|n| limiter.check_n(n)) {
            Some(Ok(Ok(()))) => return Ok(()),
            Some(Ok(Err(not_until))) => {
                let wait = not_until.wait_time_from(DefaultClock::default().now());
                ("requests_per_second", limit.per_second, Excess::Rate { wait })
            }
            Some(Err(_)) | None => ("burst", limit.burst, Excess::Batch { items }),
        };
        quota.refused[REQUEST].fetch_add(1, Ordering::Relaxed);
        Err(OverQuota { name, limit: limit.get().into(), namespace: named(slot, namespace), what })
    }

    /// Lets an entry through that may count as so many bytes, unless that is more than its
    /// namespace may have in all.
    pub(super) fn admit_entry(
        &self,
        namespace: Namespace<'_>,
        bytes: u64,
    ) -> Result<(), OverQuota> {
        let slot = self.namespaces.find(namespace.as_str());
        let quota = self.of(slot);
        let limit = quota.max_bytes.load(Ordering::Relaxed);
        if bytes <= limit {
            return Ok(());
        }
        quota.refused[ENTRY].fetch_add(1, Ordering::Relaxed);
        let (namespace, what) = (named(slot, namespace), Excess::Entry { bytes });
        Err(OverQuota { name: "max_bytes", limit, namespace, what })
    }
}

const REQUEST: usize = 0;
const ENTRY: usize = 1;

fn named(slot: Slot, namespace: Namespace<'_>) -> Named {
    let name = || namespace.as_str().into();
    match slot {
        Slot::SHARED => Named::Shared,
        Slot::OTHER => Named::Other(name()),
        _ => Named::Own(name()),
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            max_bytes: AtomicU64::new(u64::MAX),
            max_entries: AtomicU64::new(u64::MAX),
            bytes: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            queue: Mutex::default(),
            rate: ArcSwapOption::empty(),
            evictions: AtomicU64::new(0),
            refused: [const { AtomicU64::new(0) }; 2],
        }
    }
}

impl Quota {
    fn set(&self, limits: &QuotaLimits) {
        let most = |limit: Option<NonZeroU64>| limit.map_or(u64::MAX, u64::from);
        self.max_bytes.store(most(limits.max_bytes), Ordering::Relaxed);
        self.max_entries.store(most(limits.max_entries), Ordering::Relaxed);
        // A limiter that stays goes on from where it is.
        let before = self.rate.load().as_ref().map(|rate| rate.limit);
        if before != limits.rate {
            self.rate.store(limits.rate.map(|limit| {
                let quota = governor::Quota::per_second(limit.per_second).allow_burst(limit.burst);
                Arc::new(Rate { limit, limiter: RateLimiter::direct(quota) })
            }));
        }
    }

    /// Whether it limits what is held.
    pub(super) fn bounds(&self) -> bool {
        let no_limit = |limit: &AtomicU64| limit.load(Ordering::Relaxed) == u64::MAX;
        !(no_limit(&self.max_bytes) && no_limit(&self.max_entries))
    }

    /// Whether more is held than may be.
    pub(super) fn is_exceeded(&self) -> bool {
        let over = |held: &AtomicU64, most: &AtomicU64| {
            held.load(Ordering::Relaxed) > most.load(Ordering::Relaxed)
        };
        over(&self.bytes, &self.max_bytes) || over(&self.entries, &self.max_entries)
    }

    /// Gives an entry a place at the end of the queue. Returns its ticket. The caller holds the
    /// stripe of the hash.
    fn enqueue(&self, hash: u64) -> u32 {
        let mut queue = self.queue();
        queue.last_ticket = queue.last_ticket % LAST_TICKET + 1;
        let ticket = queue.last_ticket;
        queue.ring.push((hash, ticket));
        ticket
    }

    /// The item that came first. Its entry may have gone, or be another.
    pub(super) fn pop(&self) -> Option<Item> {
        self.queue().ring.pop()
    }

    /// Puts an item back at the end.
    pub(super) fn put_back(&self, item: Item) {
        self.queue().ring.push(item);
    }

    /// Takes out the items whose entries are gone, when they are more than half.
    pub(super) fn compact(&self, is_there: impl Fn(Item) -> bool) {
        let entries = self.entries.load(Ordering::Relaxed);
        ring::compact(entries, is_there, |work| work(&mut self.queue().ring));
    }

    /// Counts an entry that has a ticket.
    pub(super) fn add(&self, bytes: u64) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes it off.
    pub(super) fn take_off(&self, bytes: u64) {
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn count_eviction(&self) {
        self.evictions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> QuotaStats {
        let limit = |limit: &AtomicU64| {
            let limit = limit.load(Ordering::Relaxed);
            NonZeroU64::new(limit).filter(|limit| limit.get() < u64::MAX)
        };
        let rate = self.rate.load().as_ref().map(|rate| rate.limit);
        QuotaStats {
            limits: QuotaLimits {
                max_bytes: limit(&self.max_bytes),
                max_entries: limit(&self.max_entries),
                rate,
            },
            evictions: self.evictions.load(Ordering::Relaxed),
            refused_requests: self.refused[REQUEST].load(Ordering::Relaxed),
            refused_entries: self.refused[ENTRY].load(Ordering::Relaxed),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Quota {
    /// What is counted: entries and bytes.
    pub(super) fn held(&self) -> (u64, u64) {
        (self.entries.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Items of the queue, stale ones among them.
    pub(super) fn queued(&self) -> usize {
        self.queue().ring.len()
    }
}
