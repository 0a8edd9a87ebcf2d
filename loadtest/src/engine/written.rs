//! Which keys a run may have written, so that it can remove them: one bit for each key of each
//! keyspace. All threads set bits; a bit that is set already costs no write.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{
    lanes::LaneId,
    workload::{COUNTER, Operation},
};

/// Most keys that are kept account of: 32 MiB of bits.
const MOST_KEYS: u64 = 1 << 28;

const BITS: u64 = u64::BITS as u64;

/// The keys that may be there.
#[derive(Debug)]
pub(crate) struct Written {
    bits: Box<[AtomicU64]>,
    keys: u64,
}

impl Written {
    /// Records the numbers below `keys` in each keyspace; `None` above [`MOST_KEYS`] in all.
    pub(crate) fn new(keys: u64, spaces: usize) -> Option<Self> {
        let all = keys.checked_mul(spaces as u64).filter(|all| *all <= MOST_KEYS)?;
        let bits = (0..all.div_ceil(BITS)).map(|_| AtomicU64::new(0)).collect();
        Some(Self { bits, keys })
    }

    /// Notes the keys that an operation may leave behind.
    pub(super) fn note(&self, space: usize, operation: &Operation) {
        operation.writes().iter().for_each(|write| self.mark(space, &write.key));
    }

    fn mark(&self, space: usize, key: &str) {
        let Ok(number) = key.trim_start_matches(COUNTER).parse::<u64>() else { return };
        let at = space as u64 * self.keys + number;
        let Some(word) = self.bits.get((at / BITS) as usize) else { return };
        let bit = 1 << (at % BITS);
        if word.load(Relaxed) & bit == 0 {
            word.fetch_or(bit, Relaxed);
        }
    }

    /// One thread's part of the keys that were noted: keyspace and number.
    pub(super) fn part(&self, id: LaneId) -> impl Iterator<Item = (usize, u64)> {
        let words = self.bits.iter().enumerate().skip(id.index).step_by(id.of);
        words.flat_map(move |(index, word)| {
            let bits = word.load(Relaxed);
            let set = (0..BITS).filter(move |bit| bits >> bit & 1 == 1);
            set.map(move |bit| {
                let at = index as u64 * BITS + bit;
                ((at / self.keys) as usize, at % self.keys)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use tiny_cache_client::Ttl;

    use super::*;
    use crate::workload::{Counter, Write};

    #[test]
    fn all_threads_together_find_each_key_that_was_written() {
        let written = Written::new(100, 2).unwrap();
        let write = |key: &str| Write { key: key.to_owned(), size: 1, ttl: Ttl::NEVER };
        written.note(0, &Operation::Set(write("007")));
        written.note(1, &Operation::MultiSet(vec![write("007"), write("099")]));
        written.note(1, &Operation::SetIfAbsent(write("063")));
        written.note(0, &Operation::Incr(Counter(write("c42"))));
        written.note(0, &Operation::Get("001".to_owned()));
        written.note(0, &Operation::Delete("002".to_owned()));
        let lanes = (0..3).map(|index| LaneId { index, of: 3 });
        let mut found: Vec<_> = lanes.flat_map(|lane| written.part(lane)).collect();
        found.sort_unstable();
        assert_eq!(found, [(0, 7), (0, 42), (1, 7), (1, 63), (1, 99)]);
    }

    #[test]
    fn more_keys_than_memory_should_hold_are_not_kept_account_of() {
        assert!(Written::new(u64::MAX, 2).is_none());
        assert!(Written::new(1 << 40, 1).is_none());
    }
}
