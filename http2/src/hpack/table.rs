//! The dynamic table (RFC 7541, sections 2.3.2 and 4): fields by their age, within a size.
//!
//! Each entry keeps what its field means ([`Classify`]), so that a field that is sent by its
//! index, as nearly all are, is neither compared nor checked again.

use std::collections::VecDeque;

/// Bytes that an entry counts beside its strings (RFC 7541, 4.1).
pub(crate) const OVERHEAD: usize = 32;

/// Decides what a field means. The answer must depend on name and value alone: it is kept.
pub(crate) trait Classify {
    /// What is known of a field.
    type Class: Copy;

    /// Classifies a field.
    fn classify(&self, name: &[u8], value: &[u8]) -> Self::Class;

    /// The class of the entry of the static table at `index`, which is valid.
    fn of_static(&self, index: usize) -> Self::Class;
}

#[derive(Clone, Copy, Debug)]
struct Entry<C> {
    /// Where the name begins, counted from the first byte ever inserted, with wrapping.
    start: u32,
    name: u16,
    value: u16,
    class: C,
}

impl<C> Entry<C> {
    fn text(&self) -> usize {
        usize::from(self.name) + usize::from(self.value)
    }
}

/// The table. Takes no memory until its first entry.
#[derive(Debug)]
pub(crate) struct Table<C> {
    /// The strings of all entries, oldest first, behind those of `gone` bytes of evicted ones.
    text: Vec<u8>,
    gone: usize,
    /// The position that the first byte of `text` has.
    base: u32,
    /// Newest first.
    entries: VecDeque<Entry<C>>,
    /// As RFC 7541 counts it.
    size: usize,
    max_size: usize,
}

/// Evicted bytes at which the text is moved to the front, so that it is moved rarely.
const COMPACT_AT: usize = 1 << 10;

impl<C: Copy> Table<C> {
    pub(crate) fn new(max_size: usize) -> Self {
        // Lengths in an entry have 16 bits.
        let max_size = max_size.min(usize::from(u16::MAX));
        Self { text: Vec::new(), gone: 0, base: 0, entries: VecDeque::new(), size: 0, max_size }
    }

    /// The field that was inserted `age` insertions ago.
    #[inline]
    pub(crate) fn get(&self, age: usize) -> Option<(C, &[u8], &[u8])> {
        let entry = self.entries.get(age)?;
        let start = entry.start.wrapping_sub(self.base) as usize;
        let text = &self.text[start..start + entry.text()];
        let (name, value) = text.split_at(usize::from(entry.name));
        Some((entry.class, name, value))
    }

    /// Changes the limit, and evicts what exceeds it.
    pub(crate) fn resize(&mut self, max_size: usize) {
        self.max_size = max_size.min(usize::from(u16::MAX));
        self.evict(self.max_size);
    }

    /// Inserts a field. One that is larger than the table empties it (RFC 7541, 4.4).
    pub(crate) fn insert(&mut self, name: &[u8], value: &[u8], class: C) {
        let size = name.len() + value.len() + OVERHEAD;
        let Some(room) = self.max_size.checked_sub(size) else {
            self.evict(0);
            return;
        };
        self.evict(room);
        let start = self.base.wrapping_add(self.text.len() as u32);
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(value);
        // Both fit: they are smaller than the table.
        let (name, value) = (name.len() as u16, value.len() as u16);
        self.entries.push_front(Entry { start, name, value, class });
        self.size += size;
    }

    /// Evicts the oldest entries until at most `size` is left.
    fn evict(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.entries.pop_back() else { break };
            self.size -= oldest.text() + OVERHEAD;
            self.gone += oldest.text();
        }
        if self.gone >= COMPACT_AT || self.entries.is_empty() {
            self.text.drain(..self.gone);
            self.base = self.base.wrapping_add(self.gone as u32);
            self.gone = 0;
        }
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_newest_entry_comes_first_and_the_oldest_goes_first() {
        let mut table = Table::new(3 * (OVERHEAD + 2));
        for name in [b"a", b"b", b"c", b"d"] {
            table.insert(name, b"1", name[0]);
        }
        let names: Vec<_> = (0..4).map(|age| table.get(age).map(|(class, ..)| class)).collect();
        assert_eq!(names, [Some(b'd'), Some(b'c'), Some(b'b'), None]);
    }

    #[test]
    fn a_field_larger_than_the_table_empties_it() {
        let mut table = Table::new(64);
        table.insert(b"name", b"value", ());
        table.insert(b"name", &[b'v'; 64], ());
        assert_eq!((table.len(), table.size()), (0, 0));
    }

    #[test]
    fn a_smaller_limit_evicts_at_once() {
        let mut table = Table::new(4096);
        table.insert(b"one", b"1", ());
        table.insert(b"two", b"2", ());
        table.resize(OVERHEAD + 4);
        assert_eq!(table.get(0), Some(((), b"two".as_slice(), b"2".as_slice())));
        assert_eq!(table.len(), 1);
        table.resize(0);
        assert_eq!(table.len(), 0);
    }

    proptest! {
        /// A list of strings as the model.
        #[test]
        fn the_table_is_a_list_within_a_size(
            steps in proptest::collection::vec((0..9u8, 0..120usize, 0..400usize), 0..200),
        ) {
            let (mut table, mut model, mut limit) = (Table::new(512), Vec::new(), 512);
            for (number, (kind, name, value)) in steps.into_iter().enumerate() {
                if kind == 0 {
                    limit = value;
                    table.resize(limit);
                } else {
                    let byte = number as u8;
                    model.insert(0, (byte, vec![byte; name], vec![!byte; value]));
                    table.insert(&vec![byte; name], &vec![!byte; value], byte);
                }
                let size = |model: &[(u8, Vec<u8>, Vec<u8>)]| -> usize {
                    model.iter().map(|(_, name, value)| name.len() + value.len() + OVERHEAD).sum()
                };
                while size(&model) > limit {
                    model.pop();
                }
                prop_assert_eq!(table.size(), size(&model));
                for (age, (class, name, value)) in model.iter().enumerate() {
                    prop_assert_eq!(table.get(age), Some((*class, &name[..], &value[..])));
                }
                prop_assert_eq!(table.get(model.len()), None);
            }
        }
    }
}
