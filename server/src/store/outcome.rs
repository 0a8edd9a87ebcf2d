//! What callers ask of the store and what they get: policy, value, result and refusal.

use std::ops::Deref;

use bytes::Bytes;
use thiserror::Error;

use super::entry::Entry;

/// Which entry gives way when the store is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EvictionPolicy {
    /// New keys pass through a window of a tenth of the store: those that are read twice there,
    /// or come back soon after they were dropped, stay, and of these the least recently used
    /// goes. Admission by frequency as TinyLFU has it, with a window as in W-TinyLFU and a ghost
    /// as in S3-FIFO.
    #[default]
    Window,
    /// A new key is let in only if it was asked for more often than those it would push
    /// out (Einziger, Friedman, Manes: "TinyLFU", ACM ToS 2017). Keeps a hot set against
    /// scans; turns away keys that nobody has asked for yet.
    TinyLfu,
    /// The least recently used entry of the new one's shard goes, and every new key is let in.
    Lru,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A live entry's value, shared with the store, not copied.
    Hit(Value),
    /// Nothing, or nothing alive.
    Miss,
}

/// The value of an entry. It stays as it is while the store goes on, and as long as it is held,
/// takes its memory.
#[derive(Clone, Debug)]
pub struct Value(Entry);

impl Value {
    pub(super) fn of(entry: &Entry) -> Self {
        Self(entry.clone())
    }

    /// The bytes themselves, without a copy. It takes an allocation.
    pub fn lend(&self) -> Bytes {
        Bytes::from_owner(self.clone())
    }
}

#[cfg(test)]
impl Value {
    /// One of an entry that no store has.
    pub(crate) fn holding(value: &[u8]) -> Self {
        use tiny_cache_proto::key::{Key, Namespace};

        use super::{clock::Deadline, entry::HashedKey, namespaces::Slot};

        let key = Key::parse(Namespace::SHARED, "k").expect("a valid key");
        Self(Entry::new(HashedKey { hash: 0, key }, value, Deadline::NEVER, Slot::SHARED))
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.value()
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self.0.value()
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Value {}

/// What a conditional write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The value was written.
    Stored,
    /// A live entry was there already.
    Exists,
    /// No live entry was there to compare with.
    NotFound,
    /// The live entry had another value.
    Mismatch,
}

/// A write that was turned away; the old value stands. The texts are part of the wire
/// contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The value is larger than `CACHE_MAX_VALUE_BYTES`.
    #[error("Value exceeds maximum allowed cache entry size")]
    Oversize,
}
