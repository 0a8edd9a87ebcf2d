//! How many requests are looked at: all while there are few, else one in so many, drawn at random so
//! that no pattern of requests hides from it.

use super::super::clock::Moment;

/// Requests that are looked at in a second, at most; where there are more, at least half as many. At
/// 200 ns each that is a sixth of a percent of a core.
const LOOKS: u64 = 1 << 13;

/// The pace is set anew after so many looks, and at the first look after [`PERIOD`].
const SET_AFTER: u64 = 1024;

const PERIOD: u64 = 125_000_000;

/// Fewest that are looked at: one in so many.
const SPARSEST: u64 = 1 << 16;

#[derive(Debug)]
pub(super) struct Pace {
    /// One in so many requests is looked at: a power of two.
    one_in: u64,
    /// Since when it is so, and how many were looked at since.
    since: Moment,
    looks: u64,
    random: u64,
}

impl Pace {
    /// Any seed but 0.
    pub(super) fn new(seed: u64, now: Moment) -> Self {
        Self { one_in: 1, since: now, looks: 0, random: seed }
    }

    /// How many requests one stands for that is looked at.
    pub(super) fn one_in(&self) -> u64 {
        self.one_in
    }

    /// Notes a look, and draws which request is the next: 1 is the very next.
    pub(super) fn next(&mut self, now: Moment) -> u32 {
        self.looks += 1;
        let passed = now.nanoseconds().saturating_sub(self.since.nanoseconds());
        if self.looks >= SET_AFTER || passed >= PERIOD {
            let requests = u128::from(self.looks * self.one_in) * 1_000_000_000;
            let in_a_second = requests / u128::from(passed.max(1));
            let one_in = u64::try_from(in_a_second).unwrap_or(u64::MAX).div_ceil(LOOKS);
            self.one_in = one_in.clamp(1, SPARSEST).next_power_of_two();
            (self.since, self.looks) = (now, 0);
        }
        // xorshift64 (Marsaglia, 2003).
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        // Evenly among 1 to twice `one_in` less 1: `one_in` on average.
        1 + ((self.random >> 32) % (2 * self.one_in - 1)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The looks of so many requests, one in so many nanoseconds.
    fn looks(pace: &mut Pace, now: &mut u64, requests: u64, apart: u64) -> u64 {
        let (mut looks, mut next) = (0, 1);
        for _ in 0..requests {
            *now += apart;
            next -= 1;
            if next == 0 {
                looks += 1;
                next = pace.next(Moment::at(*now));
            }
        }
        looks
    }

    #[test]
    fn few_requests_are_all_looked_at_and_of_many_so_many_in_a_second() {
        let mut now = 0;
        let mut pace = Pace::new(1, Moment::at(now));
        assert_eq!(looks(&mut pace, &mut now, 20_000, 200_000), 20_000, "5,000 a second");
        for (apart, one_in) in [(1000, 128), (200, 1024), (5000, 32), (200_000, 1), (500, 256)] {
            looks(&mut pace, &mut now, 500_000_000 / apart, apart);
            let looked = looks(&mut pace, &mut now, 1_000_000_000 / apart, apart);
            assert_eq!(pace.one_in(), one_in, "{apart}");
            assert!((4_000..=8_500).contains(&looked), "{apart}: {looked}");
        }
        looks(&mut pace, &mut now, 500, 1_000_000_000);
        assert_eq!(pace.one_in(), 1);
    }

    #[test]
    fn what_is_drawn_is_one_in_so_many_on_average() {
        let mut pace = Pace::new(7, Moment::at(0));
        pace.one_in = 8;
        let drawn: Vec<_> = (0..1000).map(|_| pace.next(Moment::at(0))).collect();
        assert!(drawn.iter().all(|next| (1..16).contains(next)));
        let mean = f64::from(drawn.iter().sum::<u32>()) / 1000.0;
        assert!((7.5..8.5).contains(&mean), "{mean}");
    }
}
