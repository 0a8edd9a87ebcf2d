//! The largest values that were read or written.

use tiny_cache_proto::key::Key;

use super::name::Name;

/// Keys with the largest values, each with the largest that was seen of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Largest {
    keys: Vec<Sized>,
    used: usize,
    /// A value of no more bytes is not among the largest.
    least: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Sized {
    pub(super) hash: u64,
    pub(super) value_bytes: usize,
    pub(super) name: Name,
}

/// How many are kept.
pub(super) const MOST: usize = 50;

impl Largest {
    /// Notes the value of a key, if it is among the largest.
    pub(super) fn add(&mut self, (hash, key): (u64, Key<'_>), value_bytes: usize) {
        if value_bytes <= self.least {
            return;
        }
        let used = &mut self.keys[..self.used];
        if let Some(known) = used.iter_mut().find(|known| known.hash == hash) {
            known.value_bytes = known.value_bytes.max(value_bytes);
            self.least = self.smallest();
            return;
        }
        let place = if self.used < MOST {
            self.used += 1;
            if self.keys.len() < self.used {
                self.keys.push(Sized::default());
            }
            self.used - 1
        } else {
            let smallest = (0..MOST).min_by_key(|place| self.keys[*place].value_bytes);
            smallest.unwrap_or_default()
        };
        let taken = &mut self.keys[place];
        (taken.hash, taken.value_bytes) = (hash, value_bytes);
        taken.name.set(key);
        self.least = self.smallest();
    }

    /// A value of no more bytes is not among the largest.
    pub(super) fn least(&self) -> usize {
        self.least
    }

    fn smallest(&self) -> usize {
        let sizes = self.each().map(|known| known.value_bytes);
        if self.used < MOST { 0 } else { sizes.min().unwrap_or(0) }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &Sized> {
        self.keys[..self.used].iter()
    }

    pub(super) fn copy(&mut self, other: &Self) {
        self.keys.resize_with(self.keys.len().max(other.used), Sized::default);
        for (own, other) in self.keys.iter_mut().zip(other.each()) {
            (own.hash, own.value_bytes) = (other.hash, other.value_bytes);
            own.name.copy(&other.name);
        }
        (self.used, self.least) = (other.used, other.least);
    }

    pub(super) fn clear(&mut self) {
        (self.used, self.least) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use tiny_cache_proto::key::Namespace;

    proptest! {
        #[test]
        fn the_largest_are_kept(values in prop::collection::vec((0..200u64, 0..1000usize), 0..600)) {
            let (mut largest, mut exact) = (Largest::default(), HashMap::<u64, usize>::new());
            for (hash, bytes) in values {
                let text = hash.to_string();
                let key = Key::parse(Namespace::SHARED, &text).unwrap();
                largest.add((hash, key), bytes);
                let known = exact.entry(hash).or_default();
                *known = bytes.max(*known);
            }
            let mut exact: Vec<_> = exact.into_values().filter(|bytes| *bytes > 0).collect();
            exact.sort_unstable_by(|a, b| b.cmp(a));
            exact.truncate(MOST);
            let mut copy = Largest::default();
            copy.copy(&largest);
            for kept in [largest, copy] {
                let mut kept: Vec<_> = kept.each().map(|known| known.value_bytes).collect();
                kept.sort_unstable_by(|a, b| b.cmp(a));
                prop_assert_eq!(&kept, &exact);
            }
        }
    }
}
