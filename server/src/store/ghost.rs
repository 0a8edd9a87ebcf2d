//! Remembers the hashes of entries that the window dropped, each for as many further drops as the
//! shard holds entries, unless others take its slots first: the ghost queue of S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are
//! all you need for cache eviction", SOSP 2023), kept as a table of fingerprints.
//!
//! A hash has four slots that it may lie in. A slot is eight bytes, and an empty one is no
//! different from one that is too old. Two hashes that share slots and fingerprint are taken for
//! one another, one in some hundred million.

/// Slots that a hash may lie in.
const WAYS: usize = 4;

/// A dropped entry is remembered for at least this many drops.
const LEAST: u32 = 64;

/// Bytes of a slot.
pub(super) const SLOT_BYTES: u64 = size_of::<Slot>() as u64;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    fingerprint: u32,
    /// The number of the drop, from 1; 0: empty.
    number: u32,
}

/// What was dropped of late.
#[derive(Debug)]
pub(super) struct Ghost {
    buckets: Box<[[Slot; WAYS]]>,
    /// The number of the last drop; wraps past 0.
    drops: u32,
}

impl Ghost {
    /// Remembers up to about `slots`.
    pub(super) fn new(slots: u64) -> Self {
        // Kept below what the low bits of a hash can choose.
        let buckets = (slots / WAYS as u64).clamp(16, 1 << 28).next_power_of_two();
        Self { buckets: vec![[Slot::default(); WAYS]; buckets as usize].into(), drops: 0 }
    }

    pub(super) fn put(&mut self, hash: u64) {
        self.drops = self.drops.checked_add(1).unwrap_or(1);
        let (bucket, fingerprint) = self.place(hash);
        let drops = self.drops;
        let age = |slot: &Slot| if slot.number == 0 { u32::MAX } else { age(drops, slot.number) };
        let oldest = self.buckets[bucket].iter_mut().max_by_key(|slot| age(slot));
        *oldest.expect("a bucket has slots") = Slot { fingerprint, number: drops };
    }

    /// Whether the hash was dropped while `held` entries or fewer were dropped after it. It is
    /// forgotten with that.
    pub(super) fn take(&mut self, hash: u64, held: u64) -> bool {
        let reach = u32::try_from(held).unwrap_or(u32::MAX).max(LEAST);
        let (bucket, fingerprint) = self.place(hash);
        let drops = self.drops;
        let known = self.buckets[bucket].iter_mut().find(|slot| {
            slot.number != 0 && slot.fingerprint == fingerprint && age(drops, slot.number) < reach
        });
        known.map(|slot| *slot = Slot::default()).is_some()
    }

    fn place(&self, hash: u64) -> (usize, u32) {
        (hash as usize & (self.buckets.len() - 1), (hash >> 32) as u32)
    }
}

fn age(drops: u32, number: u32) -> u32 {
    drops.wrapping_sub(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> u64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn a_hash_is_known_once_after_it_was_dropped() {
        let mut ghost = Ghost::new(1024);
        assert!(!ghost.take(hash(1), 100));
        ghost.put(hash(1));
        assert!(ghost.take(hash(1), 100));
        assert!(!ghost.take(hash(1), 100));
    }

    #[test]
    fn it_is_forgotten_after_as_many_drops_as_entries_are_held() {
        let mut ghost = Ghost::new(4096);
        (0..200).for_each(|n| ghost.put(hash(n)));
        assert!(!ghost.take(hash(99), 100) && ghost.take(hash(100), 100));
        // 64 at least, however few are held.
        assert!(!ghost.take(hash(135), 0) && ghost.take(hash(136), 0));
    }

    #[test]
    fn a_full_bucket_gives_up_its_oldest() {
        let mut ghost = Ghost::new(64);
        // All of one bucket, with fingerprints of their own.
        let same = |n: u64| n << 32;
        (1..=5).for_each(|n| ghost.put(same(n)));
        assert!(!ghost.take(same(1), 1000));
        assert!((2..=5).all(|n| ghost.take(same(n), 1000)));
    }

    #[test]
    fn numbers_wrap_without_a_gap() {
        let mut ghost = Ghost::new(1024);
        ghost.drops = u32::MAX - 1;
        ghost.put(hash(1));
        ghost.put(hash(2));
        assert_eq!(ghost.drops, 1);
        assert!(ghost.take(hash(2), 100) && ghost.take(hash(1), 100));
    }
}
