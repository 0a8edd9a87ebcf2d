//! One shard: a table in stripes, a window and residents that share its room, and a ledger.
//!
//! An entry is in the table, and either in the window or among the residents. Its place changes
//! under its stripe only, and so does what moka is told to keep. The order of locks: a stripe, then
//! the window's queue or what moka takes; never two stripes.
//!
//! Room is the shard's weight. The residents may have nine tenths of it, the window the rest, and
//! whatever the residents leave: so a shard that is not full has nothing to do with moka. When it
//! overflows, the window's first entry is judged: read twice or more it becomes a resident, else it
//! is dropped and remembered by the ghost. A key that the ghost knows becomes a resident at once.
//! Policies without a window make residents of all entries.

use std::{ops::Bound, sync::Arc, time::Duration};

use super::{
    capacity::{Capacity, bytes_of},
    clock::{Clock, Deadline, Moment},
    entry::{Entry, HashedKey, Place},
    ledger::{Departure, EntrySize, Graduation, Ledger, NamespaceShare},
    namespaces::{Namespaces, SLOTS, Slot},
    outcome::{EvictionPolicy, Lookup, Outcome, Refused, Value},
    residents::Residents,
    route::StripeCount,
    stats::{ShardStats, Stats},
    stripes::{Stripe, Stripes},
    ttl::Ttl,
    window::{Item, Window},
};

#[derive(Debug)]
pub(super) struct Shard {
    stripes: Stripes,
    window: Window,
    residents: Residents,
    ledger: Ledger,
    capacity: Capacity,
    clock: Clock,
    namespaces: Arc<Namespaces>,
    policy: EvictionPolicy,
}

/// What a call has left to do when it has let go of its stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    /// Tell moka of a use.
    Report,
    /// moka has a new handle.
    Settle,
}

/// Lapsed entries are counted so many at a time while their stripe waits: some tens of
/// microseconds.
const COUNTED: usize = 1024;

/// They are removed so many at a time: likewise.
const REMOVED: usize = 64;

/// What removing a resident costs, in removals from the window: moka unlinks its handle.
const RESIDENT_COST: usize = 8;

/// From this long on, a write's way into the shard is a stall. moka does not tell: a writer that
/// finds its channel full sleeps for 50 microseconds at a time until it is not, and one that finds
/// maintenance due does it first. So a write that gave moka a handle reads the clock once more.
const STALL: Duration = Duration::from_millis(1);

impl Shard {
    pub(super) fn new(
        capacity: Capacity,
        policy: EvictionPolicy,
        clock: Clock,
        namespaces: Arc<Namespaces>,
    ) -> Self {
        // A shard too small for a window keeps the exact order of use instead.
        let policy = match policy {
            EvictionPolicy::Window if capacity.window == 0 => EvictionPolicy::Lru,
            policy => policy,
        };
        Self {
            stripes: Stripes::new(StripeCount::of(capacity.bytes)),
            window: Window::new(if capacity.window == 0 { 0 } else { capacity.ghost_slots() }),
            residents: Residents::new(capacity.residents(), policy),
            ledger: Ledger::default(),
            capacity,
            clock,
            namespaces,
            policy,
        }
    }

    /// The policy that it goes by.
    pub(super) fn policy(&self) -> EvictionPolicy {
        self.policy
    }

    /// Adds the shard's figures, and returns what it holds. What is past its deadline is not
    /// counted, removed or not.
    pub(super) fn add_to(&self, stats: &mut Stats) -> ShardStats {
        self.settle();
        // First what is held: an entry that a sweep removes between the two is then counted once
        // too often for a moment. The other way round, entries that stay were not counted.
        let all = self.ledger.all();
        let (entries, memory_bytes) = (all.entries(), all.bytes());
        let (lapsed, lapsed_bytes) = self.lapsed(|| {});
        let held = ShardStats {
            entries: entries.saturating_sub(lapsed),
            memory_bytes: memory_bytes.saturating_sub(lapsed_bytes),
        };
        stats.entries += held.entries;
        stats.memory_bytes += held.memory_bytes;
        self.ledger.add_to(stats);
        stats.window_entries += self.ledger.window().entries();
        stats.window_bytes += self.ledger.window().bytes();
        stats.window_hits += self.stripes.each().map(|stripe| stripe.window_hits).sum::<u64>();
        held
    }

