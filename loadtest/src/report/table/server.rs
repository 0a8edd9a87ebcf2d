//! What the server and the load generator used.

use std::fmt::{self, Formatter};

use bytesize::ByteSize;

use crate::report::{
    latency::Latency,
    layout::{LABEL, NUMBER, OneLine, header, row, time},
    server::{Generator, Server, ServerStats},
    server_part::ServerPart,
};

/// The CPU time of this process.
pub(super) fn generator(generator: &Generator, out: &mut Formatter<'_>) -> fmt::Result {
    match (generator.cpu_seconds, generator.cores) {
        (Some(cpu), Some(cores)) => row!(out, "generator", "CPU {cpu:.2} s, {cores:.2} cores"),
        _ => Ok(()),
    }
}

/// The server's version, its usage and its counters.
pub(super) fn table(server: &Server, out: &mut Formatter<'_>) -> fmt::Result {
    if let Some(version) = &server.version {
        row!(out, "server version", "{}", OneLine(version))?;
    }
    usage(server, out)?;
    let Server { before, after, .. } = server;
    if before.is_none() && after.is_none() {
        return row!(out, "server stats", "not available");
    }
    header(out, "server stats", &["before", "after"])?;
    let [before, after] = [counters(before.as_ref()), counters(after.as_ref())];
    for (index, label) in ["  entries", "  evictions", "  memory"].into_iter().enumerate() {
        row!(out, label, "{:>NUMBER$}{:>NUMBER$}", before[index], after[index])?;
    }
    server.eviction_note().map_or(Ok(()), |note| writeln!(out, "  {note}"))
}

/// A line for each of several servers; nothing for one.
pub(super) fn parts(parts: &[ServerPart], out: &mut Formatter<'_>) -> fmt::Result {
    if parts.is_empty() {
        return Ok(());
    }
    header(out, "each server", &["requests", "errors", "hit ratio", "p50", "p99", "CPU"])?;
    for part in parts {
        let hit_ratio = part.hit_ratio.map_or("-".to_owned(), |of| format!("{:.1} %", of * 100.0));
        let of = |at: fn(&Latency) -> f64| {
            part.service_us.as_ref().map_or("-".to_owned(), |latency| time(at(latency)))
        };
        let usage = part.usage.as_ref();
        let cpu = usage.map_or("-".to_owned(), |usage| format!("{:.2} s", usage.cpu_seconds));
        let columns = [
            part.requests.to_string(),
            part.failed.to_string(),
            hit_ratio,
            of(|latency| latency.p50),
            of(|latency| latency.p99),
            cpu,
        ];
        write!(out, "{:<LABEL$}", format!("  {}", OneLine(&part.name)))?;
        // A long name takes a line of its own, so that the columns stay columns.
        if part.name.chars().count() + 2 > LABEL {
            write!(out, "\n{:<LABEL$}", "")?;
        }
        columns.iter().try_for_each(|column| write!(out, "{column:>NUMBER$}"))?;
        writeln!(out)?;
    }
    Ok(())
}

/// Entries, evictions and memory.
fn counters(stats: Option<&ServerStats>) -> [String; 3] {
    let Some(stats) = stats else { return ["-"; 3].map(str::to_owned) };
    let memory = ByteSize(u64::try_from(stats.memory_usage_bytes).unwrap_or_default());
    [stats.entries.to_string(), stats.evictions.to_string(), memory.to_string()]
}

fn usage(server: &Server, out: &mut Formatter<'_>) -> fmt::Result {
    let Some(usage) = &server.usage else {
        let why = server.usage_unknown.as_deref().unwrap_or("not available");
        return row!(out, "server usage", "{why}");
    };
    let (cpu, memory) = (usage.cpu_seconds, ByteSize(usage.resident_bytes_after));
    row!(out, "server usage", "CPU {cpu:.2} s, memory {memory}; {}", usage.source)?;
    if let Some(seconds) = usage.calls_p99_at_most_seconds {
        let bound = time(seconds * 1e6);
        row!(out, "  own p99", "at most {bound}, by its metrics")?;
    }
    match server.operations_per_core_second {
        Some(rate) => row!(out, "  efficiency", "{rate:.0} requests/core-second"),
        None => Ok(()),
    }
}
