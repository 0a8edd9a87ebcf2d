//! The report of a run as people read it in a terminal.

use std::fmt::{self, Display, Formatter};

use super::{OperationReport, RunReport};
use crate::report::{Latency, NUMBER, header, row, time};

/// Reads one percentile.
type Point = fn(Latency) -> f64;

impl Display for RunReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.conditions(out)?;
        self.counts(out)?;
        self.latencies(out)?;
        self.server.table(out)
    }
}

impl RunReport {
    fn conditions(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        let ending = match self.ending {
            "too_many_in_flight" => "broken off: too many requests under way",
            "far_behind" => "broken off: far behind the plan",
            ending => ending,
        };
        match (settings.requests_per_second, settings.arrivals, settings.in_flight) {
            (Some(rate), Some(arrivals), _) => {
                row(out, "open loop", format_args!("{rate} requests/s, {arrivals}, {ending}"))?;
            }
            (_, _, in_flight) => row(
                out,
                "closed loop",
                format_args!("in flight {}, {ending}", in_flight.unwrap_or_default()),
            )?,
        }
        row(
            out,
            "server",
            format_args!(
                "{}, connections {}, threads {}",
                settings.target, settings.connections, settings.threads
            ),
        )?;
        if let Some(version) = &self.server_version {
            row(out, "version", format_args!("{version}"))?;
        }
        row(
            out,
            "workload",
            format_args!(
                "{}; {} keys of {}, {}; values {}, ttl {}; seed {}",
                settings.mix,
                settings.keys,
                settings.key_size,
                settings.key_distribution,
                settings.value_size,
                settings.ttl,
                settings.seed
            ),
        )?;
        writeln!(out)
    }

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
            count(out, "origin", origin.fetches)?;
            row(out, "  load", format_args!("{:>NUMBER$.0} fetches/s", origin.fetches_per_second))?;
        }
        if self.stored + self.not_stored > 0 {
            count(out, "stored", self.stored)?;
            count(out, "not stored", self.not_stored)?;
        }
        count(out, "errors", self.failed)?;
        for failure in &self.errors {
            let first = &failure.first;
            writeln!(
                out,
                "  {} {}, the first by a {} after {:.3} s: {}",
                failure.count,
                failure.kind,
                first.call,
                first.sent_seconds,
                first.message.escape_debug()
            )?;
        }
        row(out, "duration", format_args!("{:>NUMBER$.3} s", self.duration_seconds))?;
        if let Some(rate) = self.settings.requests_per_second {
            row(out, "asked", format_args!("{rate:>NUMBER$} requests/s"))?;
        }
        row(out, "answered", format_args!("{:>NUMBER$.0} requests/s", self.answered_per_second))?;
        writeln!(out)
    }

    /// Response and service side by side; slip below.
    fn latencies(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.response_us {
            Some(_) => header(out, "latency", &["response", "service"])?,
            None => header(out, "latency", &["service"])?,
        }
        self.pair(out, self.response_us, self.service_us, "  ")?;
        if self.operations.len() > 1 {
            let answered = |of: &&OperationReport| of.service_us.is_some();
            for (name, operation) in self.operations.iter().filter(|(_, of)| answered(of)) {
                writeln!(out, "  {name}")?;
                self.pair(out, operation.response_us, operation.service_us, "    ")?;
            }
        }
        if let Some(slip) = self.slip_us {
            header(out, "slip", &["p50", "p99", "p99.9", "max"])?;
            let [p50, p99, p99_9, max] = [slip.p50, slip.p99, slip.p99_9, slip.max].map(time);
            row(
                out,
                "",
                format_args!("{p50:>NUMBER$}{p99:>NUMBER$}{p99_9:>NUMBER$}{max:>NUMBER$}"),
            )?;
        }
        writeln!(out)
    }

    fn pair(
        &self,
        out: &mut Formatter<'_>,
        response: Option<Latency>,
        service: Option<Latency>,
        indent: &str,
    ) -> fmt::Result {
        let points: [(&str, Point); 4] = [
            ("p50", |latency| latency.p50),
            ("p99", |latency| latency.p99),
            ("p99.9", |latency| latency.p99_9),
            ("max", |latency| latency.max),
        ];
        for (label, point) in points {
            let label = format!("{indent}{label}");
            match (response, service) {
                (Some(response), Some(service)) => {
                    let (response, service) = (time(point(response)), time(point(service)));
                    row(out, &label, format_args!("{response:>NUMBER$}{service:>NUMBER$}"))?;
                }
                (None, Some(service)) => {
                    row(out, &label, format_args!("{:>NUMBER$}", time(point(service))))?;
                }
                (_, None) => return Ok(()),
            }
        }
        Ok(())
    }
}
