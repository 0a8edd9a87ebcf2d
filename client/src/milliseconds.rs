//! The second service's durations: milliseconds in 64 bits.

use std::time::Duration;

/// The whole milliseconds of a time; what 64 bits do not hold is their largest.
pub(crate) fn of(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// As [`of`], where a part of one counts as one: an entry never expires too early.
pub(crate) fn rounded_up(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// The time of a number; zero if it is negative.
pub(crate) fn duration(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_millisecond_counts_where_it_is_rounded_up() {
        let time = Duration::from_micros(1_001);
        assert_eq!((of(time), rounded_up(time)), (1, 2));
        assert_eq!((of(Duration::MAX), rounded_up(Duration::MAX)), (i64::MAX, i64::MAX));
        assert_eq!((duration(-1), duration(2)), (Duration::ZERO, Duration::from_millis(2)));
    }
}
