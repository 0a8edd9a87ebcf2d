//! The leases of a shard's keys.

use std::time::Duration;

use super::{
    super::{
        clock::{Deadline, Moment},
        entry::HashedKey,
        leases::{Asked, Claim, Token},
        seen::Seen,
        stripes::Stripe,
        tags::Tags,
        version::Version,
    },
    Next, Shard,
};

/// A claim, with the stale entry that there is meanwhile.
#[derive(Debug)]
pub(in crate::store) struct Claimed {
    pub(in crate::store) claim: Claim,
    pub(in crate::store) stale: Option<Seen>,
}

impl Shard {
    /// Gives a lease to a caller that missed, or a place to wait. Of a stale entry, and of a fresh one
    /// that the caller knows and that wants to be refilled, nobody waits for the lease. `None`: there
    /// is another fresh entry now.
    pub(in crate::store) fn claim(
        &self,
        key: HashedKey<'_>,
        asked: Asked,
        known: Option<Version>,
    ) -> Option<Claimed> {
        let now = self.clock.now();
        let mut stripe = self.stripes.lock(key.hash);
        let held = stripe.find(key.hash).filter(|held| held.is_of(key) && !held.is_over(|| now));
        let held = held.filter(|held| !self.invalidations.has(&stripe.noted, held)).cloned();
        let fresh = held.as_ref().filter(|held| held.is_fresh(|| now));
        if fresh.is_some_and(|held| known != Some(self.version_of(held))) {
            return None;
        }
        let stale = if fresh.is_some() { None } else { held };
        let next = stale.as_ref().map_or(Next::Nothing, |stale| self.asked_for(Some(stale)));
        let token = self.token(&mut stripe, now);
        let asked = Asked { waits: asked.waits && known.is_none() && stale.is_none(), ..asked };
        let claim = stripe.leases.claim(key.hash, asked, now, token);
        drop(stripe);
        if next == Next::Report {
            self.report(key.hash);
        }
        Some(Claimed { claim, stale: stale.map(|stale| self.seen(stale, now)) })
    }

    /// Gives a lease back that its holder does not use. Returns whether it had lasted.
    pub(in crate::store) fn release(&self, hash: u64, token: u64) -> bool {
        let now = self.clock.now();
        let mut stripe = self.stripes.lock(hash);
        let holds = stripe.leases.holds(hash, token, now);
        if holds {
            self.end_lease(&mut stripe, hash, now);
        }
        holds
    }

    /// Whether something was invalidated after this number that is in the name of a key, or in these
    /// tags.
    pub(in crate::store) fn is_outdated(
        &self,
        key: HashedKey<'_>,
        given: u64,
        tags: Tags<'_>,
    ) -> bool {
        self.invalidations.outdate(given, key.key.namespace().as_str(), tags)
    }

    /// Ends the lease of a key, because what its holder makes may be outdated. The next that waits
    /// gets one.
    pub(super) fn end_lease(&self, stripe: &mut Stripe, hash: u64, now: Moment) {
        if !stripe.leases.is_empty() {
            let token = self.token(stripe, now);
            stripe.leases.pass_on(hash, now, token);
        }
    }

    /// Hands the lease of a key on if it has ended by its time. Returns how long the lease lasts that
    /// the key has then.
    pub(in crate::store) fn pass_on_ended(&self, hash: u64) -> Duration {
        let now = self.clock.now();
        let mut stripe = self.stripes.lock(hash);
        let token = self.token(&mut stripe, now);
        let ends = stripe.leases.pass_on_ended(hash, now, token);
        ends.and_then(|ends| ends.left(now)).unwrap_or_default()
    }

    /// A token that no other lease of the key has.
    fn token(&self, stripe: &mut Stripe, now: Moment) -> Token {
        let number = self.versions.of(stripe.stamp(now)).get();
        Token { number, given: stripe.noted.latest() }
    }

    /// How long a lease lasts that ends then.
    pub(in crate::store) fn left(&self, ends: Deadline) -> Duration {
        ends.left(self.clock.now()).unwrap_or_default()
    }
}
