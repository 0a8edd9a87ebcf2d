//! Makes up the operations of a run, one after the other. Knows neither clocks nor servers:
//! the same seed and number of threads give the same operations, whatever becomes of them.

mod keys; // which key
mod mix; // which operation
mod sizes; // how long its value is
mod ttl; // and how long that lives

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use tiny_cache_client::Ttl;

use self::keys::Keys;
pub use self::{
    keys::{Groups, KeyDistribution},
    mix::{Call, Mix},
    sizes::Sizes,
    ttl::Ttls,
};
use crate::lanes::LaneId;

/// What operations are to be like.
#[derive(Clone, Debug)]
pub struct Spec {
    /// How many keys there are.
    pub keys: u64,
    /// How often which.
    pub key_distribution: KeyDistribution,
    /// Characters of a key; the number of the last key fits.
    pub key_size: usize,
    /// How long values are.
    pub value_size: Sizes,
    /// Which operations.
    pub mix: Mix,
    /// Keys in a multi-get or multi-set.
    pub batch: usize,
    /// How long values live.
    pub ttl: Ttls,
    /// Where random numbers begin.
    pub seed: u64,
    /// Whether a read is a cache-aside one.
    pub aside: bool,
    /// How many keyspaces there are, each with all keys.
    pub spaces: usize,
}

/// One operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Operation {
    /// Reads a key.
    Get(String),
    /// Reads a key and, where it is not there, writes what the origin has.
    Fetch(Write),
    /// Writes a key.
    Set(Write),
    /// Removes a key.
    Delete(String),
    /// Writes a key unless it is there.
    SetIfAbsent(Write),
    /// Writes a key if its value is the one that every write of it has.
    CompareAndSet(Write),
    /// Reads keys.
    MultiGet(Vec<String>),
    /// Writes keys.
    MultiSet(Vec<Write>),
}

/// What is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Write {
    /// The key.
    pub key: String,
    /// Bytes of the value.
    pub size: u32,
    /// How long it lives.
    pub ttl: Ttl,
}

impl Operation {
    /// The keys that it names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let (one, names, writes): (Option<&String>, &[String], &[Write]) = match self {
            Self::Get(key) | Self::Delete(key) => (Some(key), &[], &[]),
            Self::Fetch(write)
            | Self::Set(write)
            | Self::SetIfAbsent(write)
            | Self::CompareAndSet(write) => (Some(&write.key), &[], &[]),
            Self::MultiGet(keys) => (None, keys, &[]),
            Self::MultiSet(writes) => (None, &[], writes),
        };
        let keys = one.into_iter().chain(names).chain(writes.iter().map(|write| &write.key));
        keys.map(String::as_str)
    }

    /// Which one it is.
    #[must_use]
    pub fn call(&self) -> Call {
        match self {
            Self::Get(_) | Self::Fetch(_) => Call::Get,
            Self::Set(_) => Call::Set,
            Self::Delete(_) => Call::Delete,
            Self::SetIfAbsent(_) => Call::SetIfAbsent,
            Self::CompareAndSet(_) => Call::CompareAndSet,
            Self::MultiGet(_) => Call::MultiGet,
            Self::MultiSet(_) => Call::MultiSet,
        }
    }
}

/// The operations of one thread.
#[derive(Debug)]
pub struct Workload {
    spec: Spec,
    keys: Keys,
    rng: Pcg64Mcg,
}

impl Workload {
    /// Begins the operations of a thread.
    #[must_use]
    pub fn new(spec: Spec, lane: LaneId) -> Self {
        let keys = Keys::new(spec.key_distribution, spec.keys, lane);
        Self { keys, rng: lane.rng(spec.seed), spec }
    }

    /// The next operation.
    pub fn next_operation(&mut self) -> Operation {
        match self.spec.mix.draw(&mut self.rng) {
            Call::Get if self.spec.aside => Operation::Fetch(self.write()),
            Call::Get => Operation::Get(self.key()),
            Call::Set => Operation::Set(self.write()),
            Call::Delete => Operation::Delete(self.key()),
            Call::SetIfAbsent => Operation::SetIfAbsent(self.write()),
            Call::CompareAndSet => Operation::CompareAndSet(self.write()),
            Call::MultiGet => {
                Operation::MultiGet((0..self.spec.batch).map(|_| self.key()).collect())
            }
            Call::MultiSet => {
                Operation::MultiSet((0..self.spec.batch).map(|_| self.write()).collect())
            }
            Call::Fill => unreachable!("no mix has it"),
        }
    }

    /// The keyspace of the next operation, of which each has as many.
    pub fn next_space(&mut self) -> usize {
        // No number is drawn where there is no choice.
        if self.spaces() > 1 { self.rng.random_range(0..self.spaces()) } else { 0 }
    }

    /// How many keyspaces there are.
    #[must_use]
    pub fn spaces(&self) -> usize {
        self.spec.spaces
    }

    /// The write of a key by its number. Its ttl is drawn by numbers that the operations do
    /// not use, so that they are the same with a prefill and without.
    pub fn fill(&self, number: u64, rng: &mut Pcg64Mcg) -> Operation {
        Operation::Set(self.spec.write(number, rng))
    }

    /// How many keys there are.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.spec.keys
    }

    fn key(&mut self) -> String {
        keys::text(self.keys.draw(&mut self.rng), self.spec.key_size)
    }

    fn write(&mut self) -> Write {
        let number = self.keys.draw(&mut self.rng);
        self.spec.write(number, &mut self.rng)
    }
}

impl Spec {
    /// A key by its number.
    #[must_use]
    pub fn key(&self, number: u64) -> String {
        keys::text(number, self.key_size)
    }

    fn write(&self, number: u64, rng: &mut Pcg64Mcg) -> Write {
        Write {
            key: self.key(number),
            size: self.value_size.of_key(number, self.seed),
            ttl: self.ttl.draw(rng),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(seed: u64, index: usize) -> Vec<Operation> {
        let spec = Spec {
            keys: 1000,
            key_distribution: KeyDistribution::Zipf(0.9),
            key_size: 12,
            value_size: "lognormal:200:1".parse().unwrap(),
            mix: "get=5,set=2,delete=1,set-if-absent=1,compare-and-set=1,mget=1,mset=1"
                .parse()
                .unwrap(),
            batch: 3,
            ttl: "1m..2h".parse().unwrap(),
            seed,
            aside: false,
            spaces: 1,
        };
        let mut workload = Workload::new(spec, LaneId { index, of: 2 });
        (0..2000).map(|_| workload.next_operation()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_operations() {
        assert_eq!(operations(7, 0), operations(7, 0));
        assert_ne!(operations(7, 0), operations(8, 0));
        assert_ne!(operations(7, 0), operations(7, 1), "threads do not repeat each other");
    }

    #[test]
    fn operations_are_what_was_asked_for() {
        for operation in operations(7, 0) {
            match operation {
                Operation::Get(key) | Operation::Delete(key) => assert_eq!(key.len(), 12),
                Operation::MultiGet(keys) => assert_eq!(keys.len(), 3),
                Operation::MultiSet(writes) => assert_eq!(writes.len(), 3),
                Operation::Fetch(write)
                | Operation::Set(write)
                | Operation::SetIfAbsent(write)
                | Operation::CompareAndSet(write) => {
                    assert!((60..=7200).contains(&write.ttl.seconds()));
                }
            }
        }
    }
}
