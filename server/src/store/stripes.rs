//! The table of a shard, in stripes: each has a part of the entries and their deadlines behind one
//! lock, for reads and for writes. A key always takes the same stripe; two keys may share one,
//! which costs a wait and never a wrong answer.
//!
//! A lock, and no table whose reads take none: a read holds it for some tens of nanoseconds, and
//! under it a reply's value can be counted as lent, a hit as a hit, and nothing is freed late.
//! A stripe's table has a place for each hash: of two keys with the same 64 bits, one in ten
//! million million million pairs, the later pushes the earlier out.

use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use crossbeam::utils::CachePadded;
use hashbrown::HashTable;

use crate::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    clock::{Deadline, Moment},
    entry::Entry,
    invalidations::{Invalidations, Noted},
    leases::Leases,
    lifetime::Lifetime,
    prefetch,
    route::{self, StripeCount},
    version::Stamp,
};

/// The stripes of one shard.
#[derive(Debug)]
pub(super) struct Stripes {
    stripes: Box<[CachePadded<Mutex<Stripe>>]>,
    count: StripeCount,
    invalidations: Arc<Invalidations>,
}

/// A part of the table. Nobody holds two.
#[derive(Debug, Default)]
pub(super) struct Stripe {
    entries: HashTable<Held>,
    /// Deadline and hash of each entry that has a TTL, in their order.
    deadlines: BTreeSet<(Deadline, u64)>,
    /// When an entry was last written.
    written: Stamp,
    pub(super) leases: Leases,
    /// Reads that found their entry in the window.
    pub(super) window_hits: u64,
    /// The invalidations that it knows of.
    pub(super) noted: Noted,
}

/// The hash stands beside the entry, so that a table that grows reads no entry.
#[derive(Debug)]
struct Held {
    hash: u64,
    entry: Entry,
}

impl Stripes {
    pub(super) fn new(count: StripeCount, invalidations: Arc<Invalidations>) -> Self {
        let stripes = (0..count.get()).map(|_| CachePadded::default()).collect();
        Self { stripes, count, invalidations }
    }

    /// Waits for the stripe of this hash.
    pub(super) fn lock(&self, hash: u64) -> MutexGuard<'_, Stripe> {
        self.at(route::stripe(hash, self.count))
    }

    /// Has the processor fetch the stripe of this hash: its lock, and where its table lies.
    pub(super) fn fetch(&self, hash: u64) {
        prefetch::line_of(&self.stripes[route::stripe(hash, self.count)]);
    }

    /// Each stripe in turn, locked while it is looked at.
    pub(super) fn each(&self) -> impl Iterator<Item = MutexGuard<'_, Stripe>> {
        (0..self.stripes.len()).map(|index| self.at(index))
    }

    pub(super) fn len(&self) -> usize {
        self.stripes.len()
    }

    /// Waits for a stripe by its number, and has it take note of invalidations. A panic of an earlier holder does not matter: each change
    /// of a stripe is whole before anything that could panic.
    pub(super) fn at(&self, index: usize) -> MutexGuard<'_, Stripe> {
        let mut stripe = self.stripes[index].lock().unwrap_or_else(PoisonError::into_inner);
        let Stripe { noted, written, .. } = &mut *stripe;
        self.invalidations.note(noted, || written.next());
        stripe
    }
}

impl Stripe {
    /// The entry with this hash.
    pub(super) fn find(&self, hash: u64) -> Option<&Entry> {
        self.entries.find(hash, |held| held.hash == hash).map(|held| &held.entry)
    }

    /// Has the processor fetch the entries with these hashes.
    pub(super) fn fetch(&self, hashes: impl Iterator<Item = u64>) {
        hashes.filter_map(|hash| self.find(hash)).for_each(Entry::fetch);
    }

    /// The stamp of a write at this moment: no other write of this stripe has it.
    pub(super) fn stamp(&mut self, now: Moment) -> Stamp {
        self.written = Stamp::after(self.written, now);
        self.written
    }

