//! What is read and changed by version: an entry with all that is known of it, a new time to live,
//! and a removal on a condition.

use std::time::Duration;

use super::{
    super::{
        clock::Moment,
        entry::{Entry, HashedKey},
        ledger::Departure,
        life::{Life, Spans},
        lifetime::Lifetime,
        outcome::{Outcome, Value},
        seen::Seen,
        stripes::Stripe,
        ttl::Ttl,
        version::Version,
    },
    Next, Shard, Written,
};

impl Shard {
    /// Reads a live entry, and counts a use of it. With `touch` it lives so long from now on; what
    /// that leaves to do is returned beside it.
    pub(in crate::store) fn read(
        &self,
        key: HashedKey<'_>,
        touch: Option<Ttl>,
    ) -> Option<(Seen, Option<Written>)> {
        let now = self.clock.now();
        let mut stripe = self.stripes.lock(key.hash);
        let live = self.live(&stripe, key, || now);
        let next = self.asked_for(live);
        let entry = live.cloned();
        let in_window = live.is_some_and(Entry::waits);
        stripe.window_hits += u64::from(in_window);
        let touched = entry.as_ref().zip(touch);
        let written = touched.map(|(entry, ttl)| self.touch(&mut stripe, entry, (key, ttl, now)));
        drop(stripe);
        if next == Next::Report {
            self.report(key.hash);
        }
        Some((self.seen(entry?, now), written))
    }

    /// A live entry as it is, which counts as no use.
    pub(in crate::store) fn peek(&self, key: HashedKey<'_>) -> Option<Seen> {
        let now = self.clock.now();
        let stripe = self.stripes.lock(key.hash);
        Some(self.seen(self.live(&stripe, key, || now)?.clone(), now))
    }

    /// Shows `decide` the live entry, and removes it when it says [`Outcome::Stored`]; no write of
    /// the key comes in between. Returns [`Outcome::NotFound`] where there is nothing to remove.
    pub(in crate::store) fn remove_if(
        &self,
        key: HashedKey<'_>,
        decide: impl FnOnce(Option<&Entry>) -> Outcome,
    ) -> Outcome {
        let now = self.clock.now();
        let mut stripe = self.stripes.lock(key.hash);
        let current = self.live(&stripe, key, || now);
        let is_there = current.is_some();
        let outcome = decide(current);
        let is_met = (outcome == Outcome::Stored).then_some(());
        let gone = is_met.and_then(|()| {
            // What fills it may be older than this removal, and so is a stale value.
            self.end_lease(&mut stripe, key.hash, now);
            let gone = self.take_if(&mut stripe, key.hash, |entry| entry.is_of(key))?;
            Some((self.cause(&stripe.noted, &gone, Departure::Deleted, || now), gone))
        });
        drop(stripe);
        if let Some((departure, entry)) = gone {
            self.ledger.remove(self.size(&entry), departure);
            self.bury();
        }
        if outcome == Outcome::Stored && !is_there { Outcome::NotFound } else { outcome }
    }

    /// An entry, and what is known of it at this moment.
    pub(super) fn seen(&self, entry: Entry, now: Moment) -> Seen {
        Seen {
            version: self.version_of(&entry),
            ttl_left: entry.fresh_until().left(now),
            is_stale: !entry.is_fresh(|| now),
            wants_refill: entry.wants_refill(now),
            age: now.since(entry.written().moment()),
            value: Value::of(entry),
        }
    }

    pub(in crate::store) fn version_of(&self, entry: &Entry) -> Version {
        self.versions.of(entry.written())
    }

    pub(in crate::store) fn written_version(&self, written: &Written) -> Version {
        self.versions.of(written.stamp)
    }

    /// Has an entry live so long from now on. One that gets its first deadline, or loses it, weighs
    /// something else afterwards.
    fn touch(
        &self,
        stripe: &mut Stripe,
        entry: &Entry,
        (key, ttl, now): (HashedKey<'_>, Ttl, Moment),
    ) -> Written {
        let HashedKey { hash, .. } = key;
        let before = self.size(entry);
        let stale = entry.spans().map_or(Duration::ZERO, Spans::stale);
        let kept = Life { stale, ..ttl.into() }.kept();
        stripe.set_lifetime(hash, Lifetime::from_now(kept, entry.written(), now));
        let after = self.size(entry);
        let mut next = Next::Nothing;
        if before.bytes != after.bytes {
            self.ledger.take_off(before);
            if !entry.waits() {
                self.make_resident(hash, entry);
                // As for an entry that is written over: before the handle can be removed.
                self.residents.settle();
                next = Next::Settle;
            }
            self.ledger.add(after);
        }
        Written { slot: entry.slot(), hash, stamp: entry.written(), next, begun: now }
    }
}
