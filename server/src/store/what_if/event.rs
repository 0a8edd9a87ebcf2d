//! What a worker notes of a sampled key.

use super::super::{
    clock::{Deadline, Moment},
    lifetime::Lifetime,
    ttl::Ttl,
};

/// Something that was done to a sampled key.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Event {
    pub(super) hash: u64,
    pub(super) at: Moment,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum What {
    /// A read that found this entry.
    Hit(Footprint),
    /// A read that found nothing.
    Miss,
    /// A conditional write that found this entry and did not write: a use that counts as no read.
    Used(Footprint),
    /// A write of this entry.
    Written(Footprint),
    /// The key has no entry any more.
    Removed,
}

/// What the simulations have to know of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Footprint {
    /// What it counts as in the window. One above 4 GiB counts as that.
    pub(super) bytes: u32,
    /// How long it lives from a write on.
    lifetime: Lifetime,
    /// When it ends.
    pub(super) ends: Deadline,
}

impl Event {
    pub(in crate::store) fn new(hash: u64, at: Moment, what: What) -> Self {
        Self { hash, at, what }
    }
}

impl Footprint {
    /// That of an entry of so many bytes, which was written with this TTL and ends then.
    pub(in crate::store) fn new(bytes: u64, ttl: Ttl, ends: Deadline) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self { bytes, lifetime: Lifetime::of(ttl), ends }
    }

    /// That of the same entry if it were written now.
    pub(super) fn anew(self, now: Moment) -> Self {
        let ends = match self.lifetime {
            Lifetime::FOREVER => Deadline::NEVER,
            ends => Deadline::after(now, Ttl::For(ends.span())),
        };
        Self { ends, ..self }
    }
}
