//! Divides a run among threads, and gives each its random numbers.

use std::num::NonZeroU64;

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

/// One thread among all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LaneId {
    /// Counted from 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl LaneId {
    /// The thread's random numbers. The generator is one whose output is fixed for good, so
    /// that a seed means the same in every release.
    pub fn rng(self, seed: u64) -> Pcg64Mcg {
        // The odd constant keeps the seeds of threads apart; the generator mixes them.
        let own = (self.index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Pcg64Mcg::seed_from_u64(seed ^ own)
    }

    /// The thread's part of a whole, as even as whole numbers allow.
    pub fn share(self, whole: usize) -> usize {
        whole / self.of + usize::from(self.index < whole % self.of)
    }

    /// The thread's part of a number of requests.
    pub fn quota(self, requests: NonZeroU64) -> u64 {
        let of = self.of as u64;
        requests.get() / of + u64::from((self.index as u64) < requests.get() % of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_whole() {
        let lanes = (0..3).map(|index| LaneId { index, of: 3 });
        assert_eq!(lanes.clone().map(|lane| lane.share(8)).collect::<Vec<_>>(), [3, 3, 2]);
        let requests = NonZeroU64::new(7).unwrap();
        assert_eq!(lanes.map(|lane| lane.quota(requests)).sum::<u64>(), 7);
    }
}
