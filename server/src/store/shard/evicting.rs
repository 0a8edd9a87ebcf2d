//! Makes room: judges the window's entries, and takes out what moka evicted.

use std::time::Duration;

use super::{
    super::{
        capacity::Capacity,
        clock::Moment,
        entry::{Entry, Place},
        ledger::{Departure, Graduation},
        outcome::EvictionPolicy,
        ring::Item,
    },
    Next, Shard, Written,
};

/// From this long on, a write's way into the shard is a stall. moka does not tell: a writer that
/// finds its channel full sleeps for 50 microseconds at a time until it is not, and one that finds
/// maintenance due does it first. So a write that gave moka a handle reads the clock once more.
const STALL: Duration = Duration::from_millis(1);

impl Shard {
    /// Evicts what is beyond the shard's weight after a value was written, and tells moka of it. The
    /// caller holds no stripe.
    pub(in crate::store) fn make_room(&self, Written { hash, next, begun, .. }: Written) {
        match next {
            Next::Nothing => {}
            Next::Report => self.report(hash),
            // moka applies all pending uses before all pending writes. So that the order of use is
            // exact, no write may be pending when the next use comes.
            Next::Settle => self.relieve(self.policy == EvictionPolicy::Lru),
        }
        let judged = self.judge_window(begun);
        if (judged || next == Next::Settle) && self.clock.now().since(begun) >= STALL {
            self.ledger.count_stall();
        }
    }

    /// Judges the window's entries while the shard is over its weight and the window above its
    /// share. Returns whether there was anything to do.
    fn judge_window(&self, now: Moment) -> bool {
        let Capacity { weight, window, .. } = self.capacity;
        let is_over =
            || self.ledger.all().weight() > weight && self.ledger.window().weight() > window;
        let mut judged = false;
        while is_over()
            && let Some(item) = self.window.pop()
        {
            self.judge(item, now);
            judged = true;
        }
        if judged {
            self.relieve(false);
        }
        judged
    }

    /// Has moka evict what it holds beyond its weight, or `always` what it has pending. moka goes
    /// by the number of pending writes, up to 384 of them; here it goes by their weight.
    fn relieve(&self, always: bool) {
        let all = self.ledger.all().weight();
        let residents = all.saturating_sub(self.ledger.window().weight());
        let is_over = residents > self.capacity.residents() + self.capacity.slack();
        if is_over {
            self.ledger.count_forced_maintenance();
        }
        if is_over || always {
            self.residents.settle();
        }
        self.bury();
    }

    /// Makes the entry that came first into the window a resident, or drops it.
    fn judge(&self, item: Item, now: Moment) {
        let (hash, mark) = item;
        let mut stripe = self.stripes.lock(hash);
        let Some(entry) = stripe.find(hash).filter(|entry| entry.waits_as(mark)) else { return };
        let cause = self.cause(&stripe.noted, entry, Departure::Dropped, || now);
        if cause == Departure::Dropped && matches!(entry.place(), Place::Window { hits: 2.. }) {
            self.ledger.take_off(self.size(entry));
            self.make_resident(hash, entry);
            self.ledger.add(self.size(entry));
            self.ledger.count_graduation(Graduation::Hits);
            return;
        }
        let dropped = stripe.take_if(hash, |_| true);
        drop(stripe);
        if let Some(entry) = dropped {
            self.ledger.remove(self.size(&entry), cause);
            if cause == Departure::Dropped {
                self.window.remember_dropped(hash);
            }
        }
    }

    /// Takes what moka evicted out of the table. The caller holds no stripe.
    pub(super) fn bury(&self) {
        for (hash, mark) in self.residents.take_evicted() {
            let is_it = |entry: &Entry| !entry.waits() && entry.mark() == mark;
            let evicted = match self.policy {
                EvictionPolicy::TinyLfu => Departure::Unjudged { mark },
                EvictionPolicy::Window | EvictionPolicy::Lru => Departure::Evicted,
            };
            let gone = {
                let mut stripe = self.stripes.lock(hash);
                let gone = stripe.take_if(hash, is_it);
                let now = || self.clock.now();
                gone.map(|entry| (self.cause(&stripe.noted, &entry, evicted, now), entry))
            };
            if let Some((departure, entry)) = gone {
                self.ledger.remove(self.size(&entry), departure);
            }
        }
    }
}
