//! Counters: entries whose value is a decimal number, which one step reads, adds to and writes.

use super::{
    super::{
        counting::{Added, Addition, NoCounter, TtlOf, number, text},
        entry::{Content, Entry, HashedKey},
        life::Life,
        tags::Tags,
    },
    Put, Shard, Written,
};

impl Shard {
    /// Adds to a counter, and makes it if it is not there. No other write of the key comes in between.
    pub(in crate::store) fn add(
        &self,
        key: HashedKey<'_>,
        addition: Addition,
    ) -> Result<(Added, Option<Written>), NoCounter> {
        let now = self.clock.now();
        let mut stripe = self.stripes.lock(key.hash);
        let current = self.live(&stripe, key, || now).cloned();
        let before = current.as_ref().map(|entry| number(entry.value()).ok_or(NoCounter));
        let (outcome, value) = addition.of(before.transpose()?);
        let Some(sum) = value.written() else {
            let seen = current.map(|entry| self.seen(entry, now));
            let version = seen.as_ref().map(|seen| seen.version);
            let ttl_left = seen.and_then(|seen| seen.ttl_left);
            let added = Added { outcome, value: value.number(), version, ttl_left };
            return Ok((added, None));
        };
        let stamp = stripe.stamp(now);
        let life = match (&current, addition.ttl_of) {
            (Some(entry), TtlOf::Creation) => {
                let ttl = entry.fresh_until().ttl_from(stamp.moment());
                Life { ends_exactly: true, ..ttl.into() }
            }
            _ => addition.ttl.into(),
        };
        let tags = current.as_ref().map_or_else(Tags::default, Entry::tags);
        let (entry, slot) = self.entry(key, Content { value: &text(sum), life, tags });
        let left = entry.clone();
        let Put { replaced, lease, next } = self.put(&mut stripe, key, entry, (stamp, now));
        drop(stripe);
        drop((replaced, lease));
        let (version, ttl_left) = (self.version_of(&left), left.fresh_until().left(now));
        let added = Added { outcome, value: sum, version: Some(version), ttl_left };
        Ok((added, Some(Written { slot, hash: key.hash, stamp, next, begun: now })))
    }
}
