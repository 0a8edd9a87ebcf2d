//! Turns the times of a trace's rows into times since its first row, and notes where they do
//! not go on as times do.

use std::time::Duration;

use super::time::Time;

/// The time of one trace, from its first row on, over all its files. It never falls.
///
/// A row that is earlier than one before it gets the latest time so far. Beyond the longest
/// gap, in either direction, the trace's time breaks off: the row gets the latest time so far
/// too, and what follows is timed from there. So one row with a wrong time costs no wait, and
/// takes nothing from the times of the rows behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    max_gap: i128,
    span: Option<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    /// What counts as the first row's time.
    origin: i128,
    /// The latest time so far, from there.
    latest: i128,
}

/// A time that is not where it was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Leap {
    /// Earlier than the row before, by so much.
    Back(Duration),
    /// Later than the row before, by so much and more than the longest gap.
    Ahead(Duration),
}

impl Clock {
    /// A clock that takes any longer gap for a break.
    pub(super) fn new(max_gap: Duration) -> Self {
        Self { max_gap: i128::try_from(max_gap.as_nanos()).unwrap_or(i128::MAX), span: None }
    }

    /// Takes a row's time and gives the time since the first row, with what is odd about it.
    pub(super) fn at(&mut self, time: Time) -> (Duration, Option<Leap>) {
        let Self { max_gap, span } = self;
        let span = span.get_or_insert(Span { origin: time.nanos, latest: 0 });
        let step = time.nanos - span.origin - span.latest;
        if step > *max_gap || step < -*max_gap {
            span.origin += step;
        } else if step > 0 {
            span.latest += step;
        }
        let leap = match step {
            ..0 => Some(Leap::Back(duration(-step))),
            step => (step > *max_gap).then(|| Leap::Ahead(duration(step))),
        };
        (duration(span.latest), leap)
    }
}

/// At most as long as a duration can be.
fn duration(nanos: i128) -> Duration {
    const SECOND: i128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / SECOND).unwrap_or(u64::MAX);
    Duration::new(seconds, u32::try_from(nanos % SECOND).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trace::time::TimeUnit;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(86_400);

    fn read(seconds: &[u64], max_gap: Duration) -> (Vec<u64>, Vec<Leap>) {
        let mut clock = Clock::new(max_gap);
        let (mut times, mut leaps) = (Vec::new(), Vec::new());
        for &seconds in seconds {
            let (at, leap) = clock.at(Time::whole(seconds, TimeUnit::Seconds));
            times.push(at.as_secs());
            leaps.extend(leap);
        }
        (times, leaps)
    }

    #[test]
    fn the_first_row_is_at_zero_wherever_the_trace_starts_to_count() {
        assert_eq!(read(&[0, 0, 3], HOUR), (vec![0, 0, 3], vec![]));
        assert_eq!(read(&[604_038_471, 604_038_473], HOUR), (vec![0, 2], vec![]));
        assert_eq!(read(&[0, u64::MAX], Duration::MAX), (vec![0, u64::MAX], vec![]));
    }

    #[test]
    fn a_row_that_goes_back_stays_at_the_latest_time_and_is_noted() {
        let back = |seconds| Leap::Back(Duration::from_secs(seconds));
        let (times, leaps) = read(&[10, 15, 12, 9, 16], HOUR);
        assert_eq!(times, [0, 5, 5, 5, 6]);
        assert_eq!(leaps, [back(3), back(6)]);
        assert_eq!(read(&[10, 9], HOUR), (vec![0, 0], vec![back(1)]));
    }

    /// Such a row held the replay up for a day, and all behind it came at once.
    #[test]
    fn a_row_a_day_ahead_takes_nothing_from_those_around_it() {
        let (times, leaps) = read(&[0, 1, 86_401, 2, 3], HOUR);
        assert_eq!(times, [0, 1, 1, 1, 2]);
        assert_eq!(leaps, [Leap::Ahead(DAY), Leap::Back(DAY - Duration::from_secs(1))]);
    }

    #[test]
    fn a_gap_that_is_longer_than_the_longest_is_left_out() {
        assert_eq!(read(&[0, 5, 86_405, 86_406], HOUR), (vec![0, 5, 5, 6], vec![Leap::Ahead(DAY)]));
        assert_eq!(read(&[0, 3600], HOUR), (vec![0, 3600], vec![]));
        assert_eq!(read(&[0, 86_400], DAY), (vec![0, 86_400], vec![]));
    }

    proptest! {
        #[test]
        fn the_time_never_falls(seconds: Vec<u64>, max_gap: u64) {
            prop_assert!(read(&seconds, Duration::from_secs(max_gap)).0.is_sorted());
        }
    }
}
