//! The entries of a stripe, a part at a time. A table may grow or shrink between two parts, and then
//! its entries stand elsewhere; so a part goes by a number of each hash, which stays.

use super::{
    super::{clock::Moment, entry::Entry, seen::Listed},
    Shard,
};

/// The hashes of a stripe whose turn is next, each behind its number, in the order of numbers.
#[derive(Debug, Default)]
pub(in crate::store) struct Turn {
    pub(in crate::store) hashes: Vec<(u64, u64)>,
    /// Entries of the stripe that were passed to find them.
    pub(in crate::store) walked: usize,
    /// Whether the stripe has more behind them.
    pub(in crate::store) more: bool,
}

/// Hashes of a turn. Up to twice as many are kept while the stripe is walked.
pub(in crate::store) const TURN: usize = 1024;

/// Entries are looked at so many at a time while their stripe waits: some microseconds.
const LOOKED_AT: usize = 64;

impl Shard {
    /// Finds the hashes of a stripe with the lowest numbers from `from` on. The stripe waits while
    /// its table is walked, without a look at its entries: 80 microseconds for 4,000 of them (two busy
    /// cores, a store of 4 million).
    pub(in crate::store) fn turn(
        &self,
        stripe: usize,
        from: u64,
        number: impl Fn(u64) -> u64,
        turn: &mut Turn,
    ) {
        let Turn { hashes, walked, more } = turn;
        hashes.clear();
        hashes.reserve(2 * TURN);
        (*walked, *more) = (0, false);
        let mut keep_lowest = |hashes: &mut Vec<(u64, u64)>| {
            if hashes.len() <= TURN {
                return u64::MAX;
            }
            *more = true;
            let highest = hashes.select_nth_unstable(TURN - 1).1.0;
            hashes.truncate(TURN);
            highest
        };
        {
            let stripe = self.stripes.at(stripe);
            let mut to = u64::MAX;
            for (hash, _) in stripe.entries_by_hash() {
                *walked += 1;
                let number = number(hash);
                if (from..=to).contains(&number) {
                    hashes.push((number, hash));
                    if hashes.len() == 2 * TURN {
                        to = keep_lowest(hashes);
                    }
                }
            }
        }
        keep_lowest(hashes);
        hashes.sort_unstable();
    }

    /// Lists those entries of a stripe with these hashes that are `wanted` and live, until `take`
    /// wants no more. Returns how many hashes were gone through.
    pub(in crate::store) fn list(
        &self,
        stripe: usize,
        hashes: &[(u64, u64)],
        wanted: impl Fn(&Entry) -> bool,
        mut take: impl FnMut(Listed) -> bool,
    ) -> usize {
        let now = self.clock.now();
        let mut passed = 0;
        for group in hashes.chunks(LOOKED_AT) {
            let stripe = self.stripes.at(stripe);
            stripe.fetch(group.iter().map(|&(_, hash)| hash));
            for &(_, hash) in group {
                passed += 1;
                let Some(entry) = stripe.find(hash).filter(|entry| wanted(entry)) else { continue };
                let is_live =
                    entry.is_fresh(|| now) && !self.invalidations.has(&stripe.noted, entry);
                if is_live && !take(self.listed(entry, now)) {
                    return passed;
                }
            }
        }
        passed
    }

    fn listed(&self, entry: &Entry, now: Moment) -> Listed {
        Listed {
            key: entry.key().to_owned(),
            version: self.version_of(entry),
            value_bytes: entry.value().len(),
            ttl_left: entry.fresh_until().left(now),
        }
    }
}
