//! What callers ask of the store and what they get: policy, value, result and refusal.

use std::{fmt, ops::Deref};

use bytes::Bytes;
use thiserror::Error;
use tiny_cache_proto::key::{Key, Namespace};

use super::{
    entry::{Content, Entry, HashedKey},
    namespaces::Slot,
    quota_limits::OverQuota,
    ttl::Ttl,
};

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

impl fmt::Display for EvictionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Window => "window",
            Self::TinyLfu => "tinylfu",
            Self::Lru => "lru",
        })
    }
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A live entry's value, shared with the store, not copied.
    Hit(Value),
    /// Nothing, or nothing alive.
    Miss,
}

impl Lookup {
    pub(crate) fn is_hit(&self) -> bool {
        matches!(self, Self::Hit(_))
    }

    /// Bytes of the value that was found.
    pub(super) fn value_bytes(&self) -> usize {
        match self {
            Self::Hit(value) => value.len(),
            Self::Miss => 0,
        }
    }
}

/// The value of an entry. It stays as it is while the store goes on, and as long as it is held,
/// takes its memory.
#[derive(Clone, Debug)]
pub struct Value(Entry);

impl Value {
    pub(super) fn of(entry: Entry) -> Self {
        Self(entry)
    }

    /// The bytes themselves, without a copy, unless tens of thousands of replies hold them already.
    /// It takes an allocation.
    pub fn lend(&self) -> Bytes {
        if self.0.lend() {
            Bytes::from_owner(Lent(self.0.clone()))
        } else {
            Bytes::copy_from_slice(self)
        }
    }
}

/// A value that a reply holds.
struct Lent(Entry);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.value()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl Value {
    /// One of an entry that no store has. What replies hold of it is memory beside the store.
    pub(crate) fn holding(value: &[u8]) -> Self {
        let key = Key::parse(Namespace::SHARED, "k").expect("a valid key");
        let key = HashedKey { hash: 0, key };
        let entry = Entry::new(key, Content::plain(value, Ttl::Forever), Slot::SHARED);
        entry.leave();
        Self(entry)
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

/// A call that was turned away; nothing was done, and an old value stands. The text of the first is
/// part of the wire contract.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The value is larger than `CACHE_MAX_VALUE_BYTES`.
    #[error("Value exceeds maximum allowed cache entry size")]
    Oversize,
    /// The quota of its namespace does not allow it.
    #[error(transparent)]
    OverQuota(Box<OverQuota>),
}
