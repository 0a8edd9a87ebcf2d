//! What the kernel says of this process, under the names that every Prometheus client
//! uses, so that dashboards and load testers read any server alike. Linux only: a figure
//! that cannot be read is left out, never 0.
//!
//! The names: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>

use std::fmt;

use procfs::{
    ProcResult, boot_time_secs, page_size,
    process::{LimitValue, Process},
    ticks_per_second,
};
use prometheus_client::{
    collector::Collector,
    encoding::DescriptorEncoder,
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

use super::declare;

/// Reads `/proc/self` at each scrape.
#[derive(Debug)]
pub(super) struct ProcessFigures {
    /// Read once: the kernel's boot time moves when the clock is set, the start does not.
    started: Option<f64>,
}

impl ProcessFigures {
    pub(super) fn new() -> Self {
        Self { started: started().ok() }
    }
}

impl Collector for ProcessFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let process = Process::myself().ok();
        let stat = process.as_ref().and_then(|process| process.stat().ok());
        let open = process.as_ref().and_then(|process| process.fd_count().ok());
        let limits = process.as_ref().and_then(|process| process.limits().ok());

        if let Some(stat) = &stat {
            let cpu = ConstCounter::new(seconds(stat.utime + stat.stime));
            let help = "CPU time of the process, user and system";
            declare(&mut encoder, "process_cpu_seconds", help, &cpu)?;
        }
        let most = limits.and_then(|limits| match limits.max_open_files.soft_limit {
            LimitValue::Value(most) => Some(most as f64),
            LimitValue::Unlimited => None,
        });
        let gauges = [
            (
                "process_resident_memory_bytes",
                "Memory of the process that is in RAM",
                stat.map(|stat| (stat.rss * page_size()) as f64),
            ),
            ("process_start_time_seconds", "Start of the process, in Unix time", self.started),
            ("process_open_fds", "Open file descriptors", open.map(|open| open as f64)),
            ("process_max_fds", "Most file descriptors that may be open", most),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                declare(&mut encoder, name, help, &ConstGauge::new(value))?;
            }
        }
        Ok(())
    }
}

fn started() -> ProcResult<f64> {
    let since_boot = Process::myself()?.stat()?.starttime;
    Ok(boot_time_secs()? as f64 + seconds(since_boot))
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / ticks_per_second() as f64
}