    /// Has an entry that is here live for another time.
    pub(super) fn set_lifetime(&mut self, hash: u64, lifetime: Lifetime) {
        let Some(entry) = self.find(hash) else { return };
        let before = entry.deadline();
        entry.set_lifetime(lifetime);
        let after = entry.deadline();
        self.forget_deadline(before, hash);
        self.remember_deadline(after, hash);
    }

    /// Puts an entry into the place of its hash. Returns the one that was there.
    pub(super) fn put(&mut self, hash: u64, entry: Entry) -> Option<Entry> {
        let deadline = entry.deadline();
        let same = |held: &Held| held.hash == hash;
        let replaced = if let Some(held) = self.entries.find_mut(hash, same) {
            Some(std::mem::replace(&mut held.entry, entry))
        } else {
            self.entries.insert_unique(hash, Held { hash, entry }, |held| held.hash);
            None
        };
        if let Some(replaced) = &replaced {
            replaced.leave();
            self.forget_deadline(replaced.deadline(), hash);
        }
        self.remember_deadline(deadline, hash);
        replaced
    }

    /// The hash of every entry.
    pub(super) fn hashes(&self) -> Vec<u64> {
        self.entries.iter().map(|held| held.hash).collect()
    }

    /// The hashes of some entries, at most so many.
    pub(super) fn first_hashes(&self, most: usize) -> Vec<u64> {
        self.entries.iter().take(most).map(|held| held.hash).collect()
    }

    /// Takes the entry with this hash out, if `wanted` says so.
    pub(super) fn take_if(
        &mut self,
        hash: u64,
        wanted: impl FnOnce(&Entry) -> bool,
    ) -> Option<Entry> {
        let found = self.entries.find_entry(hash, |held| held.hash == hash).ok()?;
        if !wanted(&found.get().entry) {
            return None;
        }
        let (Held { entry, .. }, _) = found.remove();
        entry.leave();
        self.forget_deadline(entry.deadline(), hash);
        self.shrink();
        Some(entry)
    }

    /// The hash of the entry whose deadline passed first, and that deadline.
    pub(super) fn first_over(&self, now: Moment) -> Option<(Deadline, u64)> {
        self.deadlines.first().copied().filter(|(deadline, _)| deadline.passed(now))
    }

    /// Entries that are past their deadline, from behind `after` on, in the order of deadlines.
    pub(super) fn over(
        &self,
        now: Moment,
        after: Bound<(Deadline, u64)>,
    ) -> impl Iterator<Item = ((Deadline, u64), &Entry)> {
        let over = self.deadlines.range((after, Bound::Unbounded));
        let over = over.take_while(move |(deadline, _)| deadline.passed(now));
        over.filter_map(|&(deadline, hash)| Some(((deadline, hash), self.find(hash)?)))
    }

    /// Every entry with its hash.
    pub(super) fn entries_by_hash(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.iter().map(|held| (held.hash, &held.entry))
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.entries.len(), self.deadlines.len())
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|held| &held.entry)
    }

    fn remember_deadline(&mut self, deadline: Deadline, hash: u64) {
        if deadline != Deadline::NEVER {
            self.deadlines.insert((deadline, hash));
        }
    }

    fn forget_deadline(&mut self, deadline: Deadline, hash: u64) {
        if deadline != Deadline::NEVER {
            self.deadlines.remove(&(deadline, hash));
        }
    }

    /// Gives memory back when most entries have gone.
    fn shrink(&mut self) {
        const SMALL: usize = 64;
        let (len, room) = (self.entries.len(), self.entries.capacity());
        if room > SMALL && len < room / 8 {
            self.entries.shrink_to(len * 2, |held| held.hash);
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    /// A lock and what every call looks at are one line of the processor's cache and its neighbour.
    #[test]
    fn a_stripe_takes_no_more_than_it_is_padded_to() {
        assert_eq!(size_of::<CachePadded<Mutex<Stripe>>>(), 128);
    }
}
