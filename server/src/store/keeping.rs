//! Has namespaces keep to their quotas: those that hold too much evict entries of their own, in the
//! order in which these came, with a second chance for what was used meanwhile (CLOCK).

use std::time::{Duration, Instant};

use super::{
    namespaces::Slot,
    quota_limits::QuotaRules,
    quotas::{Judged, Quota, Terms},
    sharded::Store,
};

/// Items that one write takes off its namespace's queue at most: about two milliseconds, and more
/// than the smallest entries that the largest value by default, 4 MiB, pushes out.
const MOST_LOOKS: usize = 16 << 10;

/// Entries that get a second chance before one write takes them as they come.
const SECOND_CHANCES: usize = 8;

/// Items between two looks at the time.
const LOOKS: usize = 64;

impl Store {
    /// Sets other quotas. What is held already counts in them when this returns; what is beyond them
    /// goes with the next write of its namespace, or with the next sweep.
    ///
    /// # Errors
    /// The name for which there is no place, because as many others hold entries. Nothing changes
    /// then.
    ///
    /// # Panics
    /// If the store was made without quotas.
    pub fn set_quotas<'a>(&self, rules: &'a QuotaRules) -> Result<(), &'a str> {
        let quotas = self.quotas.as_ref().expect("a store made with quotas");
        quotas.set(rules)?;
        for shard in &self.shards {
            (0..shard.stripes()).for_each(|stripe| shard.count_anew(stripe));
        }
        Ok(())
    }

    /// Has a namespace evict what it holds beyond its quota, now that this entry was written.
    pub(super) fn keep_quota(&self, slot: Slot, written: u64) {
        let Some(quotas) = &self.quotas else { return };
        let quota = quotas.of(slot);
        if quota.is_exceeded() {
            self.evict_own(slot, quota, Some(written), MOST_LOOKS);
        }
    }

    /// Has each namespace evict what it holds beyond its quota, and clears the queues of what has
    /// left. Returns whether it could within `time`.
    pub(super) fn keep_quotas(&self, time: Duration) -> bool {
        let Some(quotas) = &self.quotas else { return true };
        let begun = Instant::now();
        for slot in Slot::all() {
            let quota = quotas.of(slot);
            while quota.is_exceeded() && self.evict_own(slot, quota, None, LOOKS) {
                if begun.elapsed() >= time {
                    return false;
                }
            }
            quota.compact(|item| self.shard_of(item.0).is_queued(slot, item));
        }
        true
    }

    /// Takes up to `looks` items off a queue, until the namespace is within its quota. Returns
    /// whether there were so many.
    #[cold]
    fn evict_own(&self, slot: Slot, quota: &Quota, written: Option<u64>, looks: usize) -> bool {
        let mut spared = 0;
        for _ in 0..looks {
            let Some(item) = quota.pop() else { return false };
            let terms = Terms { written, second_chance: spared < SECOND_CHANCES };
            match self.shard_of(item.0).judge_queued(slot, item, terms) {
                Judged::Gone => {}
                Judged::Spared => {
                    quota.put_back(item);
                    spared += 1;
                }
                Judged::Evicted => quota.count_eviction(),
            }
            if !quota.is_exceeded() {
                return true;
            }
        }
        true
    }
}
