//! Which operation on which keys comes next. The keys are drawn before the clock starts, with
//! the same seed for every server, so that drawing costs nothing and all are asked the same.

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use rand_pcg::Pcg64Mcg;

use crate::work::{BATCH, Keys, MILLION, Mix, Operation, SKEW, Work};

/// Drawn keys. The sequence begins anew at its end.
const DRAWN: usize = 1 << 20;

/// What a load sends, one request after the other.
pub trait Source {
    /// The next request: its operation, and the numbers of its keys. None at the end.
    fn next(&mut self) -> Option<(Operation, &[u32])>;
}

/// The requests of a work, without end.
#[derive(Debug)]
pub struct Draws {
    keys: Vec<u32>,
    at: usize,
    /// The next key of [`Keys::New`].
    new: Option<[u32; 1]>,
    mix: Mix,
    sent: u64,
}

impl Draws {
    /// Draws the keys of a work.
    pub fn new(work: &Work) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(1);
        let count = work.keys.count();
        let keys = match work.keys {
            Keys::New => Vec::new(),
            Keys::Few | Keys::Million => {
                (0..DRAWN).map(|_| random.random_range(0..count)).collect()
            }
            Keys::Zipf => {
                let zipf = Zipf::new(f64::from(count), SKEW).expect("the skew is positive");
                // Ranks begin at 1.
                (0..DRAWN).map(|_| zipf.sample(&mut random) as u32 - 1).collect()
            }
        };
        let new = (work.keys == Keys::New).then_some([MILLION]);
        Self { keys, at: 0, new, mix: work.mix, sent: 0 }
    }

    /// Begins again with the first request, but no key that is new becomes an old one.
    pub fn rewind(&mut self) {
        (self.at, self.sent) = (0, 0);
    }
}

impl Source for Draws {
    fn next(&mut self) -> Option<(Operation, &[u32])> {
        let operation = match self.mix {
            Mix::Only(operation) => operation,
            Mix::NineToOne if self.sent % 10 == 9 => Operation::Set,
            Mix::NineToOne => Operation::Get,
        };
        self.sent += 1;
        if let Some([key]) = &mut self.new {
            *key = key.wrapping_add(1);
            return Some((operation, self.new.as_ref()?));
        }
        let keys = if operation == Operation::MultiGet { BATCH } else { 1 };
        if self.at + keys > self.keys.len() {
            self.at = 0;
        }
        let drawn = &self.keys[self.at..self.at + keys];
        self.at += keys;
        Some((operation, drawn))
    }
}

/// Writes each key once.
#[derive(Debug)]
pub struct Fill {
    key: [u32; 1],
    next: u32,
    end: u32,
}

impl Fill {
    /// Writes the keys with numbers below `keys`.
    pub fn new(keys: u32) -> Self {
        Self { key: [0], next: 0, end: keys }
    }
}

impl Source for Fill {
    fn next(&mut self) -> Option<(Operation, &[u32])> {
        if self.next == self.end {
            return None;
        }
        self.key = [self.next];
        self.next += 1;
        Some((Operation::Set, &self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::WORKS;

    fn work(name: &str) -> &'static Work {
        WORKS.iter().find(|work| work.name == name).unwrap()
    }

    #[test]
    fn every_tenth_request_of_the_mix_writes() {
        let mut draws = Draws::new(work("mix-zipf"));
        let writes = (0..1000).filter(|_| draws.next().unwrap().0 == Operation::Set).count();
        assert_eq!(writes, 100);
    }

    #[test]
    fn zipf_draws_the_first_key_most_and_none_beyond_the_last() {
        let draws = Draws::new(work("mix-zipf"));
        let share = |key| draws.keys.iter().filter(|&&k| k == key).count() as f64 / DRAWN as f64;
        // 1 / (sum of k^-0.99 for k to a million) is 6.5 %.
        assert!((0.060..0.070).contains(&share(0)), "{}", share(0));
        assert!(share(0) > 1.8 * share(1));
        assert!(draws.keys.iter().all(|&key| key < 1_000_000));
    }

    #[test]
    fn a_batch_has_its_keys_at_the_end_of_the_sequence_too() {
        let mut draws = Draws::new(work("multi-get"));
        for _ in 0..=DRAWN / BATCH {
            assert_eq!(draws.next().unwrap().1.len(), BATCH);
        }
    }

    #[test]
    fn new_keys_come_once_and_are_not_those_that_were_filled_in() {
        let mut draws = Draws::new(work("set-new"));
        let mut next = || draws.next().unwrap().1[0];
        assert_eq!([next(), next()], [MILLION + 1, MILLION + 2]);
        draws.rewind();
        assert_eq!(draws.next().unwrap().1, [MILLION + 3]);
    }

    #[test]
    fn a_fill_writes_each_key_once() {
        let mut fill = Fill::new(3);
        let mut written = Vec::new();
        while let Some((operation, keys)) = fill.next() {
            assert_eq!(operation, Operation::Set);
            written.push(keys[0]);
        }
        assert_eq!(written, [0, 1, 2]);
    }
}
