//! A cache that is linearizable by construction: each operation is one step at one instant.
//! With a bug it is not.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

/// What a cache may do wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bug {
    ReturnsFormer,
    ReturnsOtherKey,
    ReturnsOtherNamespace,
    FlipsBit,
    TearsInTwo,
    KeepsDeleted,
    KeepsExpired,
    StoresRefused,
    SwapsBlindly,
}

/// Which key: its namespace and its name, by number.
pub(super) type Place = (usize, usize);

/// A conditional write's answer; a Set's is always true.
pub(super) type Stored = bool;

pub(super) struct Cache {
    bug: Option<Bug>,
    rng: Pcg64Mcg,
    entries: HashMap<Place, Entry>,
    /// What was at a place before.
    former: HashMap<Place, Bytes>,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    expires: Option<Duration>,
}

impl Cache {
    pub(super) fn new(bug: Option<Bug>, rng: Pcg64Mcg) -> Self {
        Self { bug, rng, entries: HashMap::new(), former: HashMap::new() }
    }

    pub(super) fn get(&mut self, place: Place, now: Duration) -> Option<Bytes> {
        let right = self.live(place, now);
        if !self.rng.random_bool(0.3) {
            return right;
        }
        let (namespace, key) = place;
        match self.bug {
            Some(Bug::ReturnsFormer) => self.former.get(&place).cloned(),
            Some(Bug::ReturnsOtherKey) => self.live((namespace, key ^ 1), now).or(right),
            Some(Bug::ReturnsOtherNamespace) => self.live((namespace ^ 1, key), now).or(right),
            Some(Bug::FlipsBit) => right.map(|value| {
                let mut value = value.to_vec();
                let bit = self.rng.random_range(0..value.len() * 8);
                value[bit / 8] ^= 1 << (bit % 8);
                value.into()
            }),
            Some(Bug::TearsInTwo) => right.map(|new| match self.former.get(&place) {
                Some(old) if old.len() == new.len() => {
                    let cut = self.rng.random_range(0..new.len());
                    [&old[..cut], &new[cut..]].concat().into()
                }
                _ => new,
            }),
            _ => right,
        }
    }

    pub(super) fn set(&mut self, place: Place, value: &Bytes, ttl: i32, now: Duration) {
        let ttl = u64::try_from(ttl).ok().filter(|seconds| *seconds > 0);
        let expires = ttl.map(|seconds| now + Duration::from_secs(seconds));
        self.remove(place);
        self.entries.insert(place, Entry { value: value.clone(), expires });
    }

    pub(super) fn set_if_absent(
        &mut self,
        place: Place,
        value: &Bytes,
        ttl: i32,
        now: Duration,
    ) -> Stored {
        let absent = self.live(place, now).is_none();
        if absent || self.bug == Some(Bug::StoresRefused) {
            self.set(place, value, ttl, now);
        }
        absent
    }

    pub(super) fn swap(
        &mut self,
        place: Place,
        (expected, value): (&Bytes, &Bytes),
        ttl: i32,
        now: Duration,
    ) -> Stored {
        let equal = self.live(place, now).as_ref() == Some(expected);
        let stored = equal || self.bug == Some(Bug::SwapsBlindly);
        if stored {
            self.set(place, value, ttl, now);
        }
        stored
    }

    pub(super) fn delete(&mut self, place: Place) {
        if self.bug != Some(Bug::KeepsDeleted) {
            self.remove(place);
        }
    }

    /// What any cache may do at any time.
    pub(super) fn evict(&mut self, place: Place) {
        self.remove(place);
    }

    fn live(&self, place: Place, now: Duration) -> Option<Bytes> {
        let entry = self.entries.get(&place)?;
        let over = entry.expires.is_some_and(|instant| instant <= now);
        (!over || self.bug == Some(Bug::KeepsExpired)).then(|| entry.value.clone())
    }

    fn remove(&mut self, place: Place) {
        if let Some(entry) = self.entries.remove(&place) {
            self.former.insert(place, entry.value);
        }
    }
}