    /// Entries that were judged at the window's end.
    pub(super) fn left_window(&self) -> u64 {
        self.ledger.judged()
    }

    /// The share of each namespace.
    pub(super) fn by_namespace(&self) -> [NamespaceShare; SLOTS] {
        self.ledger.by_namespace()
    }

    pub(super) fn get(&self, key: HashedKey<'_>) -> Lookup {
        let (found, next) = {
            let mut stripe = self.stripes.lock(key.hash);
            let live = stripe.find(key.hash).filter(|entry| self.is_live(entry, key));
            let next = self.asked_for(live);
            let found = live.map_or(Lookup::Miss, |entry| Lookup::Hit(Value::of(entry)));
            let in_window = live.is_some_and(Entry::waits);
            stripe.window_hits += u64::from(in_window);
            (found, next)
        };
        if next == Next::Report {
            self.report(key.hash);
        }
        found
    }

    /// Has the processor fetch the stripe of this hash.
    pub(super) fn fetch_stripe(&self, hash: u64) {
        self.stripes.fetch(hash);
    }

    /// Has the processor fetch the entry with this hash, if there is one.
    pub(super) fn fetch_entry(&self, hash: u64) {
        if let Some(entry) = self.stripes.lock(hash).find(hash) {
            entry.fetch();
        }
    }

    /// Writes a value. Returns the number of its namespace.
    pub(super) fn set(&self, key: HashedKey<'_>, value: &[u8], ttl: Ttl) -> Slot {
        let now = self.clock.now();
        let (entry, slot) = self.entry(key, value, ttl, now);
        let (replaced, next) = self.put(&mut self.stripes.lock(key.hash), key, entry, now);
        drop(replaced);
        self.follow_up(key.hash, next, now);
        slot
    }

    /// Reads the live value, lets `decide`, and writes when it says [`Outcome::Stored`]; no
    /// other write of the key comes in between. Returns the number of the namespace that was
    /// written to, if one was.
    pub(super) fn set_if(
        &self,
        key: HashedKey<'_>,
        value: &[u8],
        ttl: Ttl,
        decide: impl FnOnce(Option<&[u8]>) -> Result<Outcome, Refused>,
    ) -> Result<(Outcome, Option<Slot>), Refused> {
        let now = self.clock.now();
        let mut stripe = self.stripes.lock(key.hash);
        let current = stripe.find(key.hash).filter(|entry| entry.is_live_of(key, || now));
        let outcome = decide(current.map(Entry::value))?;
        if outcome != Outcome::Stored {
            let next = self.asked_for(current);
            drop(stripe);
            self.follow_up(key.hash, next, now);
            return Ok((outcome, None));
        }
        let (entry, slot) = self.entry(key, value, ttl, now);
        let (replaced, next) = self.put(&mut stripe, key, entry, now);
        drop(stripe);
        drop(replaced);
        self.follow_up(key.hash, next, now);
        Ok((outcome, Some(slot)))
    }

    pub(super) fn delete(&self, key: HashedKey<'_>) {
        let gone = {
            let mut stripe = self.stripes.lock(key.hash);
            self.take_if(&mut stripe, key.hash, |entry| entry.is_of(key))
        };
        if let Some(entry) = gone {
            self.ledger.remove(self.size(&entry), self.departure(&entry, Departure::Deleted));
            self.bury();
        }
    }

