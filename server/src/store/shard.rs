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

mod adding; // counters
mod describing; // what is known of its entries
mod evicting; // makes room
mod expiring; // takes out what has expired
mod invalidating; // takes out what was invalidated
mod footprint; // what simulations have to know of an entry
mod leasing; // who fills its keys
mod listing; // its entries, a part at a time
mod tickets; // the part of its entries in their namespaces' quotas
mod versioned; // what is read and changed by version

use std::sync::Arc;

pub(super) use self::{leasing::Claimed, listing::Turn};

use super::{
    capacity::{Capacity, bytes_of},
    clock::{Clock, Moment},
    entry::{Content, Entry, HashedKey, Place},
    invalidations::{Invalidations, Noted},
    leases::{Lease, Leases},
    ledger::{Departure, EntrySize, Graduation, Ledger, NamespaceShare},
    namespaces::{Namespaces, SLOTS, Slot},
    outcome::{EvictionPolicy, Lookup, Outcome, Refused, Value},
    quotas::Quotas,
    residents::Residents,
    ring::Item,
    route::StripeCount,
    stats::{ShardStats, Stats, Tally},
    stripes::{Stripe, Stripes},
    version::{Stamp, Versions},
    window::Window,
};

#[derive(Debug)]
pub(super) struct Shard {
    stripes: Stripes,
    window: Window,
    residents: Residents,
    ledger: Ledger,
    capacity: Capacity,
    clock: Clock,
    versions: Versions,
    namespaces: Arc<Namespaces>,
    quotas: Option<Arc<Quotas>>,
    invalidations: Arc<Invalidations>,
    policy: EvictionPolicy,
}

/// What the shards of a store have in common.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) clock: Clock,
    pub(super) versions: Versions,
    pub(super) namespaces: Arc<Namespaces>,
    /// `None`: no namespace will ever have one.
    pub(super) quotas: Option<Arc<Quotas>>,
    pub(super) invalidations: Arc<Invalidations>,
}

/// A value that was written. The shard may be over its weight until it is told to
/// [`make_room`](Shard::make_room).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(super) struct Written {
    /// The number of its namespace.
    pub(super) slot: Slot,
    pub(super) hash: u64,
    stamp: Stamp,
    next: Next,
    begun: Moment,
}

/// What a condition may depend on beside the entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) leases: &'a Leases,
    pub(super) now: Moment,
}

/// An entry that was put into its place.
struct Put {
    /// What it replaced, to be freed when the stripe is free again.
    replaced: Option<Entry>,
    /// Likewise, so that those that wait do not wait for the stripe.
    lease: Option<Lease>,
    next: Next,
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

/// Entries that are removed under one hold of a stripe, so that a call waits for few of them.
const REMOVED: usize = 64;

/// What removing a resident costs, in removals from the window: moka unlinks its handle.
const RESIDENT_COST: usize = 8;

/// A count of residents let in, in the eight bits that an entry has for it: in steps of a 64th to a
/// 128th of the residents that there are. So it comes round after twice as many as there are at
/// least, and an entry that is not used so long has been evicted.
fn in_steps(let_in: u32, residents: u64) -> u8 {
    (u64::from(let_in) >> step(residents)) as u8
}

/// A step, as a power of two.
fn step(residents: u64) -> u32 {
    (residents / 64).checked_ilog2().unwrap_or(0)
}

impl Shard {
    pub(super) fn new(
        capacity: Capacity,
        policy: EvictionPolicy,
        Common { clock, versions, namespaces, quotas, invalidations }: Common,
    ) -> Self {
        // A shard too small for a window keeps the exact order of use instead.
        let policy = match policy {
            EvictionPolicy::Window if capacity.window == 0 => EvictionPolicy::Lru,
            policy => policy,
        };
        Self {
            stripes: Stripes::new(StripeCount::of(capacity.bytes), invalidations.clone()),
            window: Window::new(if capacity.window == 0 { 0 } else { capacity.ghost_slots() }),
            residents: Residents::new(capacity.residents(), policy),
            ledger: Ledger::with_quotas(quotas.clone()),
            capacity,
            clock,
            versions,
            namespaces,
            quotas,
            invalidations,
            policy,
        }
    }

    /// The policy that it goes by.
    pub(super) fn policy(&self) -> EvictionPolicy {
        self.policy
    }

    /// What the shard holds, with what is past its deadline or was invalidated. Applies what moka
    /// has pending.
    pub(super) fn held(&self) -> Tally {
        self.settle();
        let all = self.ledger.all();
        Tally { entries: all.entries(), bytes: all.bytes() }
    }

