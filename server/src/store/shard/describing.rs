//! What is known of an entry beside its value.

use std::time::Duration;

use super::{
    super::{
        describing::{Description, Standing},
        entry::{Entry, HashedKey, Place},
        outcome::EvictionPolicy,
    },
    Shard, in_steps, step,
};

impl Shard {
    /// Describes a live entry, or a stale one. Counts no use of it.
    pub(in crate::store) fn describe(&self, key: HashedKey<'_>) -> Option<Description> {
        let now = self.clock.now();
        let stripe = self.stripes.lock(key.hash);
        let found = stripe.find(key.hash).filter(|entry| entry.is_of(key))?;
        if found.is_over(|| now) || self.invalidations.has(&stripe.noted, found) {
            return None;
        }
        let kept = found.deadline().left(now).unwrap_or(Duration::ZERO);
        let ttl_left = found.fresh_until().left(now);
        Some(Description {
            version: self.version_of(found),
            age: now.since(found.written().moment()),
            ttl_left,
            is_stale: !found.is_fresh(|| now),
            stale_left: kept.saturating_sub(ttl_left.unwrap_or(Duration::ZERO)),
            value_bytes: found.value().len(),
            memory_bytes: self.size(found).bytes,
            standing: self.standing(found),
            tags: found.tags().iter().map(str::to_owned).collect(),
        })
    }

    fn standing(&self, entry: &Entry) -> Standing {
        match entry.place() {
            Place::Window { hits } => Standing::Window { reads: hits },
            Place::Resident => {
                // Under the other policies moka is told of uses, and the entry is not.
                let notes_uses = self.policy == EvictionPolicy::Window;
                let residents = self.count_residents();
                let now = in_steps(self.ledger.residents_let_in(), residents);
                let since = u64::from(now.wrapping_sub(entry.reported()));
                let most = (since + 1) << step(residents);
                Standing::Resident { residents_since_use: notes_uses.then_some(most) }
            }
        }
    }
}