    /// Removes entries of one stripe that are past their deadline, as many as a stripe may be held
    /// for. Returns how many, and how long the first was overdue.
    pub(super) fn expire(&self, stripe: usize) -> (usize, Duration) {
        let now = self.clock.now();
        let mut gone = Vec::new();
        let mut lag = Duration::ZERO;
        {
            let mut stripe = self.stripes.at(stripe);
            let mut cost = 0;
            while cost < REMOVED
                && let Some((deadline, hash)) = stripe.first_over(now)
            {
                lag = lag.max(deadline.lag(now));
                let Some(entry) = self.take_if(&mut stripe, hash, |_| true) else { break };
                cost += if entry.waits() { 1 } else { RESIDENT_COST };
                gone.push(entry);
            }
        }
        for entry in &gone {
            self.ledger.remove(self.size(entry), Departure::Expired);
        }
        (gone.len(), lag)
    }

    /// How many stripes there are to expire.
    pub(super) fn stripes(&self) -> usize {
        self.stripes.len()
    }

    /// Applies what moka has pending, and takes out what it evicted.
    pub(super) fn settle(&self) {
        self.residents.settle();
        self.bury();
    }

    /// Takes out of the window's queue what deletes and expiry have left there.
    pub(super) fn compact(&self) {
        self.window.compact(self.ledger.window().entries(), |item| self.is_waiting(item));
    }

    fn entry(&self, key: HashedKey<'_>, value: &[u8], ttl: Ttl, now: Moment) -> (Entry, Slot) {
        let slot = self.namespaces.take(key.key.namespace().as_str());
        (Entry::new(key, value, Deadline::after(now, ttl), slot), slot)
    }

    /// Puts a new entry into its place, which is that of the one before it where both weigh the
    /// same. Returns what it replaced, to be freed when the stripe is free again.
    fn put(
        &self,
        stripe: &mut Stripe,
        key: HashedKey<'_>,
        entry: Entry,
        now: Moment,
    ) -> (Option<Entry>, Next) {
        let HashedKey { hash, .. } = key;
        if let Some(other) = self.take_if(stripe, hash, |held| !held.is_of(key)) {
            self.ledger.remove(self.size(&other), Departure::Evicted);
        }
        let fits = self.size_of(&entry, false).weight <= self.capacity.window;
        let before = stripe.find(hash).map(|held| (held.place(), held.mark(), self.size(held)));
        let next = match before {
            Some((Place::Resident, mark, size))
                if size.weight == self.size_of(&entry, true).weight =>
            {
                entry.put(Place::Resident, mark);
                entry.set_reported(stripe.find(hash).map_or(0, Entry::reported));
                self.asked_for(Some(&entry))
            }
            Some((place @ Place::Window { .. }, mark, _)) if fits => {
                entry.put(place, mark);
                Next::Nothing
            }
            None if fits && self.wait(hash, &entry) => Next::Nothing,
            _ => {
                if fits && before.is_none() {
                    self.ledger.count_graduation(Graduation::Ghost);
                }
                self.make_resident(hash, &entry);
                if matches!(before, Some((Place::Resident, ..))) {
                    // moka 0.12.16 loses the difference of the two weights when the handle is
                    // removed before it has applied the change (findings/moka-weight-drift.sh).
                    self.residents.settle();
                }
                Next::Settle
            }
        };
        self.ledger.add(self.size(&entry));
        let replaced = stripe.put(hash, entry);
        if let Some((_, _, size)) = before {
            let over = replaced.as_ref().is_some_and(|held| held.is_over(|| now));
            self.ledger.remove(size, if over { Departure::Expired } else { Departure::Replaced });
        }
        if replaced.as_ref().is_none_or(|held| held.is_over(|| now)) {
            self.ledger.count_insert();
        }
        (replaced, next)
    }

    /// Lets a new key into the window, unless the ghost knows it.
    fn wait(&self, hash: u64, entry: &Entry) -> bool {
        let mark = self.ledger.mark();
        let waits = self.window.admit((hash, mark), self.ledger.all().entries());
        if waits {
            entry.put(Place::Window { hits: 0 }, mark);
        }
        waits
    }