    /// How many entries were removed since they were past their deadline or invalidated.
    pub(super) fn swept(&self) -> u64 {
        self.ledger.swept()
    }

    /// What one stripe has that is past its deadline or was invalidated, and how many entries were
    /// looked at. Lets go of the stripe now and then; what is removed or added meanwhile may be
    /// counted or not.
    pub(super) fn gone_from(&self, stripe: usize) -> (Tally, usize) {
        let mut gone = self.lapsed(stripe, || {});
        let lapsed = gone.entries as usize;
        let looked_at = self.each_invalidated(stripe, |size| {
            gone = gone.and(Tally { entries: 1, bytes: size.bytes });
        });
        (gone, lapsed + looked_at)
    }

    /// Adds the shard's figures, and returns what it holds.
    pub(super) fn add_to(&self, stats: &mut Stats, held: Tally) -> ShardStats {
        let held = ShardStats { entries: held.entries, memory_bytes: held.bytes };
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
            let live = self.live(&stripe, key, || self.clock.now());
            let next = self.asked_for(live);
            let found = live.map_or(Lookup::Miss, |entry| Lookup::Hit(Value::of(entry.clone())));
            let in_window = live.is_some_and(Entry::waits);
            stripe.window_hits += u64::from(in_window);
            (found, next)
        };
        if next == Next::Report {
            self.report(key.hash);
        }
        found
    }

    /// Whether a live entry is there.
    pub(super) fn has(&self, key: HashedKey<'_>) -> bool {
        let stripe = self.stripes.lock(key.hash);
        self.live(&stripe, key, || self.clock.now()).is_some()
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

    /// Writes a value.
    pub(super) fn set(&self, key: HashedKey<'_>, content: Content<'_>) -> Written {
        let begun = self.clock.now();
        let (entry, slot) = self.entry(key, content);
        let mut stripe = self.stripes.lock(key.hash);
        let stamp = stripe.stamp(begun);
        let Put { replaced, lease, next } = self.put(&mut stripe, key, entry, (stamp, begun));
        drop(stripe);
        drop((replaced, lease));
        Written { slot, hash: key.hash, stamp, next, begun }
    }

    /// Shows `decide` the live entry, and writes when it says [`Outcome::Stored`]; no
    /// other write of the key comes in between. Returns what was written, if anything was.
    pub(super) fn set_if(
        &self,
        key: HashedKey<'_>,
        content: Content<'_>,
        decide: impl FnOnce(Option<&Entry>, Circumstances<'_>) -> Result<Outcome, Refused>,
    ) -> Result<(Outcome, Option<Written>), Refused> {
        let now = self.clock.now();
        let mut stripe = self.stripes.lock(key.hash);
        let current = self.live(&stripe, key, || now);
        let outcome = decide(current, Circumstances { leases: &stripe.leases, now })?;
        if outcome != Outcome::Stored {
            let next = self.asked_for(current);
            drop(stripe);
            if next == Next::Report {
                self.report(key.hash);
            }
            return Ok((outcome, None));
        }
        let (entry, slot) = self.entry(key, content);
        let stamp = stripe.stamp(now);
        let Put { replaced, lease, next } = self.put(&mut stripe, key, entry, (stamp, now));
        drop(stripe);
        drop((replaced, lease));
        Ok((outcome, Some(Written { slot, hash: key.hash, stamp, next, begun: now })))
    }

    pub(super) fn delete(&self, key: HashedKey<'_>) {
        let now = || self.clock.now();
        let gone = {
            let mut stripe = self.stripes.lock(key.hash);
            if !stripe.leases.is_empty() {
                self.end_lease(&mut stripe, key.hash, now());
            }
            let gone = self.take_if(&mut stripe, key.hash, |entry| entry.is_of(key));
            gone.map(|entry| (self.cause(&stripe.noted, &entry, Departure::Deleted, now), entry))
        };
        if let Some((departure, entry)) = gone {
            self.ledger.remove(self.size(&entry), departure);
            self.bury();
        }
    }

    /// Removes every entry, few enough at a time that calls need not wait for long.
    pub(super) fn clear(&self) {
        for index in 0..self.stripes.len() {
            loop {
                let now = self.clock.now();
                let gone: Vec<_> = {
                    let mut stripe = self.stripes.at(index);
                    let hashes = stripe.first_hashes(REMOVED).into_iter();
                    let taken = hashes.filter_map(|hash| {
                        let entry = self.take_if(&mut stripe, hash, |_| true)?;
                        Some((self.cause(&stripe.noted, &entry, Departure::Deleted, || now), entry))
                    });
                    taken.collect()
                };
                if gone.is_empty() {
                    break;
                }
                for (departure, entry) in &gone {
                    self.ledger.remove(self.size(entry), *departure);
                }
            }
        }
        self.bury();
    }

    /// How many stripes there are, to expire or to list.
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

    fn entry(&self, key: HashedKey<'_>, content: Content<'_>) -> (Entry, Slot) {
        let slot = self.namespaces.take(key.key.namespace().as_str());
        (Entry::new(key, content, slot), slot)
    }

    /// The live entry of a key.
    fn live<'s>(
        &self,
        stripe: &'s Stripe,
        key: HashedKey<'_>,
        now: impl FnOnce() -> Moment,
    ) -> Option<&'s Entry> {
        let entry = stripe.find(key.hash)?;
        let is_live = entry.is_live_of(key, now) && !self.invalidations.has(&stripe.noted, entry);
        is_live.then_some(entry)
    }

