//! Gives namespaces numbers, so that figures can be told about each of them. Knows names, no
//! entries.
//!
//! The first hundred names that are written to have a number each, for as long as the process
//! runs; reads take none, so names that somebody makes up cost nothing. Finding a number takes
//! no lock, and for the shared keyspace not even a look.

use std::sync::OnceLock;

use ahash::RandomState;

use crate::sync::{AtomicUsize, Mutex, Ordering, PoisonError};

/// Names that have a number of their own.
const NAMED: usize = 100;

/// Numbers in all: the names', the shared keyspace's and that of all other names.
pub(super) const SLOTS: usize = NAMED + 2;

/// Places of the table, a power of two: with more than half of them free, a search looks at
/// one or two.
const PLACES: usize = 256;

/// The number of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u8);

impl Slot {
    pub(super) const SHARED: Slot = Slot(0);
    const OTHER: Slot = Slot((NAMED + 1) as u8);

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Names and their numbers. Names are added and never removed.
#[derive(Debug)]
pub(super) struct Namespaces {
    /// Seeded by the operating system, so that nobody outside can choose names that meet.
    seed: RandomState,
    places: Box<[OnceLock<Named>]>,
    taken: AtomicUsize,
    adding: Mutex<()>,
}

#[derive(Debug)]
struct Named {
    name: Box<str>,
    slot: Slot,
}

impl Namespaces {
    pub(super) fn new() -> Self {
        Self {
            seed: RandomState::new(),
            places: (0..PLACES).map(|_| OnceLock::new()).collect(),
            taken: AtomicUsize::new(0),
            adding: Mutex::new(()),
        }
    }

    /// The number that a read counts under.
    pub(super) fn find(&self, name: &str) -> Slot {
        if name.is_empty() {
            return Slot::SHARED;
        }
        self.search(name).unwrap_or(Slot::OTHER)
    }

    /// The number that a write counts under; a new name takes one while there are any.
    pub(super) fn take(&self, name: &str) -> Slot {
        match self.find(name) {
            Slot::OTHER if self.taken.load(Ordering::Relaxed) < NAMED => self.add(name),
            slot => slot,
        }
    }

    /// Every number with its name, in the order of the numbers. The shared keyspace and the
    /// rest have names that no namespace can have.
    pub(super) fn names(&self) -> Vec<(Slot, String)> {
        let named = self.places.iter().filter_map(OnceLock::get);
        let mut names: Vec<_> =
            named.map(|Named { name, slot }| (*slot, name.to_string())).collect();
        names.push((Slot::SHARED, "_shared".to_owned()));
        names.push((Slot::OTHER, "_other".to_owned()));
        names.sort_by_key(|(slot, _)| slot.0);
        names
    }

    fn search(&self, name: &str) -> Option<Slot> {
        let named = self.probe(name).map_while(OnceLock::get);
        named.into_iter().find(|named| *named.name == *name).map(|named| named.slot)
    }

    #[cold]
    fn add(&self, name: &str) -> Slot {
        let _guard = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.taken.load(Ordering::Relaxed);
        // Another worker may have been first.
        if let Some(slot) = self.search(name) {
            return slot;
        }
        if taken == NAMED {
            return Slot::OTHER;
        }
        let slot = Slot(taken as u8 + 1);
        let free = self.probe(name).find(|place| place.get().is_none());
        let free = free.expect("the table has more places than names");
        free.set(Named { name: name.into(), slot }).expect("names are added one by one");
        self.taken.store(taken + 1, Ordering::Relaxed);
        slot
    }

    /// The places where a name may be, the likeliest first.
    fn probe(&self, name: &str) -> impl Iterator<Item = &OnceLock<Named>> {
        let start = self.seed.hash_one(name) as usize % PLACES;
        let (before, from) = self.places.split_at(start);
        from.iter().chain(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_number_from_its_first_write_on() {
        let namespaces = Namespaces::new();
        assert_eq!(namespaces.find(""), Slot::SHARED);
        assert_eq!(namespaces.take(""), Slot::SHARED);
        assert_eq!(namespaces.find("a"), Slot::OTHER);
        assert_eq!(namespaces.take("a"), Slot(1));
        assert_eq!(namespaces.take("b"), Slot(2));
        assert_eq!((namespaces.take("a"), namespaces.find("b")), (Slot(1), Slot(2)));
        let names: Vec<_> = namespaces.names().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["_shared", "a", "b", "_other"]);
    }

    #[test]
    fn the_hundred_and_first_name_is_one_of_the_rest() {
        let namespaces = Namespaces::new();
        for n in 0..NAMED {
            assert_eq!(namespaces.take(&format!("n{n}")).index(), n + 1);
        }
        assert_eq!(namespaces.take("one-more"), Slot::OTHER);
        for n in 0..NAMED {
            assert_eq!(namespaces.find(&format!("n{n}")).index(), n + 1);
        }
        assert_eq!(namespaces.names().len(), SLOTS);
    }
}
