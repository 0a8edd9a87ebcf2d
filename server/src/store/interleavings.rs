//! A shard and the table of namespaces, for `crate::interleavings`. The shard is the real one; moka
//! is not: a list that lets the least recently used go stands in for it (`residents`).

#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use tiny_cache_proto::key::{Key, Namespace};

use super::{
    EvictionPolicy, Lookup, Outcome, Refused, Ttl,
    capacity::{Capacity, bytes_of},
    census::Census,
    clock::Clock,
    entry::{Content, Entry, HashedKey},
    invalidations::Scope,
    leases::{Asked, Claim},
    namespaces::{Namespaces, Slot},
    shard::{Circumstances, Claimed, Common, Shard, Written},
    stats::Stats,
    version::Versions,
};

/// A shard with room for ten entries, three of them in its window. Keys are letters, values bytes.
pub(crate) struct SmallShard(Shard);

impl SmallShard {
    pub(crate) fn new() -> Self {
        let one = Entry::new(key(b'a'), Content::plain(b"v", Ttl::Forever), Slot::SHARED);
        let (waiting, resident) = (bytes_of(&one, false), bytes_of(&one, true));
        let capacity = Capacity::of_weights(3 * waiting + 7 * resident, 3 * waiting);
        Self(Shard::new(capacity, EvictionPolicy::Window, common()))
    }

    /// One without a window: all of its ten entries are residents.
    pub(crate) fn of_residents() -> Self {
        let one = Entry::new(key(b'a'), Content::plain(b"v", Ttl::Forever), Slot::SHARED);
        let capacity = Capacity::of_weights(10 * bytes_of(&one, true), 0);
        Self(Shard::new(capacity, EvictionPolicy::Lru, common()))
    }

    pub(crate) fn set(&self, name: u8, value: u8) {
        self.0.make_room(self.0.set(key(name), Content::plain(&[value], Ttl::Forever)));
    }

    /// Ends at once.
    pub(crate) fn set_over(&self, name: u8) {
        self.0.make_room(self.0.set(key(name), Content::plain(b"over", Ttl::For(Duration::ZERO))));
    }

    pub(crate) fn get(&self, name: u8) -> Option<u8> {
        match self.0.get(key(name)) {
            Lookup::Hit(value) => Some(value[0]),
            Lookup::Miss => None,
        }
    }

    /// Entries that count, and how many were removed as past their deadline or invalidated.
    pub(crate) fn count(&self) -> (u64, u64) {
        let mut census = Census::of(std::slice::from_ref(&self.0), Stats::default());
        while census.step() {}
        let stats = census.stats();
        (stats.entries, stats.expired_removals + stats.invalidated_removals)
    }

    pub(crate) fn delete(&self, name: u8) {
        self.0.delete(key(name));
    }

    pub(crate) fn compare_and_set(&self, name: u8, expected: u8, value: u8) -> bool {
        let matches =
            |current: Option<&Entry>, _: Circumstances<'_>| match current.map(Entry::value) {
                Some([current]) if *current == expected => Ok(Outcome::Stored),
                _ => Ok(Outcome::Mismatch),
            };
        self.concluded(self.0.set_if(key(name), Content::plain(&[value], Ttl::Forever), matches))
    }

    /// The token of a lease, if nothing is there and nobody else has one.
    pub(crate) fn claim(&self, name: u8) -> Option<u64> {
        let asked = Asked { span: Duration::from_secs(60), waits: false };
        match self.0.claim(key(name), asked, None) {
            Some(Claimed { claim: Claim::Granted(token), .. }) => Some(token),
            _ => None,
        }
    }

    /// Writes while the lease lasts.
    pub(crate) fn fill(&self, name: u8, value: u8, token: u64) -> bool {
        let lasts = |_: Option<&Entry>, around: Circumstances<'_>| {
            let holds = around.leases.holds(key(name).hash, token, around.now);
            Ok(if holds { Outcome::Stored } else { Outcome::Mismatch })
        };
        self.concluded(self.0.set_if(key(name), Content::plain(&[value], Ttl::Forever), lasts))
    }

    pub(crate) fn set_if_absent(&self, name: u8, value: u8) -> bool {
        let absent = |current: Option<&Entry>, _: Circumstances<'_>| match current {
            None => Ok(Outcome::Stored),
            Some(_) => Ok(Outcome::Exists),
        };
        self.concluded(self.0.set_if(key(name), Content::plain(&[value], Ttl::Forever), absent))
    }

    fn concluded(&self, done: Result<(Outcome, Option<Written>), Refused>) -> bool {
        let (outcome, written) = done.unwrap();
        if let Some(written) = written {
            self.0.make_room(written);
        }
        outcome == Outcome::Stored
    }

    /// Fills the shard, and asks twice for `name`, so that it is the next to become a resident.
    pub(crate) fn fill_behind(&self, name: u8, value: u8) {
        self.set(name, value);
        self.get(name);
        self.get(name);
        self.fill_up();
    }

    /// Fills the shard.
    pub(crate) fn fill_up(&self) {
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

    /// Invalidates the shared keyspace.
    pub(crate) fn invalidate(&self) {
        self.0.invalidations().record(self.0.clock(), "", Scope::Namespace).unwrap();
    }

    /// As the upkeep does after an invalidation.
    pub(crate) fn sweep_invalidated(&self) {
        let Some(up_to) = self.0.invalidations().pending() else { return };
        for stripe in 0..self.0.stripes() {
            self.0.sweep_invalidated(stripe, up_to, async || ()).now_or_never().unwrap();
        }
        self.0.invalidations().done(up_to);
    }

    pub(crate) fn assert_books_balance(&self) {
        self.0.assert_books_balance();
    }
}

fn common() -> Common {
    Common {
        clock: Clock::start(),
        versions: Versions::start(),
        namespaces: Arc::new(Namespaces::new()),
        quotas: None,
        invalidations: Arc::default(),
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
