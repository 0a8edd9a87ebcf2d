//! The times of a trace: numbers with or without a fraction, in a unit, or dates. What they add
//! up to is [`super::clock`]'s.

use std::time::{Duration, UNIX_EPOCH};

/// What was expected where a text is no time.
pub(super) const EXPECTED: &str = "a time such as 12, 12.5 or 2024-05-01T12:00:00Z";

/// Digits behind the point that are kept: nanoseconds of a second.
const DIGITS: u32 = 9;

/// Times from here on are no seconds: as such they would be in the year 5138 or later. Epochs
/// in milliseconds are beyond since 1973.
const BEYOND_SECONDS: i128 = 100_000_000_000 * TimeUnit::Seconds.nanos();

/// What the times of a trace count.
// Its values are documented for the help of --time-unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum TimeUnit {
    /// Seconds
    #[value(name = "s")]
    Seconds,
    /// Milliseconds
    #[value(name = "ms")]
    Milliseconds,
    /// Microseconds
    #[value(name = "us")]
    Microseconds,
    /// Nanoseconds
    #[value(name = "ns")]
    Nanoseconds,
}

impl TimeUnit {
    /// One of it.
    pub(super) const fn nanos(self) -> i128 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1000,
            Self::Nanoseconds => 1,
        }
    }

    /// The unit in which a number of seconds that is far beyond our time would be near it.
    pub(super) fn of_epoch(seconds_in_nanos: i128) -> Option<Self> {
        match seconds_in_nanos / BEYOND_SECONDS {
            0 => None,
            1..1_000 => Some(Self::Milliseconds),
            1_000..1_000_000 => Some(Self::Microseconds),
            _ => Some(Self::Nanoseconds),
        }
    }

    /// As `--time-unit` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }
}

/// An instant of a trace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Time {
    /// Nanoseconds from wherever the trace counts them.
    pub nanos: i128,
    /// The resolution: one more in the last digit.
    pub tick: Duration,
}

impl Time {
    /// A whole number of units.
    pub(super) fn whole(number: u64, unit: TimeUnit) -> Self {
        Self { nanos: i128::from(number) * unit.nanos(), tick: tick(unit.nanos()) }
    }

    /// Reads a time.
    pub(super) fn parse(text: &[u8], unit: TimeUnit) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let Self { nanos, tick } = decimal(digits, unit)
            .or_else(|| scientific(digits, unit))
            .or_else(|| date(text).filter(|_| !negative))?;
        Some(Self { nanos: if negative { -nanos } else { nanos }, tick })
    }
}

fn tick(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos.max(1)).unwrap_or(u64::MAX))
}

/// Digits, with or without some behind a point. A fraction of zeros alone, as programs write
/// that keep all numbers as floating point ones, does not refine it.
fn decimal(text: &str, unit: TimeUnit) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction = fraction.trim_end_matches('0');
    let kept = &fraction[..fraction.len().min(DIGITS as usize)];
    let scale = 10_i128.pow(kept.len() as u32);
    let part: i128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    Some(Time {
        nanos: i128::from(whole) * unit.nanos() + part * unit.nanos() / scale,
        tick: tick(unit.nanos() / scale),
    })
}

/// A number with an exponent, which is exact to some sixteen digits.
fn scientific(text: &str, unit: TimeUnit) -> Option<Time> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.contains(['e', 'E']) {
        return None;
    }
    let number: f64 = text.parse().ok().filter(|number| *number < u64::MAX as f64)?;
    Some(Time { nanos: (number * unit.nanos() as f64).round() as i128, tick: tick(unit.nanos()) })
}

