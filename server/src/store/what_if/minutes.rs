//! What was counted in the last minutes.

use std::{collections::VecDeque, ops::AddAssign, time::Duration};

use super::super::clock::Moment;

/// Simulated sizes.
pub(super) const SIZES: usize = 4;

/// Full minutes that are looked back on, beside the one that is under way.
const KEPT: u64 = 10;

const MINUTE: u64 = 60_000_000_000;

/// What was counted in one minute, or several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// Reads of all keys that hit, and that did not.
    pub(super) hits: u64,
    pub(super) misses: u64,
    /// Reads of sampled keys.
    pub(super) sampled: u64,
    /// Those, each for as many as it stands for.
    pub(super) reads: f64,
    /// Likewise, the reads that missed in each simulation.
    pub(super) missed: [f64; SIZES],
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.sampled += other.sampled;
        self.reads += other.reads;
        for (missed, more) in self.missed.iter_mut().zip(other.missed) {
            *missed += more;
        }
    }
}

/// The counts of the last minutes.
#[derive(Debug)]
pub(super) struct Minutes {
    begun: Moment,
    /// By the number of the minute, the oldest first.
    each: VecDeque<(u64, Counts)>,
}

impl Minutes {
    pub(super) fn new(now: Moment) -> Self {
        Self { begun: now, each: VecDeque::new() }
    }

    /// The counts of the minute that is under way. Those that are too old are dropped.
    pub(super) fn at(&mut self, now: Moment) -> &mut Counts {
        let number = now.nanoseconds() / MINUTE;
        if self.each.back().is_none_or(|(last, _)| *last < number) {
            self.each.push_back((number, Counts::default()));
        }
        while self.each.front().is_some_and(|(first, _)| first + KEPT < number) {
            self.each.pop_front();
        }
        &mut self.each.back_mut().expect("it was added").1
    }

    /// The sum of what is there.
    pub(super) fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        self.each.iter().for_each(|(_, counts)| sum += *counts);
        sum
    }

    /// The time over which it was counted.
    pub(super) fn span(&self, now: Moment) -> Duration {
        let first = self.each.front().map_or(now, |(first, _)| Moment::at(first * MINUTE));
        now.since(if first.nanoseconds() < self.begun.nanoseconds() { self.begun } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_dropped_when_ten_minutes_have_passed_since_their_own() {
        let at = |minute: u64| Moment::at(minute * MINUTE + 1);
        let mut minutes = Minutes::new(at(3));
        minutes.at(at(3)).hits += 5;
        minutes.at(at(4)).hits += 7;
        minutes.at(at(13));
        assert_eq!(minutes.sum().hits, 12);
        assert_eq!(minutes.span(at(13)), Duration::from_mins(10));
        minutes.at(at(14));
        assert_eq!(minutes.sum().hits, 7);
        minutes.at(at(90));
        assert_eq!(minutes.sum(), Counts::default());
    }
}
