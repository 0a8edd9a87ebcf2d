//! How often keys were asked for of late: the count-min sketch of TinyLFU, as moka keeps it
//! (Einziger, Friedman, Manes: "TinyLFU: A highly efficient cache admission policy", ACM Transactions
//! on Storage 13(4), 2017). Four counters of four bits for a key; all are halved now and then.

/// The rows of counters.
const ROWS: u64 = 4;

/// The most that a counter shows.
const MOST: u8 = 15;

/// Uses to a counter of a row between two halvings.
const USES: usize = 10;

#[derive(Debug)]
pub(super) struct Frequency {
    counters: Box<[u8]>,
    mask: usize,
    uses: usize,
    keys: usize,
}

impl Frequency {
    /// Counts uses of about so many keys.
    pub(super) fn new(keys: usize) -> Self {
        let keys = keys.max(1);
        let columns = keys.next_power_of_two();
        Self {
            // moka has sixteen counters to a key, of which each key chooses among four times four.
            counters: vec![0; columns * 16].into(),
            mask: columns * 4 - 1,
            uses: 0,
            keys,
        }
    }

    /// As many counters less for so many keys less, as a power of two. Of these keys it still knows
    /// how often they were asked for.
    pub(super) fn thinned(&self, by: u32, keys: impl Iterator<Item = u64>) -> Self {
        let mut thin = Self::new(self.keys >> by);
        for hash in keys {
            let count = self.of(hash);
            for row in 0..ROWS {
                let place = thin.place(hash, row);
                let counter = &mut thin.counters[place];
                *counter = count.max(*counter);
            }
        }
        thin.uses = self.uses >> by;
        thin
    }

    /// How often a key was asked for, 15 times at most.
    pub(super) fn of(&self, hash: u64) -> u8 {
        (0..ROWS).map(|row| self.counters[self.place(hash, row)]).min().unwrap_or(0)
    }

    /// Counts a use.
    pub(super) fn count(&mut self, hash: u64) {
        let mut counted = false;
        for row in 0..ROWS {
            let place = self.place(hash, row);
            let counter = &mut self.counters[place];
            if *counter < MOST {
                *counter += 1;
                counted = true;
            }
        }
        self.uses += usize::from(counted);
        if self.uses >= self.keys * USES {
            self.halve();
        }
    }

    fn halve(&mut self) {
        let mut odd = 0;
        for counter in &mut self.counters {
            odd += usize::from(*counter & 1);
            *counter >>= 1;
        }
        self.uses = (self.uses >> 1).saturating_sub(odd >> 2);
    }

    fn place(&self, hash: u64, row: u64) -> usize {
        let mixed = (hash ^ row.wrapping_mul(0xa076_1d64_78bd_642f))
            .wrapping_mul(0xe703_7ed1_a0b4_28db)
            .rotate_right(32);
        (mixed as usize & self.mask) * ROWS as usize + row as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> u64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn a_key_is_as_frequent_as_it_was_used_up_to_fifteen() {
        let mut frequency = Frequency::new(64);
        assert_eq!(frequency.of(hash(1)), 0);
        (0..7).for_each(|_| frequency.count(hash(1)));
        assert_eq!(frequency.of(hash(1)), 7);
        (0..70).for_each(|_| frequency.count(hash(1)));
        assert_eq!(frequency.of(hash(1)), 15);
    }

    #[test]
    fn what_was_used_long_ago_counts_less() {
        let mut frequency = Frequency::new(64);
        (0..8).for_each(|_| frequency.count(hash(1)));
        (2..700).for_each(|n| frequency.count(hash(n)));
        assert!(frequency.of(hash(1)) < 8, "{}", frequency.of(hash(1)));
    }
}
