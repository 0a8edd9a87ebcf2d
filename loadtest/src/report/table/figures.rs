//! What became of the requests: counts and latencies.

use std::fmt::{self, Display, Formatter};

use crate::report::{
    figures::{Failure, Figures, Unsent, Verification, ViolationFigures},
    latency::{Latency, PERCENTILES},
    layout::{LABEL, NUMBER, OneLine, header, row, time, times},
};

/// Requests, hits and errors.
pub(super) fn counts(figures: &Figures, out: &mut Formatter<'_>) -> fmt::Result {
    count(out, "requests", figures.requests)?;
    for (name, operation) in &figures.operations {
        writeln!(out, "  {name:<15} {:>9}", operation.requests)?;
    }
    if let Some(ratio) = figures.hit_ratio {
        count(out, "hits", figures.hits)?;
        count(out, "misses", figures.misses)?;
        row!(out, "hit ratio", "{:>NUMBER$.2} %", ratio * 100.0)?;
    }
    if let Some(origin) = &figures.origin {
        row!(out, "origin", "{:>NUMBER$.0} fetches/s", origin.fetches_per_second)?;
    }
    if figures.stored + figures.not_stored > 0 {
        count(out, "stored", figures.stored)?;
        count(out, "not stored", figures.not_stored)?;
    }
    unanswered(figures, out)?;
    count(out, "errors", figures.failed)?;
    for failure in &figures.errors {
        writeln!(out, "  {failure}")?;
    }
    if let Some(found) = &figures.verification {
        verification(found, out)?;
    }
    row!(out, "duration", "{:>NUMBER$.3} s", figures.duration_seconds)?;
    row!(out, "answered", "{:>NUMBER$.0} requests/s", figures.answered_per_second)?;
    writeln!(out)
}

/// Requests that are in no other figure, and those that were sent twice.
fn unanswered(figures: &Figures, out: &mut Formatter<'_>) -> fmt::Result {
    if let Some(Unsent { requests, longest_seconds }) = &figures.unsent {
        let waited = time(longest_seconds * 1e6);
        let due = format_args!("due for up to {waited}: responses were later");
        row!(out, "never sent", "{requests:>NUMBER$}, {due}")?;
    }
    let Figures { abandoned_requests: abandoned, resent_calls: resent, .. } = figures;
    if *abandoned > 0 {
        row!(out, "abandoned", "{abandoned:>NUMBER$}, sent, and left without a reply")?;
    }
    if *resent > 0 {
        row!(out, "sent again", "{resent:>NUMBER$}, handed back unprocessed by the peer")?;
    }
    Ok(())
}

fn verification(found: &Verification, out: &mut Formatter<'_>) -> fmt::Result {
    count(out, "verified reads", found.confirmed)?;
    count(out, "  age unknown", found.unchecked)?;
    count(out, "  of other runs", found.foreign)?;
    count(out, "violations", found.violations.iter().map(|of| of.count).sum())?;
    for ViolationFigures { kind, count, first } in &found.violations {
        writeln!(out, "  {count} {kind}, the first: {}", OneLine(first))?;
    }
    Ok(())
}

fn count(out: &mut Formatter<'_>, label: &str, count: u64) -> fmt::Result {
    row!(out, label, "{count:>NUMBER$}")
}

/// Response, service and slip; below, each kind of request.
pub(super) fn latencies(figures: &Figures, out: &mut Formatter<'_>) -> fmt::Result {
    header(out, "latency", &PERCENTILES.map(|(name, _)| name))?;
    series(out, "response", figures.response_us)?;
    series(out, "service", figures.service_us)?;
    series(out, "slip", figures.slip_us)?;
    if figures.operations.len() > 1 {
        let is_open = figures.response_us.is_some();
        writeln!(out, "{}", if is_open { "response of" } else { "service of" })?;
        for (name, operation) in &figures.operations {
            series(out, name, operation.response_us.or(operation.service_us))?;
        }
    }
    writeln!(out)
}

fn series(out: &mut Formatter<'_>, label: &str, latency: Option<Latency>) -> fmt::Result {
    let Some(latency) = latency else { return Ok(()) };
    write!(out, "{:<LABEL$}", format!("  {label}"))?;
    times(out, &PERCENTILES.map(|(_, of)| of(&latency)))?;
    writeln!(out)
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
