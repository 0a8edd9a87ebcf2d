//! The report as people read it in a terminal.

mod figures; // what became of the requests
mod server; // and what the server and the generator used

use std::fmt::{self, Display, Formatter};

use super::{
    figures::Figures,
    latency::Latency,
    layout::{LABEL, NUMBER, header, row, times},
    run::{Ending, Report, Step},
    settings::Settings,
};
use crate::engine::Rate;

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.conditions(out)?;
        if let Some(search) = &self.search {
            search.fmt(out)?;
            self.curve(out)?;
            let lowest = self.steps.iter().filter_map(|step| step.requests_per_second).min();
            if let Some(rate) = search.found_requests_per_second.map(Rate::from).or(lowest) {
                row!(out, "figures", "of {rate} requests/s")?;
            }
        }
        if let Some(trace) = &self.trace {
            trace.fmt(out)?;
        }
        figures::counts(&self.figures, out)?;
        if self.search.is_none() && self.steps.len() > 1 {
            self.curve(out)?;
        }
        figures::latencies(&self.figures, out)?;
        server::generator(&self.generator, out)?;
        server::table(&self.server, out)?;
        server::parts(&self.servers, out)?;
        self.cautions().iter().try_for_each(|caution| row!(out, "caution", "{caution}"))
    }
}

impl Report {
    fn conditions(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Settings { trace, workload, target, connections, in_flight, threads, .. } =
            &self.settings;
        if let Some(trace) = trace {
            let columns = trace.columns.as_ref().map(|columns| format!(": {columns}"));
            let columns = columns.unwrap_or_default();
            row!(out, "trace", "{} ({}{columns})", trace.file, trace.format)?;
        }
        let (is_open, pace) = self.pace();
        let ending = self.ending.text();
        row!(out, if is_open { "open loop" } else { "closed loop" }, "{pace}{ending}")?;
        row!(
            out,
            "server",
            "{target}, connections {connections}, in flight {in_flight}, threads {threads}"
        )?;
        if let Some(workload) = workload {
            let keys = format_args!(
                "{} keys of {}, {}",
                workload.keys, workload.key_size, workload.key_distribution
            );
            let values = format_args!("values {}, ttl {}", workload.value_size, workload.ttl);
            row!(out, "workload", "{}; {keys}; {values}; seed {}", workload.mix, workload.seed)?;
        }
        writeln!(out)
    }

    /// Whether the loop was open, and how requests followed each other in it.
    fn pace(&self) -> (bool, String) {
        let settings = &self.settings;
        match (settings.requests_per_second, &settings.arrivals, settings.speed) {
            (_, _, Some(speed)) => (true, format!("the trace's times, {speed} x, ")),
            (Some(rate), Some(arrivals), _) => (true, format!("{rate} requests/s, {arrivals}, ")),
            (None, Some(arrivals), _) => {
                let steps = if self.search.is_some() { "steps" } else { "rates" };
                (true, format!("{} {steps}, {arrivals}, ", self.steps.len()))
            }
            (_, None, None) => (false, String::new()),
        }
    }

    /// What became of each rate; of a search, from the lowest to the highest.
    fn curve(&self, out: &mut Formatter<'_>) -> fmt::Result {
        header(out, "requests/s", &["answered", "errors", "p50", "p99", "p99.9", "max"])?;
        let mut steps: Vec<_> = self.steps.iter().collect();
        if self.search.is_some() {
            steps.sort_by_key(|step| step.requests_per_second);
        }
        steps.into_iter().try_for_each(|step| step.line(out))?;
        writeln!(out)
    }
}

impl Step {
    fn line(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let rate = self.requests_per_second.unwrap_or_default();
        let Figures { answered_per_second: answered, failed, .. } = self.figures;
        write!(out, "{:<LABEL$}{answered:>NUMBER$.0}{failed:>NUMBER$}", format!("  {rate}"))?;
        match self.figures.latency() {
            Some(Latency { p50, p99, p99_9, max, .. }) => times(out, &[p50, p99, p99_9, max])?,
            None => write!(out, "{:>width$}", "-", width = 4 * NUMBER)?,
        }
        match (self.held, &self.why_not, self.kept_up) {
            (Some(true), ..) => writeln!(out, "  held"),
            (_, Some(why), _) => writeln!(out, "  {why}"),
            (_, _, Some(false)) => writeln!(out, "  slipped"),
            _ => writeln!(out),
        }
    }
}

impl Ending {
    fn text(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Interrupted => "interrupted",
            Self::TraceBroken => "broken off: the trace cannot be read on",
            Self::TooManyInFlight => "broken off: too many requests under way",
            Self::FarBehind => "broken off: far behind the plan",
            Self::NoAnswer => "broken off: no answer",
        }
    }
}
