//! The report as people read it in a terminal.

use std::fmt::{self, Display, Formatter};

use bytesize::ByteSize;

use super::{Ending, Latency, Report, Server};

/// Width of the first column.
const LABEL: usize = 14;

/// Width of a number.
pub(crate) const NUMBER: usize = 12;

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.conditions(out)?;
        self.counts(out)?;
        self.latencies(out)?;
        self.server.table(out)
    }
}

impl Report {
    fn conditions(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        let ending = match self.ending {
            Ending::Completed => "completed",
            Ending::Interrupted => "interrupted",
            Ending::TraceBroken => "broken off: the trace cannot be read on",
        };
        row(out, "trace", format_args!("{} ({}), {ending}", settings.trace, settings.format))?;
        row(
            out,
            "server",
            format_args!(
                "{}, connections {}, in flight {}, threads {}",
                settings.target, settings.connections, settings.in_flight, settings.threads
            ),
        )?;
        writeln!(out)
    }

    fn counts(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let count = |out: &mut Formatter<'_>, label, count: u64| {
            row(out, label, format_args!("{count:>NUMBER$}"))
        };
        count(out, "accesses", self.accesses)?;
        count(out, "gets", self.gets)?;
        count(out, "  hits", self.hits)?;
        count(out, "  misses", self.misses)?;
        match self.hit_ratio {
            Some(ratio) => row(out, "  hit ratio", format_args!("{:>NUMBER$.2} %", ratio * 100.0))?,
            None => row(out, "  hit ratio", format_args!("{:>NUMBER$}", "-"))?,
        }
        count(out, "sets", self.sets)?;
        count(out, "deletes", self.deletes)?;
        count(out, "errors", self.failed)?;
        for failure in &self.errors {
            let first = &failure.first;
            writeln!(
                out,
                "  {} {}, the first by the {} of line {}: {}",
                failure.count,
                failure.kind,
                first.call,
                first.trace_line,
                first.message.escape_debug()
            )?;
        }
        row(out, "duration", format_args!("{:>NUMBER$.3} s", self.duration_seconds))?;
        row(out, "throughput", format_args!("{:>NUMBER$.0} requests/s", self.requests_per_second))?;
        writeln!(out)
    }

    fn latencies(&self, out: &mut Formatter<'_>) -> fmt::Result {
        header(out, "latency", &["p50", "p99", "p99.9", "max"])?;
        let latency = &self.latency_us;
        for (label, latency) in [
            ("  get", latency.get),
            ("  set", latency.set),
            ("  delete", latency.delete),
            ("  all", latency.all),
        ] {
            if let Some(Latency { p50, p99, p99_9, max }) = latency {
                let [p50, p99, p99_9, max] = [p50, p99, p99_9, max].map(time);
                row(
                    out,
                    label,
                    format_args!("{p50:>NUMBER$}{p99:>NUMBER$}{p99_9:>NUMBER$}{max:>NUMBER$}"),
                )?;
            }
        }
        writeln!(out)
    }
}

impl Server {
    pub(crate) fn table(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { before, after } = self;
        if before.is_none() && after.is_none() {
            return row(out, "server stats", "not available");
        }
        header(out, "server stats", &["before", "after"])?;
        let [before, after] = [before, after].map(|stats| {
            stats.as_ref().map(|stats| {
                let memory = u64::try_from(stats.memory_usage_bytes).unwrap_or_default();
                [
                    stats.entries.to_string(),
                    stats.evictions.to_string(),
                    ByteSize(memory).to_string(),
                ]
            })
        });
        for (index, label) in ["  entries", "  evictions", "  memory"].into_iter().enumerate() {
            let [before, after] =
                [&before, &after].map(|side| side.as_ref().map_or("-", |side| &side[index]));
            row(out, label, format_args!("{before:>NUMBER$}{after:>NUMBER$}"))?;
        }
        Ok(())
    }
}

/// Writes a line of a table.
pub(crate) fn row(out: &mut Formatter<'_>, label: &str, content: impl Display) -> fmt::Result {
    writeln!(out, "{label:<LABEL$}{content}")
}

/// Writes the heads of columns.
pub(crate) fn header(out: &mut Formatter<'_>, label: &str, columns: &[&str]) -> fmt::Result {
    write!(out, "{label:<LABEL$}")?;
    for column in columns {
        write!(out, "{column:>NUMBER$}")?;
    }
    writeln!(out)
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
