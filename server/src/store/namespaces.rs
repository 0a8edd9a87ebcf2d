//! Gives namespaces numbers, so that each can have figures of its own. Knows names, no entries.
//!
//! The first hundred names that are written to have a number each; reads take none, so names
//! that a caller makes up cost nothing. When all hundred are taken, the upkeep takes back the
//! numbers of namespaces that hold nothing. A hundred more are for names that have a quota, which
//! keep theirs: so no caller can take up the place of a quota. Finding a number takes no lock, and
//! for the shared keyspace not even a look.

use std::sync::Arc;

use ahash::RandomState;
use arc_swap::ArcSwap;

use crate::sync::{Mutex, PoisonError};

/// Names that have a number of their own because they were written to.
const NAMED: usize = 100;

/// Names that can have a number of their own because they have a quota.
pub(crate) const MOST_KEPT: usize = 100;

/// Numbers in all: the names', the shared keyspace's and that of all other names.
pub(super) const SLOTS: usize = NAMED + MOST_KEPT + 2;

/// Places of the table, a power of two: with more than half of them free, a search looks at
/// one or two.
const PLACES: usize = 512;

/// The number of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot(u8);

impl Slot {
    pub(super) const SHARED: Slot = Slot(0);
    pub(super) const OTHER: Slot = Slot((SLOTS - 1) as u8);

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Every number.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS as u8).map(Self)
    }

    /// As an entry keeps it.
    pub(super) fn number(self) -> u8 {
        self.0
    }

    pub(super) fn of_number(number: u8) -> Self {
        Self(number)
    }

    /// Whether it is one of those for names with a quota.
    fn is_for_kept(self) -> bool {
        (NAMED + 1..=NAMED + MOST_KEPT).contains(&self.index())
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
    /// Likewise, of those for names with a quota.
    free_for_kept: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct NamespaceSlot {
    name: Arc<str>,
    slot: Slot,
    /// Never taken back.
    kept: bool,
}

impl Namespaces {
    pub(super) fn new() -> Self {
        let (free, free_for_kept) =
            (1..Slot::OTHER.0).rev().map(Slot).partition(|slot| !slot.is_for_kept());
        let table = Table { places: vec![None; PLACES].into(), free, free_for_kept };
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
        let mut names: Vec<_> = named.map(|named| (named.slot, named.name.to_string())).collect();
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
        let (released, rest): (Vec<_>, Vec<_>) =
            named.partition(|named| !named.kept && empty(named.slot));
        let released: Vec<_> = released.into_iter().map(|named| named.slot).collect();
        let mut next = Table { places: vec![None; PLACES].into(), ..Table::clone(&table) };
        for &slot in &released {
            if slot.is_for_kept() { &mut next.free_for_kept } else { &mut next.free }.push(slot);
        }
        for named in rest {
            next.put(self.start(&named.name), named);
        }
        self.table.store(Arc::new(next));
        released
    }

    /// Gives each of these names a number that stays with it, and lets those go on that names were
    /// given so before and are not among them: these are now like any other.
    ///
    /// # Errors
    /// The first name for which there is no number. Nothing changes then.
    pub(super) fn keep<'a>(
        &self,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), &'a str> {
        let _guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::clone(&self.table.load());
        for named in table.places.iter_mut().flatten() {
            named.kept = names.clone().any(|name| *name == *named.name);
        }
        for name in names {
            if table.search(self.start(name), name).is_none() {
                let slot = table.free_for_kept.pop().or_else(|| table.free.pop()).ok_or(name)?;
                table.put(self.start(name), NamespaceSlot { name: name.into(), slot, kept: true });
            }
        }
        self.table.store(Arc::new(table));
        Ok(())
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
        table.put(self.start(name), NamespaceSlot { name: name.into(), slot, kept: false });
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
        assert_eq!(namespaces.names().len(), NAMED + 2);
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
    /// A caller that made up a hundred names had taken the place of every quota.
    #[test]
    fn names_with_a_quota_find_a_number_when_all_others_are_taken_and_keep_it() {
        let namespaces = Namespaces::new();
        for n in 0..NAMED {
            namespaces.take(&format!("junk{n}"));
        }
        namespaces.keep(["shop", "junk7"].into_iter()).unwrap();
        let (shop, junk) = (namespaces.find("shop"), namespaces.find("junk7"));
        assert!(shop.is_for_kept() && !junk.is_for_kept());
        assert_eq!(namespaces.release(|_| true).len(), NAMED - 1);
        assert_eq!((namespaces.find("shop"), namespaces.find("junk7")), (shop, junk));

        // Without a quota it is like any other, and its number is for another with one.
        namespaces.keep(["junk7"].into_iter()).unwrap();
        for n in 0..NAMED {
            namespaces.take(&format!("more{n}"));
        }
        assert!(namespaces.release(|slot| slot == shop).contains(&shop));
        assert_eq!(namespaces.find("shop"), Slot::OTHER);
        let many: Vec<_> = (0..MOST_KEPT).map(|n| format!("quota{n}")).collect();
        namespaces.keep(many.iter().map(String::as_str)).unwrap();
        assert!(many.iter().all(|name| namespaces.find(name).is_for_kept()));
        let one_more = many.iter().map(String::as_str).chain(["one-more"]);
        assert_eq!(namespaces.keep(one_more), Err("one-more"));
        assert_eq!(namespaces.find("one-more"), Slot::OTHER);
    }
}
