//! Reads numbers and durations, and says what is allowed.

use std::{num::NonZeroUsize, str::FromStr, time::Duration};

/// Most connections or requests in flight: far beyond what one process can drive.
const MOST: usize = 1_000_000;

/// Longest time that can be asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn count(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= MOST => Ok(count),
        _ => Err(format!("expected a number from 1 to {MOST}")),
    }
}

/// A whole number of 1 or more.
pub(super) fn positive<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.trim().parse().map_err(|_| "expected a whole number of 1 or more")
}

/// Where random numbers begin.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

pub(super) fn positive_duration(text: &str) -> Result<Duration, &'static str> {
    let time = pause(text).ok().filter(|time| !time.is_zero());
    time.ok_or("expected a duration with a unit, above zero and up to 24h, such as 500ms or 2s")
}

pub(super) fn pause(text: &str) -> Result<Duration, &'static str> {
    let time = humantime::parse_duration(text).ok().filter(|time| *time <= LONGEST_WAIT);
    time.ok_or("expected a duration with a unit, up to 24h, such as 0s or 500ms")
}

/// A number in a range.
pub(super) fn within(
    text: &str,
    range: impl std::ops::RangeBounds<f64>,
    expected: &'static str,
) -> Result<f64, &'static str> {
    text.parse().ok().filter(|number| range.contains(number)).ok_or(expected)
}
