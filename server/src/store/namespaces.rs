//! Gives namespaces numbers, so that each can have figures of its own. Knows names, no entries.
//!
//! The first hundred names that are written to have a number each; reads take none, so names
//! that a caller makes up cost nothing. When all hundred are taken, the upkeep takes back the
//! numbers of namespaces that hold nothing. Finding a number takes no lock, and for the shared
//! keyspace not even a look.

use std::sync::Arc;

use ahash::RandomState;
use arc_swap::ArcSwap;

use crate::sync::{Mutex, PoisonError};

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
    pub(super) const OTHER: Slot = Slot((NAMED + 1) as u8);

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Names and their numbers.
#[derive(Debug)]
pub(super) struct Namespaces {
    /// Seeded by the operating system, so that nobody outside can choose names that meet.
    seed: RandomState,
    /// Replaced as a whole: names change seldom, and every request looks.
    table: ArcSwap<Table>,
    changing: Mutex<()>,
}

#[derive(Clone, Debug)]
struct Table {
    places: Box<[Option<NamespaceSlot>]>,
    /// Numbers that no name has, the next one last.
    free: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct NamespaceSlot {
    name: Arc<str>,
    slot: Slot,
}

impl Namespaces {
    pub(super) fn new() -> Self {
        let free = (1..=NAMED as u8).rev().map(Slot).collect();
        let table = Table { places: vec![None; PLACES].into(), free };
        Self {
            seed: RandomState::new(),
            table: ArcSwap::from_pointee(table),
            changing: Mutex::new(()),
        }
    }

    /// The number that a read counts under.
    pub(super) fn find(&self, name: &str) -> Slot {
        if name.is_empty() {
            return Slot::SHARED;
        }
        self.table.load().search(self.start(name), name).unwrap_or(Slot::OTHER)
    }

    /// The number that a write counts under; a new name takes one while there are any.
    pub(super) fn take(&self, name: &str) -> Slot {
        match self.find(name) {
            Slot::OTHER if !self.table.load().free.is_empty() => self.add(name),
            slot => slot,
        }
    }

    /// Every number with its name, in the order of the numbers. The shared keyspace and the
    /// rest have names that no namespace can have.
    pub(super) fn names(&self) -> Vec<(Slot, String)> {
        let table = self.table.load();
        let named = table.places.iter().flatten();
        let mut names: Vec<_> =
            named.map(|NamespaceSlot { name, slot }| (*slot, name.to_string())).collect();
        names.push((Slot::SHARED, "_shared".to_owned()));
        names.push((Slot::OTHER, "_other".to_owned()));
        names.sort_by_key(|(slot, _)| slot.0);
        names
    }

    /// Whether a new name would find no number.
    pub(super) fn full(&self) -> bool {
        self.table.load().free.is_empty()
    }

    /// Takes back the numbers of names that are `empty`, when no number is free. Returns them.
    ///
    /// A write that found its number just before may still count under it; its entry then shows
    /// in the figures of the next name, until it is removed. The sums stay right.
    pub(super) fn release(&self, empty: impl Fn(Slot) -> bool) -> Vec<Slot> {
        if !self.full() {
            return Vec::new();
        }
        let _guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let table = self.table.load();
        let named = table.places.iter().flatten().cloned();
        let (released, kept): (Vec<_>, Vec<_>) = named.partition(|named| empty(named.slot));
        let free: Vec<_> = released.into_iter().map(|named| named.slot).collect();
        let mut next = Table { places: vec![None; PLACES].into(), free: free.clone() };
        for named in kept {
            next.put(self.start(&named.name), named);
        }
        self.table.store(Arc::new(next));
        free
    }

    #[cold]
    fn add(&self, name: &str) -> Slot {
        let _guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::clone(&self.table.load());
        // Another worker may have been first.
        if let Some(slot) = table.search(self.start(name), name) {
            return slot;
        }
        let Some(slot) = table.free.pop() else { return Slot::OTHER };
        table.put(self.start(name), NamespaceSlot { name: name.into(), slot });
        self.table.store(Arc::new(table));
        slot
    }

    /// The likeliest place of a name.
    fn start(&self, name: &str) -> usize {
        self.seed.hash_one(name) as usize % PLACES
    }
}

impl Table {
    fn search(&self, start: usize, name: &str) -> Option<Slot> {
        let (before, from) = self.places.split_at(start);
        let mut named = from.iter().chain(before).map_while(Option::as_ref);
        named.find(|named| *named.name == *name).map(|named| named.slot)
    }

    fn put(&mut self, start: usize, named: NamespaceSlot) {
        let (before, from) = self.places.split_at_mut(start);
        let free = from.iter_mut().chain(before).find(|place| place.is_none());
        *free.expect("the table has more places than names") = Some(named);
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

    #[test]
    fn numbers_come_back_when_all_are_taken_and_some_namespaces_are_empty() {
        let namespaces = Namespaces::new();
        for n in 0..NAMED - 1 {
            namespaces.take(&format!("junk{n}"));
        }
        assert!(namespaces.release(|_| true).is_empty(), "one number was free still");
        let team = namespaces.take("team");
        let mut released = namespaces.release(|slot| slot != team);
        released.sort_by_key(|slot| slot.0);
        assert_eq!(released.len(), NAMED - 1);
        assert_eq!((namespaces.find("team"), namespaces.find("junk7")), (team, Slot::OTHER));
        let newcomer = namespaces.take("newcomer");
        assert!(released.contains(&newcomer) && namespaces.find("newcomer") == newcomer);
        let names: Vec<_> = namespaces.names().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names.len(), 4);
    }
}
