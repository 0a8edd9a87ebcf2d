//! What a store knows of an entry beside its value.

use std::time::Duration;

use tiny_cache_proto::key::Key;

use super::{
    sharded::{Located, Store},
    version::Version,
};

/// An entry as it stands in the store at the moment of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The write that it is from.
    pub version: Version,
    /// Time since it was written.
    pub age: Duration,
    /// Time until it expires, zero if it is stale; `None`: it never does.
    pub ttl_left: Option<Duration>,
    /// Whether it has expired, and is kept for those that take a stale value.
    pub is_stale: bool,
    /// How long it is kept beyond its time to live, or what is left of that; zero: it is not.
    pub stale_left: Duration,
    /// Bytes of its value.
    pub value_bytes: usize,
    /// Bytes that it counts as, overhead included.
    pub memory_bytes: u64,
    /// Where it stands, and what that tells of its uses.
    pub standing: Standing,
    /// What it can be invalidated by.
    pub tags: Vec<String>,
}

/// Which part of its shard has an entry. When it was last used is not kept: that would take eight
/// bytes for each entry, and a write for each read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The window.
    Window {
        /// Reads since it came; 2 stands for more, too.
        reads: u8,
    },
    /// The residents.
    Resident {
        /// At most so many others have become residents since a use of it was noted, which is not
        /// done anew until a sixteenth as many as there are have come. `None`: the policy notes
        /// uses elsewhere.
        residents_since_use: Option<u64>,
    },
}

impl Store {
    /// Describes a live entry, or a stale one. Counts neither a use nor a hit.
    pub fn describe(&self, key: Key<'_>) -> Option<Description> {
        let Located { shard, key } = self.locate(key);
        shard.describe(key)
    }
}
