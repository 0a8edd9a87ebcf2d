//! What Linux reports of the machine, below `/proc` and `/sys`.

use std::{collections::HashSet, env, fs, path::Path};

use procfs::{CpuInfo, Current, LoadAverage, Meminfo};

use super::{Machine, cgroup};

/// Adds what Linux reports to what every system does.
pub(super) fn fill_in(machine: Machine) -> Machine {
    let cpus = CpuInfo::current().ok();
    let cpus = cpus.as_ref();
    Machine {
        cpu_model: cpus.and_then(model),
        online_cores: cpus.map(CpuInfo::num_cores),
        physical_cores: physical_cores(),
        memory_bytes: Meminfo::current().ok().map(|memory| memory.mem_total),
        cpu_governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        virtual_machine: cpus.and_then(|cpus| Some(cpus.flags(0)?.contains(&"hypervisor"))),
        container: in_container(),
        cgroup_cpu_cores: cgroup::cpu_cores(),
        load_average: LoadAverage::current().ok().map(|load| f64::from(load.one)),
        ..machine
    }
}

fn model(cpus: &CpuInfo) -> Option<String> {
    if let Some(model) = cpus.model_name(0) {
        return Some(model.to_owned());
    }
    let implementer = cpus.get_field(0, "CPU implementer")?;
    let part = cpus.get_field(0, "CPU part")?;
    Some(format!("implementer {implementer}, part {part}"))
}

/// Logical cores name those with which they share a physical one: as many physical ones as
/// there are different groups. Cores that are off name none.
fn physical_cores() -> Option<usize> {
    let directory = fs::read_dir("/sys/devices/system/cpu").ok()?;
    let groups: HashSet<String> = directory
        .flatten()
        .filter_map(|entry| line(entry.path().join("topology/thread_siblings_list")))
        .collect();
    (!groups.is_empty()).then_some(groups.len())
}

fn in_container() -> bool {
    // Docker's mark, Podman's, then what Kubernetes and systemd-nspawn put in the environment.
    ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists())
        || ["KUBERNETES_SERVICE_HOST", "container"].iter().any(|name| env::var_os(name).is_some())
}

fn line(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_owned())
}
