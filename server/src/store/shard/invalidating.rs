//! Takes out what was invalidated, and counts it before.

use super::{
    super::ledger::{Departure, EntrySize},
    REMOVED, RESIDENT_COST, Shard,
};

/// So many entries are looked at while their stripe waits: some tens of microseconds.
const LOOKED_AT: usize = 512;

impl Shard {
    /// Looks at the entries of one stripe, and takes out those that were invalidated up to this
    /// record. Lets go of the stripe now and then, and calls `between`, which may wait.
    pub(in crate::store) async fn sweep_invalidated(
        &self,
        stripe: usize,
        up_to: u64,
        mut between: impl AsyncFnMut(),
    ) {
        // What is written from now on has a later stamp.
        let hashes = self.stripes.at(stripe).hashes();
        let mut rest = &hashes[..];
        while !rest.is_empty() {
            self.take_invalidated(stripe, &mut rest);
            between().await;
        }
        self.stripes.at(stripe).noted.swept(up_to);
    }

    /// Looks at the first of these hashes, as long as a stripe may be held, and takes them off.
    fn take_invalidated(&self, stripe: usize, hashes: &mut &[u64]) {
        let now = self.clock.now();
        // Freed once the stripe is let go.
        let mut gone = Vec::new();
        {
            let mut stripe = self.stripes.at(stripe);
            let next = &hashes[..hashes.len().min(LOOKED_AT)];
            stripe.fetch(next.iter().copied());
            let (mut looked_at, mut cost) = (0, 0);
            while looked_at < next.len() && cost < REMOVED {
                let hash = next[looked_at];
                looked_at += 1;
                let Some(entry) = stripe.find(hash) else { continue };
                if !self.invalidations.has(&stripe.noted, entry) {
                    continue;
                }
                if let Some(entry) = self.take_if(&mut stripe, hash, |_| true) {
                    cost += if entry.waits() { 1 } else { RESIDENT_COST };
                    let is_over = entry.is_over(|| now);
                    let departure =
                        if is_over { Departure::Expired } else { Departure::Invalidated };
                    // Under the stripe, as in `expire`.
                    self.ledger.remove(self.size(&entry), departure);
                    gone.push(entry);
                }
            }
            *hashes = &hashes[looked_at..];
        }
    }

    /// Calls `each` for what was invalidated in a stripe and is neither removed nor past its deadline.
    /// Lets go of the stripe now and then. Returns how many entries were looked at.
    pub(in crate::store) fn each_invalidated(
        &self,
        stripe: usize,
        mut each: impl FnMut(EntrySize),
    ) -> usize {
        let hashes = {
            let stripe = self.stripes.at(stripe);
            if !stripe.noted.is_unswept() {
                return 0;
            }
            stripe.hashes()
        };
        let now = self.clock.now();
        for hashes in hashes.chunks(LOOKED_AT) {
            let stripe = self.stripes.at(stripe);
            stripe.fetch(hashes.iter().copied());
            for entry in hashes.iter().filter_map(|&hash| stripe.find(hash)) {
                let cause = self.cause(&stripe.noted, entry, Departure::Deleted, || now);
                if cause == Departure::Invalidated {
                    each(self.size(entry));
                }
            }
        }
        hashes.len()
    }
}