    /// Gives moka a handle of the entry. The caller holds its stripe.
    fn make_resident(&self, hash: u64, entry: &Entry) {
        let mark = self.ledger.mark();
        entry.put(Place::Resident, mark);
        entry.set_reported(self.ledger.count_resident());
        self.residents.insert((hash, mark), self.size(entry).weight);
    }

    /// Counts that a key was asked for whose live entry is this, and says whether moka is to be
    /// told. Of a key that is not there TinyLFU wants to know: it lets it in when it was asked for
    /// more often than those that are.
    ///
    /// With a window moka's order is that of least recent use, and what was reported of late is
    /// among its youngest anyway: until a sixteenth as many residents as there are have come in,
    /// an entry is not reported again. The other policies are told of every use.
    fn asked_for(&self, live: Option<&Entry>) -> Next {
        let Some(entry) = live else {
            let counts = self.policy == EvictionPolicy::TinyLfu;
            return if counts { Next::Report } else { Next::Nothing };
        };
        if entry.waits() {
            entry.count_hit();
            return Next::Nothing;
        }
        if self.policy == EvictionPolicy::Window {
            let now = self.ledger.residents_let_in();
            let since = u64::from(now.wrapping_sub(entry.reported()));
            let residents = self.ledger.all().entries();
            let residents = residents.saturating_sub(self.ledger.window().entries());
            if since < residents / 16 {
                return Next::Nothing;
            }
            entry.set_reported(now);
        }
        Next::Report
    }

    fn report(&self, hash: u64) {
        self.residents.report(hash);
        self.bury();
    }

    /// What a call has left to do, when it holds no stripe any more.
    fn follow_up(&self, hash: u64, next: Next, begun: Moment) {
        match next {
            Next::Nothing => {}
            Next::Report => self.report(hash),
            // moka applies all pending uses before all pending writes. So that the order of use is
            // exact, no write may be pending when the next use comes.
            Next::Settle => self.relieve(self.policy == EvictionPolicy::Lru),
        }
        let made_room = self.make_room(begun);
        if (made_room || next == Next::Settle) && self.clock.now().since(begun) >= STALL {
            self.ledger.count_stall();
        }
    }

    /// Judges the window's entries while the shard is over its weight and the window above its
    /// share. Returns whether there was anything to do.
    fn make_room(&self, now: Moment) -> bool {
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
        let is_over = entry.is_over(|| now);
        if !is_over && matches!(entry.place(), Place::Window { hits: 2.. }) {
            self.ledger.take_off(self.size(entry));
            self.make_resident(hash, entry);
            self.ledger.add(self.size(entry));
            self.ledger.count_graduation(Graduation::Hits);
            return;
        }
        let dropped = stripe.take_if(hash, |_| true);
        drop(stripe);
        if let Some(entry) = dropped {
            let departure = if is_over { Departure::Expired } else { Departure::Dropped };
            self.ledger.remove(self.size(&entry), departure);
            if !is_over {
                self.window.remember_dropped(hash);
            }
        }
    }

    /// Takes what moka evicted out of the table. The caller holds no stripe.
    fn bury(&self) {
        for (hash, mark) in self.residents.take_evicted() {
            let is_it = |entry: &Entry| !entry.waits() && entry.mark() == mark;
            let gone = self.stripes.lock(hash).take_if(hash, is_it);
            if let Some(entry) = gone {
                let evicted = match self.policy {
                    EvictionPolicy::TinyLfu => Departure::Unjudged { mark },
                    EvictionPolicy::Window | EvictionPolicy::Lru => Departure::Evicted,
                };
                self.ledger.remove(self.size(&entry), self.departure(&entry, evicted));
            }
        }
    }

    /// Takes the entry with this hash out of its stripe, and its handle from moka.
    fn take_if(
        &self,
        stripe: &mut Stripe,
        hash: u64,
        wanted: impl FnOnce(&Entry) -> bool,
    ) -> Option<Entry> {
        let gone = stripe.take_if(hash, wanted)?;
        if !gone.waits() {
            self.residents.remove(hash);
        }
        Some(gone)
    }