/// A date and a time as RFC 3339 has them, with `T` or a blank between, in UTC.
fn date(text: &str) -> Option<Time> {
    let since = humantime::parse_rfc3339_weak(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let digits = text.split_once('.').map_or(0, |(_, fraction)| {
        fraction.bytes().take_while(u8::is_ascii_digit).count().min(DIGITS as usize) as u32
    });
    let nanos = i128::try_from(since.as_nanos()).ok()?;
    Some(Time { nanos, tick: tick(TimeUnit::Seconds.nanos() / 10_i128.pow(digits)) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nanos(text: &str, unit: TimeUnit) -> Option<i128> {
        Time::parse(text.as_bytes(), unit).map(|time| time.nanos)
    }

    #[test]
    fn whole_numbers_fractions_exponents_and_dates_are_times() {
        use TimeUnit::{Microseconds, Milliseconds, Nanoseconds, Seconds};
        for (text, unit, expected) in [
            ("12", Seconds, 12_000_000_000),
            ("12", Milliseconds, 12_000_000),
            ("12", Microseconds, 12_000),
            ("12", Nanoseconds, 12),
            ("12.5", Seconds, 12_500_000_000),
            ("12.", Seconds, 12_000_000_000),
            ("0.000001", Milliseconds, 1),
            ("-3.25", Seconds, -3_250_000_000),
            ("-0", Seconds, 0),
            ("1.5e3", Milliseconds, 1_500_000_000),
            ("1.565E+09", Seconds, 1_565_000_000_000_000_000),
            ("1565000000.123456789012", Seconds, 1_565_000_000_123_456_789),
            ("1970-01-01T00:00:01Z", Milliseconds, 1_000_000_000),
            ("1970-01-01 00:01:00.25", Seconds, 60_250_000_000),
            ("18446744073709551615", Seconds, i128::from(u64::MAX) * 1_000_000_000),
        ] {
            assert_eq!(nanos(text, unit), Some(expected), "{text}");
        }
        for text in ["", "-", ".5", "1.2.3", "+1", "0x10", "1e", "e5", "inf", "nan", "--1", "1 2"] {
            assert_eq!(nanos(text, Seconds), None, "{text}");
        }
    }

    #[test]
    fn a_fraction_says_how_fine_times_are() {
        let tick = |text: &str, unit| Time::parse(text.as_bytes(), unit).unwrap().tick.as_nanos();
        assert_eq!(tick("12", TimeUnit::Seconds), 1_000_000_000);
        assert_eq!(tick("12.0", TimeUnit::Seconds), 1_000_000_000);
        assert_eq!(tick("12.125", TimeUnit::Seconds), 1_000_000);
        assert_eq!(tick("12", TimeUnit::Milliseconds), 1_000_000);
        assert_eq!(tick("12.5", TimeUnit::Nanoseconds), 1);
    }

    #[test]
    fn the_unit_of_an_epoch_is_known_by_its_size() {
        for (seconds, unit) in [
            (4_102_444_800, None),
            (1_565_000_000_000, Some(TimeUnit::Milliseconds)),
            (1_565_000_000_000_000, Some(TimeUnit::Microseconds)),
            (1_565_000_000_000_000_000, Some(TimeUnit::Nanoseconds)),
        ] {
            assert_eq!(TimeUnit::of_epoch(seconds * 1_000_000_000), unit, "{seconds}");
        }
    }

    proptest! {
        #[test]
        fn a_written_time_reads_back(seconds: u64, fraction in 0..1_000_000_000_u32, negative: bool) {
            let sign = if negative { "-" } else { "" };
            let expected = i128::from(seconds) * 1_000_000_000 + i128::from(fraction);
            let text = format!("{sign}{seconds}.{fraction:09}");
            let expected = if negative { -expected } else { expected };
            prop_assert_eq!(nanos(&text, TimeUnit::Seconds), Some(expected));
        }

        #[test]
        fn any_bytes_are_a_time_or_none(bytes: Vec<u8>, text in "[0-9eE.:TZ -]{0,30}") {
            let _ = Time::parse(&bytes, TimeUnit::Nanoseconds);
            let _ = Time::parse(text.as_bytes(), TimeUnit::Seconds);
        }
    }
}
