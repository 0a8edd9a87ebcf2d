//! The report as people read it in a terminal.

use std::fmt::{self, Display, Formatter, Write};

use bytesize::ByteSize;

use super::{
    Ending, Failure, Figures, Generator, Latency, Report, Server, Unsent, ViolationFigures,
};
use crate::engine::Rate;

/// Width of the first column.
const LABEL: usize = 18;

/// Width of a number.
const NUMBER: usize = 12;

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.conditions(out)?;
        if let Some(search) = &self.search {
            search.fmt(out)?;
            self.curve(out)?;
            let lowest = self.steps.iter().filter_map(|step| step.requests_per_second).min();
            if let Some(rate) = search.found_requests_per_second.map(Rate::from).or(lowest) {
                row(out, "figures", format_args!("of {rate} requests/s"))?;
            }
        }
        if let Some(trace) = &self.trace {
            trace.fmt(out)?;
        }
        self.figures.counts(out)?;
        if self.search.is_none() && self.steps.len() > 1 {
            self.curve(out)?;
        }
        self.figures.latencies(out)?;
        self.generator.fmt(out)?;
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
            Ending::TooManyInFlight => "broken off: too many requests under way",
            Ending::FarBehind => "broken off: far behind the plan",
            Ending::NoAnswer => "broken off: no answer",
        };
        if let Some(trace) = &settings.trace {
            let columns = trace.columns.as_ref().map(|columns| format!(": {columns}"));
            let columns = columns.unwrap_or_default();
            row(out, "trace", format_args!("{} ({}{columns})", trace.file, trace.format))?;
        }
        let in_flight = settings.in_flight;
        match (settings.requests_per_second, &settings.arrivals, settings.speed) {
            (_, _, Some(speed)) => {
                row(out, "open loop", format_args!("the trace's times, {speed} x, {ending}"))?;
            }
            (Some(rate), Some(arrivals), _) => {
                row(out, "open loop", format_args!("{rate} requests/s, {arrivals}, {ending}"))?;
            }
            (None, Some(arrivals), _) => {
                let steps = self.steps.len();
                let steps_of = if self.search.is_some() { "steps" } else { "rates" };
                row(out, "open loop", format_args!("{steps} {steps_of}, {arrivals}, {ending}"))?;
            }
            (_, None, None) => row(out, "closed loop", format_args!("{ending}"))?,
        }
        row(
            out,
            "server",
            format_args!(
                "{}, connections {}, in flight {in_flight}, threads {}",
                settings.target, settings.connections, settings.threads
            ),
        )?;
        if let Some(workload) = &settings.workload {
            row(
                out,
                "workload",
                format_args!(
                    "{}; {} keys of {}, {}; values {}, ttl {}; seed {}",
                    workload.mix,
                    workload.keys,
                    workload.key_size,
                    workload.key_distribution,
                    workload.value_size,
                    workload.ttl,
                    workload.seed
                ),
            )?;
        }
        writeln!(out)
    }

    /// What became of each rate; of a search, from the lowest to the highest.
    fn curve(&self, out: &mut Formatter<'_>) -> fmt::Result {
        header(out, "requests/s", &["answered", "errors", "p50", "p99", "p99.9", "max"])?;
        let mut steps: Vec<_> = self.steps.iter().collect();
        if self.search.is_some() {
            steps.sort_by_key(|step| step.requests_per_second);
        }
        for step in steps {
            let rate = step.requests_per_second.unwrap_or_default();
            let Figures { answered_per_second: answered, failed, .. } = step.figures;
            write!(out, "{:<LABEL$}{answered:>NUMBER$.0}{failed:>NUMBER$}", format!("  {rate}"))?;
            match step.figures.latency() {
                Some(Latency { p50, p99, p99_9, max, .. }) => {
                    for micros in [p50, p99, p99_9, max] {
                        write!(out, "{:>NUMBER$}", time(micros))?;
                    }
                }
                None => write!(out, "{:>width$}", "-", width = 4 * NUMBER)?,
            }
            match (step.held, &step.why_not, step.kept_up) {
                (Some(true), ..) => writeln!(out, "  held")?,
                (_, Some(why), _) => writeln!(out, "  {why}")?,
                (_, _, Some(false)) => writeln!(out, "  slipped")?,
                _ => writeln!(out)?,
            }
        }
        writeln!(out)
    }
}

