//! Numbers as people read them.

use crate::{engine::Rate, report::time};

/// An integer, its digits in groups of three.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Requests in a second that are asked for.
pub(super) fn rate(rate: Rate) -> String {
    rate.whole().map_or_else(|| rate.to_string(), count)
}

/// A number that may be below one: three digits, or all before the point.
pub(super) fn number(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => {
            let sign = if number < 0.0 { "-" } else { "" };
            format!("{sign}{}", count(size.round() as u64))
        }
        size if size >= 10.0 => trimmed(number, 1),
        size if size >= 1.0 => trimmed(number, 2),
        _ => trimmed(number, 3),
    }
}

/// A share of 1 in percent, with more digits near its ends.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let from_end = percent.min(100.0 - percent);
    let digits = if from_end >= 10.0 || from_end <= 0.0 { 1 } else { 2 };
    format!("{} %", trimmed(percent, digits))
}

/// A length of time that was set.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds > 0.0 && seconds < 1.0 {
        nanos(seconds * 1e9)
    } else {
        format!("{} s", trimmed(seconds, 3))
    }
}

/// Nanoseconds, in the unit that people would say.
pub(super) fn nanos(nanos: f64) -> String {
    time(nanos / 1e3)
}

/// A time on a latency axis, without needless digits.
pub(super) fn short_nanos(nanos: f64) -> String {
    let (number, unit) = match nanos {
        nanos if nanos < 1e3 => (nanos, "ns"),
        nanos if nanos < 1e6 => (nanos / 1e3, "µs"),
        nanos if nanos < 1e9 => (nanos / 1e6, "ms"),
        nanos => (nanos / 1e9, "s"),
    };
    format!("{} {unit}", trimmed(number, 1))
}

/// Seconds since the beginning: `45 s`, `1:30`, `1:00:00`.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{} s", trimmed(seconds, 1)),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

/// A number with at most `digits` after the point, without zeros at its end.
pub(super) fn trimmed(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_grouped() {
        for (text, expected) in [
            (count(0), "0"),
            (count(999), "999"),
            (count(1_234_567), "1,234,567"),
            (number(1999.6), "2,000"),
            (number(12.34), "12.3"),
            (number(-1234.0), "-1,234"),
            (number(0.0), "0"),
            (seconds(0.0), "0 s"),
            (seconds(0.001), "1.00 ms"),
            (seconds(12.0), "12 s"),
            (percent(0.5), "50 %"),
            (percent(0.99987), "99.99 %"),
            (percent(1.0), "100 %"),
            (short_nanos(2e6), "2 ms"),
            (short_nanos(500.0), "500 ns"),
            (clock(45.0), "45 s"),
            (clock(90.0), "1:30"),
            (clock(3661.0), "1:01:01"),
        ] {
            assert_eq!(text, expected);
        }
    }
}
