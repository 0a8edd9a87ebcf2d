//! What the kernel says of this process, under the names that every Prometheus client
//! uses, so that dashboards and load testers read any server alike. Linux only: a figure
//! that cannot be read is left out, never 0.
//!
//! The names: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>

use procfs::{
    ProcResult, boot_time_secs, page_size,
    process::{LimitValue, Process as Kernel},
    ticks_per_second,
};

use crate::http::metrics::family::Family;

/// Reads `/proc/self` at each scrape.
#[derive(Debug)]
pub(super) struct Process {
    /// Read once: the kernel's boot time moves when the clock is set, the start does not.
    started: Option<f64>,
}

impl Process {
    pub(super) fn new() -> Self {
        Self { started: started().ok() }
    }

    pub(super) fn families(&self) -> Vec<Family> {
        let process = Kernel::myself().ok();
        let stat = process.as_ref().and_then(|process| process.stat().ok());
        let open = process.as_ref().and_then(|process| process.fd_count().ok());
        let limits = process.as_ref().and_then(|process| process.limits().ok());
        let most = limits.and_then(|limits| match limits.max_open_files.soft_limit {
            LimitValue::Value(most) => Some(most),
            LimitValue::Unlimited => None,
        });
        let told = [
            stat.as_ref().map(|stat| {
                let help = "CPU time of the process, user and system";
                let cpu = seconds(stat.utime + stat.stime);
                Family::counter("process_cpu_seconds_total", help, cpu)
            }),
            stat.map(|stat| {
                let help = "Memory of the process that is in RAM";
                let resident = stat.rss * page_size();
                Family::gauge("process_resident_memory_bytes", help, resident)
            }),
            self.started.map(|started| {
                let help = "Start of the process, in Unix time";
                Family::gauge("process_start_time_seconds", help, started)
            }),
            open.map(|open| {
                Family::gauge("process_open_fds", "Open file descriptors", open as u64)
            }),
            most.map(|most| {
                let help = "Most file descriptors that may be open";
                Family::gauge("process_max_fds", help, most)
            }),
        ];
        told.into_iter().flatten().collect()
    }
}

fn started() -> ProcResult<f64> {
    let since_boot = Kernel::myself()?.stat()?.starttime;
    Ok(boot_time_secs()? as f64 + seconds(since_boot))
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / ticks_per_second() as f64
}