    /// Counts what has passed its deadline and is not removed yet: entries and bytes. After a mass
    /// expiry that is many, so it lets go of a stripe now and then, and calls `between`; what is removed or added
    /// meanwhile may be counted or not.
    pub(super) fn lapsed(&self, mut between: impl FnMut()) -> (u64, u64) {
        let now = self.clock.now();
        let (mut entries, mut bytes) = (0, 0);
        for index in 0..self.stripes.len() {
            let mut after = Bound::Unbounded;
            loop {
                let mut last = None;
                {
                    let stripe = self.stripes.at(index);
                    for (seen, (at, entry)) in (1..=COUNTED).zip(stripe.over(now, after)) {
                        entries += 1;
                        bytes += self.size(entry).bytes;
                        last = (seen == COUNTED).then_some(at);
                    }
                }
                let Some(last) = last else { break };
                after = Bound::Excluded(last);
                between();
            }
        }
        (entries, bytes)
    }

    fn is_waiting(&self, (hash, mark): Item) -> bool {
        self.stripes.lock(hash).find(hash).is_some_and(|entry| entry.waits_as(mark))
    }

    fn is_live(&self, entry: &Entry, key: HashedKey<'_>) -> bool {
        entry.is_live_of(key, || self.clock.now())
    }

    fn departure(&self, entry: &Entry, otherwise: Departure) -> Departure {
        if entry.is_over(|| self.clock.now()) { Departure::Expired } else { otherwise }
    }

    fn size(&self, entry: &Entry) -> EntrySize {
        self.size_of(entry, !entry.waits())
    }

    fn size_of(&self, entry: &Entry, resident: bool) -> EntrySize {
        let bytes = bytes_of(entry, resident);
        let weight = self.capacity.weigh(bytes);
        EntrySize { bytes, weight, slot: entry.slot(), in_window: !resident }
    }
}

#[cfg(test)]
impl Shard {
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether one more entry has the window judged.
    #[cfg(feature = "shuttle")]
    pub(super) fn is_full(&self) -> bool {
        let all = self.ledger.all();
        let one = all.bytes() / all.entries().max(1);
        all.weight() + one > self.capacity.weight
    }

    #[cfg(feature = "shuttle")]
    pub(super) fn is_resident(&self, hash: u64) -> bool {
        self.stripes.lock(hash).find(hash).is_some_and(|entry| !entry.waits())
    }

    /// Items in the window's queue.
    pub(super) fn queued(&self) -> usize {
        self.window.queued()
    }

    /// Entries with a deadline.
    pub(super) fn indexed(&self) -> usize {
        self.stripes.each().map(|stripe| stripe.counts().1).sum()
    }

    /// Fails unless the books agree with the table and with moka. Nothing else may be at work.
    pub(super) fn assert_books_balance(&self) {
        self.settle();
        let mut all = (0, 0, 0);
        let (mut waiting, mut residents) = ((0, 0), (0, 0));
        let mut deadlines = 0;
        for stripe in self.stripes.each() {
            for entry in stripe.entries() {
                let EntrySize { bytes, weight, .. } = self.size(entry);
                all = (all.0 + 1, all.1 + bytes, all.2 + weight);
                let part = match entry.place() {
                    Place::Resident => &mut residents,
                    Place::Window { .. } => &mut waiting,
                };
                *part = (part.0 + 1, part.1 + weight);
                deadlines += usize::from(entry.deadline() != Deadline::NEVER);
            }
        }
        let (whole, window) = (self.ledger.all(), self.ledger.window());
        assert_eq!((whole.entries(), whole.bytes(), whole.weight()), all);
        assert_eq!((window.entries(), window.weight()), waiting);
        assert_eq!(self.residents.count_and_weight(), residents);
        assert_eq!(self.indexed(), deadlines);
    }
}
