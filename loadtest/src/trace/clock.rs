//! Turns the times of a trace's rows into times since its first row. Knows seconds only;
//! what is made of them is decided elsewhere.

use std::time::Duration;

/// The time of one trace, from its first row on.
///
/// A row that is earlier than one before it gets the latest time so far, so the time never
/// falls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    span: Option<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    first: u64,
    latest: u64,
}

impl Clock {
    /// Takes a row's time, in seconds from wherever the trace counts them, and gives the
    /// time since the first row.
    pub(super) fn at(&mut self, seconds: u64) -> Duration {
        let span = self.span.get_or_insert(Span { first: seconds, latest: seconds });
        span.latest = span.latest.max(seconds);
        Duration::from_secs(span.latest - span.first)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(seconds: &[u64]) -> Vec<u64> {
        let mut clock = Clock::default();
        seconds.iter().map(|&seconds| clock.at(seconds).as_secs()).collect()
    }

    #[test]
    fn the_first_row_is_at_zero_wherever_the_trace_starts_to_count() {
        assert_eq!(times(&[0, 0, 3]), [0, 0, 3]);
        assert_eq!(times(&[604_038_471, 604_038_473]), [0, 2]);
        assert_eq!(times(&[0, u64::MAX]), [0, u64::MAX]);
    }

    #[test]
    fn a_row_that_goes_back_stays_at_the_latest_time() {
        assert_eq!(times(&[10, 15, 12, 9, 16]), [0, 5, 5, 5, 6]);
        assert_eq!(times(&[10, 9]), [0, 0]);
    }

    proptest! {
        #[test]
        fn the_time_never_falls(seconds: Vec<u64>) {
            prop_assert!(times(&seconds).is_sorted());
        }
    }
}
