//! Takes out what is past its deadline, and counts it before.

use std::{ops::Bound, time::Duration};

use super::{
    super::{ledger::Departure, stats::Tally},
    REMOVED, RESIDENT_COST, Shard,
};

/// Lapsed entries are counted so many at a time while their stripe waits: some tens of
/// microseconds.
const COUNTED: usize = 1024;

impl Shard {
    /// Removes entries of one stripe that are past their deadline, as many as a stripe may be held
    /// for. Returns how many, and how long the first was overdue.
    pub(in crate::store) fn expire(&self, stripe: usize) -> (usize, Duration) {
        let now = self.clock.now();
        let mut gone = Vec::new();
        let mut lag = Duration::ZERO;
        {
            let mut stripe = self.stripes.at(stripe);
            stripe.leases.purge(now);
            let mut cost = 0;
            while cost < REMOVED
                && let Some((deadline, hash)) = stripe.first_over(now)
            {
                lag = lag.max(deadline.lag(now));
                let Some(entry) = self.take_if(&mut stripe, hash, |_| true) else { break };
                cost += if entry.waits() { 1 } else { RESIDENT_COST };
                // Before the stripe is let go, or a census would miss it here and count it there.
                self.ledger.remove(self.size(&entry), Departure::Expired);
                gone.push(entry);
            }
        }
        (gone.len(), lag)
    }

    /// Counts what has passed its deadline in a stripe and is not removed yet. After a mass expiry
    /// that is many, so it lets go of the stripe now and then, and calls `between`; what is removed
    /// or added meanwhile may be counted or not.
    pub(in crate::store) fn lapsed(&self, stripe: usize, mut between: impl FnMut()) -> Tally {
        let now = self.clock.now();
        let mut lapsed = Tally::default();
        let mut after = Bound::Unbounded;
        loop {
            let mut last = None;
            {
                let stripe = self.stripes.at(stripe);
                for (seen, (at, entry)) in (1..=COUNTED).zip(stripe.over(now, after)) {
                    lapsed = lapsed.and(Tally { entries: 1, bytes: self.size(entry).bytes });
                    last = (seen == COUNTED).then_some(at);
                }
            }
            let Some(last) = last else { return lapsed };
            after = Bound::Excluded(last);
            between();
        }
    }
}
