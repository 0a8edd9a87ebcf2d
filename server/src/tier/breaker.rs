//! Keeps calls from piling up before what does not answer: after some failures in a row nothing
//! more is sent for a while, and then one call at a time is, until one succeeds. A cluster's hash
//! slots are judged in parts, so that one primary that is down does not take the others with it.

use std::time::{Duration, Instant};

use super::layout::SECTIONS;

/// Failures in a row after which nothing is sent.
const FAILURES: u32 = 5;

/// How long nothing is sent before the next try.
const PAUSE: Duration = Duration::from_millis(250);

/// The breakers of the parts.
#[derive(Debug)]
pub(super) struct Breaker {
    parts: Box<[Part]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    failures: u32,
    /// Nothing is sent before.
    open_until: Option<Instant>,
}

impl Breaker {
    /// One for the whole tier, or for each part of a cluster.
    pub(super) fn new(is_cluster: bool) -> Self {
        let parts = if is_cluster { SECTIONS } else { 1 };
        Self { parts: vec![Part::default(); parts].into() }
    }

    /// Whether a call may be sent. The one that is let through after a pause is the try by which
    /// the next pause is judged.
    pub(super) fn lets_through(&mut self, section: usize, now: Instant) -> bool {
        let part = self.part(section);
        match part.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                part.open_until = Some(now + PAUSE);
                true
            }
        }
    }

    /// A call was answered, or not.
    pub(super) fn count(&mut self, section: usize, answered: bool, now: Instant) {
        let part = self.part(section);
        if answered {
            *part = Part::default();
            return;
        }
        part.failures = part.failures.saturating_add(1);
        if part.failures >= FAILURES {
            part.open_until = Some(now + PAUSE);
        }
    }

    /// The part of them that lets nothing through: 0 to 1.
    pub(super) fn open_ratio(&self) -> f64 {
        let open = self.parts.iter().filter(|part| part.open_until.is_some()).count();
        open as f64 / self.parts.len() as f64
    }

    fn part(&mut self, section: usize) -> &mut Part {
        let index = section % self.parts.len();
        &mut self.parts[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_failures_in_a_row_one_call_a_pause_is_let_through_until_one_succeeds() {
        let mut breaker = Breaker::new(false);
        let begun = Instant::now();
        for _ in 1..FAILURES {
            breaker.count(0, false, begun);
        }
        assert!(breaker.lets_through(0, begun));
        breaker.count(0, false, begun);
        assert!(!breaker.lets_through(0, begun));
        assert!((breaker.open_ratio() - 1.0).abs() < f64::EPSILON);

        let later = begun + PAUSE;
        assert!(breaker.lets_through(0, later), "the try");
        assert!(!breaker.lets_through(0, later), "only one");
        breaker.count(0, false, later);
        assert!(!breaker.lets_through(0, later));

        let last = later + PAUSE;
        assert!(breaker.lets_through(0, last));
        breaker.count(0, true, last);
        assert!((0..10).all(|_| breaker.lets_through(0, last)));
    }

    #[test]
    fn an_answer_between_failures_begins_the_count_anew() {
        let mut breaker = Breaker::new(false);
        let now = Instant::now();
        for n in 0..10 * FAILURES {
            breaker.count(0, n % FAILURES == 0, now);
            assert!(breaker.lets_through(0, now));
        }
    }

    #[test]
    fn a_part_of_a_cluster_that_is_down_leaves_the_others_alone() {
        let mut breaker = Breaker::new(true);
        let now = Instant::now();
        for _ in 0..FAILURES {
            breaker.count(7, false, now);
        }
        assert!(!breaker.lets_through(7, now));
        assert!(breaker.lets_through(8, now));
    }
}
