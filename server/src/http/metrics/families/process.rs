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

use crate::http::metrics::family::{Family, Samples, families};

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
        let cpu = stat.as_ref().map(|stat| seconds(stat.utime + stat.stime));
        families! {
            Counter "process_cpu_seconds_total" = Samples::if_known(cpu);
                "CPU time of the process, user and system"
            Gauge "process_resident_memory_bytes" =
                Samples::if_known(stat.map(|stat| stat.rss * page_size()));
                "Memory of the process that is in RAM"
            Gauge "process_start_time_seconds" = Samples::if_known(self.started);
                "Start of the process, in Unix time"
            Gauge "process_open_fds" = Samples::if_known(open.map(|open| open as u64));
                "Open file descriptors"
            Gauge "process_max_fds" = Samples::if_known(most);
                "Most file descriptors that may be open"
        }
    }
}

fn started() -> ProcResult<f64> {
    let since_boot = Kernel::myself()?.stat()?.starttime;
    Ok(boot_time_secs()? as f64 + seconds(since_boot))
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / ticks_per_second() as f64
}
