//! What the simulations of other memory have to know of an entry.

use super::{
    super::{capacity::bytes_of, entry::HashedKey, what_if::Footprint},
    Shard,
};

impl Shard {
    /// The footprint of an entry, which counts as no use.
    pub(in crate::store) fn footprint(&self, key: HashedKey<'_>) -> Option<Footprint> {
        let stripe = self.stripes.lock(key.hash);
        let entry = stripe.find(key.hash).filter(|entry| entry.is_of(key))?;
        let ends = entry.fresh_until();
        Some(Footprint::new(bytes_of(entry, false), ends.ttl_from(entry.written().moment()), ends))
    }
}