    /// Puts a new entry into its place, which is that of the one before it where both weigh the
    /// same.
    fn put(
        &self,
        stripe: &mut Stripe,
        key: HashedKey<'_>,
        entry: Entry,
        (stamp, now): (Stamp, Moment),
    ) -> Put {
        let HashedKey { hash, .. } = key;
        entry.set_written(stamp);
        if let Some(other) = self.take_if(stripe, hash, |held| !held.is_of(key)) {
            self.ledger.remove(self.size(&other), Departure::Evicted);
        }
        if let Some(quotas) = &self.quotas {
            quotas.give_ticket(hash, &entry, stripe.find(hash));
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
        let departure = replaced.as_ref();
        let departure =
            departure.map(|held| self.cause(&stripe.noted, held, Departure::Replaced, || now));
        if let Some((_, _, size)) = before {
            self.ledger.remove(size, departure.unwrap_or(Departure::Replaced));
        }
        if departure != Some(Departure::Replaced) {
            self.ledger.count_insert();
        }
        Put { replaced, lease: stripe.leases.written(hash), next }
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
        let (residents, let_in) = (self.count_residents(), self.ledger.count_resident());
        entry.set_reported(in_steps(let_in, residents));
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
        entry.note_use();
        if entry.waits() {
            entry.count_hit();
            return Next::Nothing;
        }
        if self.policy == EvictionPolicy::Window {
            let residents = self.count_residents();
            let now = in_steps(self.ledger.residents_let_in(), residents);
            let since = u64::from(now.wrapping_sub(entry.reported()));
            if since << step(residents) < residents / 16 {
                return Next::Nothing;
            }
            entry.set_reported(now);
        }
        Next::Report
    }

    fn count_residents(&self) -> u64 {
        self.ledger.all().entries().saturating_sub(self.ledger.window().entries())
    }

    fn report(&self, hash: u64) {
        self.residents.report(hash);
        self.bury();
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

    fn is_waiting(&self, (hash, mark): Item) -> bool {
        self.stripes.lock(hash).find(hash).is_some_and(|entry| entry.waits_as(mark))
    }

    /// Why an entry of this stripe leaves at this moment: it had expired or was invalidated before, or
    /// `otherwise`.
    fn cause(
        &self,
        noted: &Noted,
        entry: &Entry,
        otherwise: Departure,
        now: impl FnOnce() -> Moment,
    ) -> Departure {
        if entry.is_over(now) {
            Departure::Expired
        } else if self.invalidations.has(noted, entry) {
            Departure::Invalidated
        } else {
            otherwise
        }
    }

    fn size(&self, entry: &Entry) -> EntrySize {
        self.size_of(entry, !entry.waits())
    }

    fn size_of(&self, entry: &Entry, resident: bool) -> EntrySize {
        let bytes = bytes_of(entry, resident);
        let weight = self.capacity.weigh(bytes);
        let has_ticket = entry.ticket().is_some();
        EntrySize { bytes, weight, slot: entry.slot(), in_window: !resident, has_ticket }
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

    #[cfg(feature = "shuttle")]
    pub(super) fn invalidations(&self) -> &Invalidations {
        &self.invalidations
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
                deadlines += usize::from(entry.deadline() != super::clock::Deadline::NEVER);
            }
        }
        let (whole, window) = (self.ledger.all(), self.ledger.window());
        assert_eq!((whole.entries(), whole.bytes(), whole.weight()), all);
        assert_eq!((window.entries(), window.weight()), waiting);
        assert_eq!(self.residents.count_and_weight(), residents);
        assert_eq!(self.indexed(), deadlines);
    }
}
