//! The keys that were asked for most, in the room of a few: Space-Saving (Metwally, Agrawal, El
//! Abbadi: Efficient computation of frequent and top-k elements in data streams, 2005).
//!
//! A key that has no counter takes over the one that counts least, and counts on from there. So a
//! counter never counts too little, and too much by no more than it had when it was taken over.

use hashbrown::HashTable;
use tiny_cache_proto::key::Key;

use super::name::Name;

/// Counters for the keys that were asked for most.
#[derive(Debug)]
pub(super) struct SpaceSaving {
    most: usize,
    /// Of each counter that is in use. Apart from the rest, so that the search for the least goes
    /// through few lines of the cache.
    counts: Vec<u64>,
    /// Of each counter that ever was in use: their texts keep their room.
    keys: Vec<Counted>,
    /// The counters by the hash of their key.
    places: HashTable<u16>,
    /// No counter counts less.
    least: u64,
    /// Those before it count more.
    hand: usize,
    total: u64,
}

/// What a counter counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    pub(super) hash: u64,
    /// What it had when it was taken over.
    pub(super) error: u64,
    pub(super) name: Name,
}

impl SpaceSaving {
    /// Room for so many counters.
    pub(super) fn new(most: u16) -> Self {
        let most = usize::from(most);
        Self {
            most,
            counts: Vec::with_capacity(most),
            keys: Vec::with_capacity(most),
            places: HashTable::with_capacity(most),
            least: 0,
            hand: 0,
            total: 0,
        }
    }

    /// Counts a key that stands for so many requests.
    pub(super) fn add(&mut self, (hash, key): (u64, Key<'_>), weight: u64) {
        self.total += weight;
        let is_it = |&place: &u16| self.keys[usize::from(place)].hash == hash;
        if let Some(&place) = self.places.find(hash, is_it) {
            self.counts[usize::from(place)] += weight;
            return;
        }
        let place = if self.counts.len() < self.most { self.begin() } else { self.take_over() };
        let error = self.counts[place];
        self.counts[place] += weight;
        let counted = &mut self.keys[place];
        (counted.hash, counted.error) = (hash, error);
        counted.name.set(key);
        let keys = &self.keys;
        let hash_of = |&place: &u16| keys[usize::from(place)].hash;
        self.places.insert_unique(hash, place as u16, hash_of);
    }

    /// A counter that was not in use.
    fn begin(&mut self) -> usize {
        let place = self.counts.len();
        self.counts.push(0);
        if self.keys.len() == place {
            self.keys.push(Counted::default());
        }
        place
    }

    /// A counter that counts least; its key has none any more.
    fn take_over(&mut self) -> usize {
        loop {
            let mut counts = self.counts[self.hand..].iter();
            if let Some(further) = counts.position(|count| *count <= self.least) {
                self.hand += further;
                break;
            }
            (self.least, self.hand) = (self.fewest(), 0);
        }
        let hash = self.keys[self.hand].hash;
        let is_it = |&place: &u16| usize::from(place) == self.hand;
        if let Ok(found) = self.places.find_entry(hash, is_it) {
            found.remove();
        }
        self.hand
    }

    /// What a key may have at most that has no counter.
    pub(super) fn unseen(&self) -> u64 {
        if self.counts.len() < self.most { 0 } else { self.fewest() }
    }

    fn fewest(&self) -> u64 {
        self.counts.iter().copied().min().unwrap_or(0)
    }

    /// What all keys have together.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Each counter in use, with what it counts.
    pub(super) fn each(&self) -> impl Iterator<Item = (u64, &Counted)> {
        self.counts.iter().copied().zip(&self.keys)
    }

    /// What the counter at this place counts.
    pub(super) fn key(&self, place: u16) -> &Counted {
        &self.keys[usize::from(place)]
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.counts.clear();
        self.places.clear();
        (self.least, self.hand, self.total) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use tiny_cache_proto::key::Namespace;

    fn add(sketch: &mut SpaceSaving, number: u8, weight: u64) {
        let text = format!("key {number}");
        let key = Key::parse(Namespace::SHARED, &text).unwrap();
        sketch.add((u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15), key), weight);
    }

    proptest! {
        #[test]
        fn a_counter_never_counts_too_little_and_knows_how_much_too_much(
            most in 1..20u16,
            requests in prop::collection::vec((0..60u8, 1..9u64), 0..500),
            again in prop::collection::vec((0..60u8, 1..9u64), 0..500),
        ) {
            let mut sketch = SpaceSaving::new(most);
            for requests in [requests, again] {
                sketch.clear();
                let mut exact = HashMap::new();
                for (number, weight) in requests {
                    add(&mut sketch, number, weight);
                    *exact.entry(format!("key {number}")).or_default() += weight;
                }
                prop_assert_eq!(sketch.total(), exact.values().sum::<u64>());
                prop_assert_eq!(sketch.each().map(|(count, _)| count).sum::<u64>(), sketch.total());
                prop_assert!(sketch.each().count() <= usize::from(most));
                for (count, counted) in sketch.each() {
                    let exact = exact.remove(counted.name.parts().1);
                    let exact = exact.expect("no key has two counters");
                    prop_assert!(count - counted.error <= exact && exact <= count);
                    prop_assert!(counted.error <= sketch.total() / u64::from(most));
                }
                prop_assert!(exact.values().all(|exact| *exact <= sketch.unseen()));
            }
        }
    }

    #[test]
    fn few_keys_are_counted_exactly() {
        let mut sketch = SpaceSaving::new(3);
        for number in [1, 2, 1, 3, 1, 2] {
            add(&mut sketch, number, 2);
        }
        let counts: Vec<_> =
            sketch.each().map(|(count, key)| (key.name.parts().1, count, key.error)).collect();
        assert_eq!(counts, [("key 1", 6, 0), ("key 2", 4, 0), ("key 3", 2, 0)]);
    }
}
