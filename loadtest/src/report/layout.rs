//! The columns of the report in a terminal, and how figures are written in them.

use std::fmt::{self, Display, Formatter, Write};

/// Width of the first column.
pub(super) const LABEL: usize = 18;

/// Width of a number.
pub(super) const NUMBER: usize = 12;

/// Writes a line of the table: a label, and a text as of `format!`.
macro_rules! row {
    ($out:expr, $label:expr, $($content:tt)+) => {
        writeln!(
            $out,
            "{:<width$}{}",
            $label,
            format_args!($($content)+),
            width = $crate::report::layout::LABEL
        )
    };
}
pub(super) use row;

/// Writes the heads of columns.
pub(super) fn header(out: &mut Formatter<'_>, label: &str, columns: &[&str]) -> fmt::Result {
    write!(out, "{label:<LABEL$}")?;
    for column in columns {
        write!(out, "{column:>NUMBER$}")?;
    }
    writeln!(out)
}

/// Writes percentiles below the heads of their columns.
pub(super) fn times(out: &mut Formatter<'_>, micros: &[f64]) -> fmt::Result {
    micros.iter().try_for_each(|micros| write!(out, "{:>NUMBER$}", time(*micros)))
}

/// Text from outside, with control characters escaped: they would break the line or command the
/// terminal.
pub(super) struct OneLine<'a>(pub(super) &'a str);

impl Display for OneLine<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() { write!(out, "{}", c.escape_debug())? } else { out.write_char(c)? }
        }
        Ok(())
    }
}

/// Microseconds in the unit that people would say, to three digits.
pub(crate) fn time(micros: f64) -> String {
    let (number, unit) = match micros {
        micros if micros < 999.5 => (micros, "µs"),
        micros if micros < 999_500.0 => (micros / 1e3, "ms"),
        micros => (micros / 1e6, "s"),
    };
    let digits = if number < 9.995 { 2 } else { usize::from(number < 99.95) };
    format!("{number:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        for (micros, text) in [
            (0.5, "0.50 µs"),
            (85.25, "85.2 µs"),
            (99.96, "100 µs"),
            (999.9, "1.00 ms"),
            (12_345.0, "12.3 ms"),
            (999_600.0, "1.00 s"),
            (61_000_000.0, "61.0 s"),
        ] {
            assert_eq!(time(micros), text);
        }
    }
}
