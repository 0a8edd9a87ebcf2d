//! Makes up the operations of a run, one after the other. Knows neither clocks nor servers:
//! the same seed and number of threads give the same operations, whatever becomes of them.

mod operation; // what can be done
mod keys; // which key
mod mix; // which operation
mod sizes; // how long its value is
mod ttl; // and how long that lives
mod choice; // one of several, by weight

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use self::keys::Keys;
pub use self::{
    keys::{Groups, KeyDistribution},
    mix::Mix,
    operation::{Call, Counter, Filling, Operation, Write},
    sizes::Sizes,
    ttl::Ttls,
};
use crate::lanes::LaneId;

pub(crate) use self::operation::operations;

/// Begins the key of a counter, where others have a digit.
pub(crate) const COUNTER: char = 'c';

/// What operations are to be like.
#[derive(Clone, Debug)]
pub struct WorkloadSpec {
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

/// The operations of one thread.
#[derive(Debug)]
pub struct Workload {
    /// What operations are like.
    pub spec: WorkloadSpec,
    keys: Keys,
    rng: Pcg64Mcg,
}

impl Workload {
    /// Begins the operations of a thread.
    pub fn new(spec: WorkloadSpec, lane: LaneId) -> Self {
        let keys = Keys::new(spec.key_distribution, spec.keys, lane);
        Self { keys, rng: lane.rng(spec.seed), spec }
    }

    /// The next operation.
    pub fn next_operation(&mut self) -> Operation {
        macro_rules! draw {
            ($([$operation:ident($carries:ty) $file:ident $name:literal])*) => {
                match self.spec.mix.draw(&mut self.rng) {
                    Call::Get if self.spec.aside => Operation::Fetch(Drawn::drawn(self)),
                    $(Call::$operation => Operation::$operation(Drawn::drawn(self)),)*
                    Call::Fill => unreachable!("no mix has it"),
                }
            };
        }
        operations!(draw)
    }

    /// The keyspace of the next operation, of which each has as many.
    pub fn next_space(&mut self) -> usize {
        // No number is drawn where there is no choice.
        if self.spec.spaces > 1 { self.rng.random_range(0..self.spec.spaces) } else { 0 }
    }

    /// The write of a key by its number. Its ttl is drawn by numbers that the operations do
    /// not use, so that they are the same with a prefill and without.
    pub fn fill(&self, number: u64, rng: &mut Pcg64Mcg) -> Operation {
        Operation::Set(self.spec.write(number, rng))
    }
}

/// What an operation carries.
trait Drawn {
    fn drawn(workload: &mut Workload) -> Self;
}

impl Drawn for String {
    fn drawn(Workload { keys, rng, spec }: &mut Workload) -> Self {
        spec.key(keys.draw(rng))
    }
}

impl Drawn for Write {
    fn drawn(Workload { keys, rng, spec }: &mut Workload) -> Self {
        spec.write(keys.draw(rng), rng)
    }
}

impl Drawn for Counter {
    fn drawn(Workload { keys, rng, spec }: &mut Workload) -> Self {
        let number = keys.draw(rng);
        Self(Write { key: spec.counter(number), ..spec.write(number, rng) })
    }
}

impl<T: Drawn> Drawn for Vec<T> {
    fn drawn(workload: &mut Workload) -> Self {
        (0..workload.spec.batch).map(|_| T::drawn(workload)).collect()
    }
}

impl WorkloadSpec {
    /// A key by its number.
    pub fn key(&self, number: u64) -> String {
        keys::text(number, self.key_size)
    }

    /// The key of a counter by its number: as long as the others, and none of them.
    pub fn counter(&self, number: u64) -> String {
        let key = self.key(number);
        format!("{COUNTER}{}", &key[1..])
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
        let spec = WorkloadSpec {
            keys: 1000,
            key_distribution: KeyDistribution::Zipf(0.9),
            key_size: 12,
            value_size: "lognormal:200:1".parse().unwrap(),
            mix: "get=5,set=2,delete=1,set-if-absent=1,compare-and-set=1,mget=1,mset=1,read=1,\
                  replace=1,incr=1"
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
                Operation::Get(key) | Operation::Delete(key) | Operation::Read(key) => {
                    assert_eq!(key.len(), 12);
                }
                Operation::Incr(Counter(write)) => {
                    assert!(write.key.len() == 12 && write.key.starts_with(COUNTER));
                }
                Operation::MultiGet(keys) => assert_eq!(keys.len(), 3),
                Operation::MultiSet(writes) => assert_eq!(writes.len(), 3),
                Operation::Fill(_) => panic!("no mix has it"),
                Operation::Fetch(write)
                | Operation::Set(write)
                | Operation::SetIfAbsent(write)
                | Operation::Replace(write)
                | Operation::CompareAndSet(write) => {
                    assert!((60..=7200).contains(&write.ttl.seconds()));
                }
            }
        }
    }
}
