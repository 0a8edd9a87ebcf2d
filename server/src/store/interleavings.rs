//! The store's locks around stand-ins for moka, for `crate::interleavings`.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

use std::{collections::HashMap, time::Duration};

use crate::sync::{AtomicU64, Mutex, Ordering};

use super::{
    Ttl,
    clock::{Clock, Deadline},
    expiry::ExpiryIndex,
    namespaces::Namespaces,
    stripes::Stripes,
};

const HASH: u64 = 0xfeed;

/// One key whose read and write are two steps, as they are in moka.
pub(crate) struct Register {
    value: AtomicU64,
    stripes: Option<Stripes>,
}

impl Register {
    pub(crate) fn new(lock: bool) -> Self {
        Self { value: AtomicU64::new(0), stripes: lock.then(Stripes::new) }
    }

    pub(crate) fn read(&self) -> u64 {
        self.value.load(Ordering::SeqCst)
    }

    pub(crate) fn compare_and_set(&self, expected: u64, new: u64) -> bool {
        let _guard = self.stripes.as_ref().map(|stripes| stripes.lock(HASH));
        let matches = self.value.load(Ordering::SeqCst) == expected;
        if matches {
            self.value.store(new, Ordering::SeqCst);
        }
        matches
    }
}

/// A table with an expiry index, written and expired in the order in which a shard does it;
/// taking an entry off tells the index, as moka's removal listener does.
pub(crate) struct Book {
    table: Mutex<HashMap<u64, Deadline>>,
    stripes: Stripes,
    expiry: ExpiryIndex,
    clock: Clock,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
            stripes: Stripes::new(),
            expiry: ExpiryIndex::default(),
            clock: Clock::start(),
        }
    }
}

impl Book {
    pub(crate) fn write(&self, hash: u64, ttl: Duration) {
        let _guard = self.stripes.lock(hash);
        let deadline = Deadline::after(self.clock.now(), Ttl::For(ttl));
        let deadline = self.expiry.add(deadline, hash, 1);
        let replaced = self.table.lock().unwrap().insert(hash, deadline);
        if let Some(replaced) = replaced {
            self.expiry.remove(replaced, hash);
        }
    }

    pub(crate) fn expire(&self) {
        let mut due = Vec::with_capacity(4);
        self.expiry.due(self.clock.now(), &mut due);
        for (deadline, hash) in due {
            let _guard = self.stripes.lock(hash);
            if self.expiry.contains(deadline, hash) {
                let removed = self.table.lock().unwrap().remove(&hash);
                if let Some(removed) = removed {
                    self.expiry.remove(removed, hash);
                }
            }
        }
    }

    pub(crate) fn entries(&self) -> HashMap<u64, Deadline> {
        self.table.lock().unwrap().clone()
    }

    pub(crate) fn indexed(&self) -> usize {
        self.expiry.len()
    }
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
