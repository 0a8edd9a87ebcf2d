//! What one second brought. A thread counts the second it is in, and hands it over when the
//! next one begins; the crew puts the threads' seconds together.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::hdr::growing;

/// The measured requests that were done within one second.
#[derive(Clone, Debug, PartialEq)]
pub struct Second {
    /// Requests done, failed ones among them.
    pub requests: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Keys read that had a value.
    pub hits: u64,
    /// Keys read that had none.
    pub misses: u64,
    /// Nanoseconds from the intended instant to the reply; empty in a closed loop.
    pub response: Histogram<u64>,
    /// Nanoseconds from the actual sending to the reply.
    pub service: Histogram<u64>,
}

impl Default for Second {
    fn default() -> Self {
        Self { requests: 0, failed: 0, hits: 0, misses: 0, response: growing(), service: growing() }
    }
}

impl Second {
    /// Adds what another thread has counted in the same second.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.hits += other.hits;
        self.misses += other.misses;
        self.response += &other.response;
        self.service += &other.service;
    }

    /// The times that a user would see: from the plan, where there was one.
    pub fn times(&self) -> &Histogram<u64> {
        if self.response.is_empty() { &self.service } else { &self.response }
    }
}

/// Puts the seconds of all threads together.
pub(super) struct Seconds {
    /// For each thread, the seconds that it has handed over.
    reached: Vec<u64>,
    next: u64,
    open: BTreeMap<u64, Second>,
}

impl Seconds {
    pub(super) fn new(threads: usize) -> Self {
        Self { reached: vec![0; threads], next: 0, open: BTreeMap::new() }
    }

    /// Takes a thread's second. Those before it that it said nothing of were empty.
    pub(super) fn add(&mut self, thread: usize, index: u64, second: &Second) {
        self.reached[thread] = self.reached[thread].max(index + 1);
        self.open.entry(index).or_default().merge(second);
    }

    /// Notes that a thread will add to no second any more.
    pub(super) fn finish(&mut self, thread: usize) {
        self.reached[thread] = u64::MAX;
    }

    /// The next second that no thread adds to any more, until all threads are done.
    pub(super) fn next_whole(&mut self) -> Option<(u64, Second)> {
        let whole = *self.reached.iter().min()?;
        (whole < u64::MAX && self.next < whole).then(|| self.pop())
    }

    /// The next second, when all threads are done.
    pub(super) fn next_left(&mut self) -> Option<(u64, Second)> {
        let last = *self.open.keys().next_back()?;
        (self.next <= last).then(|| self.pop())
    }

    fn pop(&mut self) -> (u64, Second) {
        let index = self.next;
        self.next += 1;
        (index, self.open.remove(&index).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(requests: u64) -> Second {
        Second { requests, ..Second::default() }
    }

    fn whole(seconds: &mut Seconds) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| seconds.next_whole())
            .map(|(at, second)| (at, second.requests))
            .collect()
    }

    #[test]
    fn a_second_is_whole_when_every_thread_is_past_it() {
        let mut seconds = Seconds::new(2);
        seconds.add(0, 0, &of(1));
        seconds.add(0, 1, &of(2));
        assert_eq!(whole(&mut seconds), []);
        // Nothing was done here before.
        seconds.add(1, 2, &of(5));
        assert_eq!(whole(&mut seconds), [(0, 1), (1, 2)]);
        let left: Vec<_> = std::iter::from_fn(|| seconds.next_left()).collect();
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].0, left[0].1.requests), (2, 5));
    }

    #[test]
    fn a_second_in_which_nothing_was_done_is_there_as_an_empty_one() {
        let mut seconds = Seconds::new(1);
        seconds.add(0, 0, &of(1));
        seconds.add(0, 3, &of(1));
        assert_eq!(whole(&mut seconds), [(0, 1), (1, 0), (2, 0), (3, 1)]);
    }
}
