//! A shard and the table of namespaces, for `crate::interleavings`. The shard is the real one; moka
//! is not: a list that lets the least recently used go stands in for it (`residents`).

#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

use std::{sync::Arc, time::Duration};

use tiny_cache_proto::key::{Key, Namespace};

use super::{
    EvictionPolicy, Lookup, Outcome, Ttl,
    capacity::{Capacity, bytes_of},
    clock::{Clock, Deadline},
    entry::{Entry, HashedKey},
    namespaces::{Namespaces, Slot},
    shard::Shard,
};

/// A shard with room for ten entries, three of them in its window. Keys are letters, values bytes.
pub(crate) struct SmallShard(Shard);

impl SmallShard {
    pub(crate) fn new() -> Self {
        let one = Entry::new(key(b'a'), b"v", Deadline::NEVER, Slot::SHARED);
        let (waiting, resident) = (bytes_of(&one, false), bytes_of(&one, true));
        let capacity = Capacity::of_weights(3 * waiting + 7 * resident, 3 * waiting);
        let namespaces = Arc::new(Namespaces::new());
        Self(Shard::new(capacity, EvictionPolicy::Window, Clock::start(), namespaces))
    }

    /// One without a window: all of its ten entries are residents.
    pub(crate) fn of_residents() -> Self {
        let one = Entry::new(key(b'a'), b"v", Deadline::NEVER, Slot::SHARED);
        let capacity = Capacity::of_weights(10 * bytes_of(&one, true), 0);
        let namespaces = Arc::new(Namespaces::new());
        Self(Shard::new(capacity, EvictionPolicy::Lru, Clock::start(), namespaces))
    }

    pub(crate) fn set(&self, name: u8, value: u8) {
        self.0.set(key(name), &[value], Ttl::Forever);
    }

    /// Ends at once.
    pub(crate) fn set_over(&self, name: u8) {
        self.0.set(key(name), b"over", Ttl::For(Duration::ZERO));
    }

    pub(crate) fn get(&self, name: u8) -> Option<u8> {
        match self.0.get(key(name)) {
            Lookup::Hit(value) => Some(value[0]),
            Lookup::Miss => None,
        }
    }

    pub(crate) fn delete(&self, name: u8) {
        self.0.delete(key(name));
    }

    pub(crate) fn compare_and_set(&self, name: u8, expected: u8, value: u8) -> bool {
        let matches = |current: Option<&[u8]>| match current {
            Some([current]) if *current == expected => Ok(Outcome::Stored),
            _ => Ok(Outcome::Mismatch),
        };
        self.0.set_if(key(name), &[value], Ttl::Forever, matches).unwrap().0 == Outcome::Stored
    }

    pub(crate) fn set_if_absent(&self, name: u8, value: u8) -> bool {
        let absent = |current: Option<&[u8]>| match current {
            None => Ok(Outcome::Stored),
            Some(_) => Ok(Outcome::Exists),
        };
        self.0.set_if(key(name), &[value], Ttl::Forever, absent).unwrap().0 == Outcome::Stored
    }

    /// Fills the shard, and asks twice for `name`, so that it is the next to become a resident.
    pub(crate) fn fill_behind(&self, name: u8, value: u8) {
        self.set(name, value);
        self.get(name);
        self.get(name);
        self.fill();
    }

    /// Fills the shard.
    pub(crate) fn fill(&self) {
        let mut others = b'A'..=b'Z';
        while !self.0.is_full() {
            self.set(others.next().unwrap(), 0);
        }
    }

    pub(crate) fn is_resident(&self, name: u8) -> bool {
        self.0.is_resident(key(name).hash)
    }

    pub(crate) fn sweep(&self) {
        for stripe in 0..self.0.stripes() {
            while self.0.expire(stripe).0 > 0 {}
        }
        self.0.compact();
    }

    pub(crate) fn assert_books_balance(&self) {
        self.0.assert_books_balance();
    }
}

/// Each letter has a stripe of its own.
fn key(name: u8) -> HashedKey<'static> {
    const NAMES: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz";
    let at = usize::from(name - b'A');
    let hash = u64::from(name) << 48 | u64::from(name);
    HashedKey { hash, key: Key::parse(Namespace::SHARED, &NAMES[at..=at]).unwrap() }
}

/// The table of namespaces, with its numbers as plain ones.
pub(crate) struct Names(Namespaces);

impl Default for Names {
    fn default() -> Self {
        Self(Namespaces::new())
    }
}

impl Names {
    pub(crate) fn write(&self, name: &str) -> usize {
        self.0.take(name).index()
    }

    pub(crate) fn read(&self, name: &str) -> usize {
        self.0.find(name).index()
    }

    /// The number of what has none of its own.
    pub(crate) fn other(&self) -> usize {
        self.0.find("never written to").index()
    }
}