impl Figures {
    fn counts(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let count = |out: &mut Formatter<'_>, label, count: u64| {
            row(out, label, format_args!("{count:>NUMBER$}"))
        };
        count(out, "requests", self.requests)?;
        for (name, operation) in &self.operations {
            writeln!(out, "  {name:<15} {:>9}", operation.requests)?;
        }
        if let Some(ratio) = self.hit_ratio {
            count(out, "hits", self.hits)?;
            count(out, "misses", self.misses)?;
            row(out, "hit ratio", format_args!("{:>NUMBER$.2} %", ratio * 100.0))?;
        }
        if let Some(origin) = &self.origin {
            row(out, "origin", format_args!("{:>NUMBER$.0} fetches/s", origin.fetches_per_second))?;
        }
        if self.stored + self.not_stored > 0 {
            count(out, "stored", self.stored)?;
            count(out, "not stored", self.not_stored)?;
        }
        if let Some(Unsent { requests, longest_seconds }) = &self.unsent {
            let waited = time(longest_seconds * 1e6);
            row(
                out,
                "never sent",
                format_args!("{requests:>NUMBER$}, due for up to {waited}: responses were later"),
            )?;
        }
        if self.abandoned_requests > 0 {
            row(
                out,
                "abandoned",
                format_args!(
                    "{:>NUMBER$}, sent, and left without a reply",
                    self.abandoned_requests
                ),
            )?;
        }
        if self.resent_calls > 0 {
            row(
                out,
                "sent again",
                format_args!("{:>NUMBER$}, handed back unprocessed by the peer", self.resent_calls),
            )?;
        }
        count(out, "errors", self.failed)?;
        for failure in &self.errors {
            writeln!(out, "  {failure}")?;
        }
        if let Some(found) = &self.verification {
            count(out, "verified reads", found.confirmed)?;
            count(out, "  age unknown", found.unchecked)?;
            count(out, "  of other runs", found.foreign)?;
            count(out, "violations", found.violations.iter().map(|of| of.count).sum())?;
            for ViolationFigures { kind, count, first } in &found.violations {
                writeln!(out, "  {count} {kind}, the first: {}", OneLine(first))?;
            }
        }
        row(out, "duration", format_args!("{:>NUMBER$.3} s", self.duration_seconds))?;
        row(out, "answered", format_args!("{:>NUMBER$.0} requests/s", self.answered_per_second))?;
        writeln!(out)
    }

    /// What a user would see: response times, or service times in a closed loop.
    #[must_use]
    pub fn latency(&self) -> Option<Latency> {
        self.response_us.or(self.service_us)
    }

    /// Response, service and slip; below, each kind of request.
    fn latencies(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let series = |out: &mut Formatter<'_>, label: &str, latency: Option<Latency>| {
            let Some(Latency { p50, p90, p99, p99_9, max, .. }) = latency else { return Ok(()) };
            write!(out, "{label:<LABEL$}")?;
            for micros in [p50, p90, p99, p99_9, max] {
                write!(out, "{:>NUMBER$}", time(micros))?;
            }
            writeln!(out)
        };
        header(out, "latency", &["p50", "p90", "p99", "p99.9", "max"])?;
        series(out, "  response", self.response_us)?;
        series(out, "  service", self.service_us)?;
        series(out, "  slip", self.slip_us)?;
        if self.operations.len() > 1 {
            let what = if self.response_us.is_some() { "response of" } else { "service of" };
            writeln!(out, "{what}")?;
            for (name, operation) in &self.operations {
                let latency = operation.response_us.or(operation.service_us);
                series(out, &format!("  {name}"), latency)?;
            }
        }
        writeln!(out)
    }
}

impl Display for Failure {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self { count, kind, first } = self;
        write!(out, "{count} {kind}, the first by a {} ", first.call)?;
        match first.trace_line {
            Some(line) => write!(out, "of line {line}")?,
            None => write!(out, "after {:.3} s", first.sent_seconds)?,
        }
        if let Some(file) = &first.trace_file {
            write!(out, " of {}", OneLine(file))?;
        }
        write!(out, ": {}", OneLine(&first.message))
    }
}

impl Server {
    fn table(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if let Some(version) = &self.version {
            row(out, "server version", OneLine(version))?;
        }
        self.usage(out)?;
        let Self { before, after, .. } = self;
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
        if let Some(note) = self.eviction_note() {
            writeln!(out, "  {note}")?;
        }
        Ok(())
    }
}

impl Server {
    fn usage(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Some(usage) = &self.usage else {
            let why = self.usage_unknown.as_deref().unwrap_or("not available");
            return row(out, "server usage", why);
        };
        let memory = ByteSize(usage.resident_bytes_after);
        let cpu = usage.cpu_seconds;
        row(
            out,
            "server usage",
            format_args!("CPU {cpu:.2} s, memory {memory}; {}", usage.source),
        )?;
        match self.operations_per_core_second {
            Some(rate) => row(out, "  efficiency", format_args!("{rate:.0} requests/core-second")),
            None => Ok(()),
        }
    }
}

impl Display for Generator {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match (self.cpu_seconds, self.cores) {
            (Some(cpu), Some(cores)) => {
                row(out, "generator", format_args!("CPU {cpu:.2} s, {cores:.2} cores"))
            }
            _ => Ok(()),
        }
    }
}

/// Somebody else's text, without what would break the line or command the terminal.
pub(super) struct OneLine<'a>(pub(super) &'a str);

impl Display for OneLine<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() { write!(out, "{}", c.escape_debug())? } else { out.write_char(c)? }
        }
        Ok(())
    }
}

/// Writes a line of a table.
pub(super) fn row(out: &mut Formatter<'_>, label: &str, content: impl Display) -> fmt::Result {
    writeln!(out, "{label:<LABEL$}{content}")
}

/// Writes the heads of columns.
fn header(out: &mut Formatter<'_>, label: &str, columns: &[&str]) -> fmt::Result {
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
