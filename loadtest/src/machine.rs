//! What about this machine makes figures comparable. Knows nothing of the server: the two
//! may run on different machines, and then this one is only the load tester's.
//!
//! Not visible from here: the turbo and thermal limits of the CPU, the speed of the memory, and
//! how much of a virtual machine's CPU its host gives to others.

#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod linux;

use std::{env, thread};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A machine, as this process sees it. What is not readable is none; the host's name is
/// left out, for it says nothing of speed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Machine {
    /// Operating system, such as `linux`.
    pub os: String,
    /// Instruction set, such as `x86_64`: that for which this program was built.
    pub architecture: String,
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// Name of the CPU, or on ARM the numbers of its maker and part.
    pub cpu_model: Option<String>,
    /// Logical cores that this process may use: affinity and cgroup quota taken into account.
    pub usable_cores: Option<usize>,
    /// Logical cores that are switched on.
    pub online_cores: Option<usize>,
    /// Physical cores: logical ones that share one count once. A virtual machine sees
    /// what its host presents.
    pub physical_cores: Option<usize>,
    /// Memory that the kernel manages.
    pub memory_bytes: Option<u64>,
    /// What chooses the frequency of the first CPU. Virtual machines seldom have it.
    pub cpu_governor: Option<String>,
    /// Whether the CPU says that a hypervisor runs it. x86 alone does.
    pub virtual_machine: Option<bool>,
    /// Whether a mark of Docker, Podman, Kubernetes or systemd-nspawn was found. Without one
    /// there may still be a container.
    #[serde(default)]
    pub container: bool,
    /// CPU time for each second that the cgroup may use, in cores; none: no limit, or not
    /// readable.
    pub cgroup_cpu_cores: Option<f64>,
    /// Load average of the last minute. Taken before a run, it shows other work.
    pub load_average: Option<f64>,
}

impl Machine {
    /// Looks at the machine. Takes milliseconds at most; to be called before the run.
    pub fn look() -> Self {
        let machine = Self {
            os: env::consts::OS.to_owned(),
            architecture: env::consts::ARCH.to_owned(),
            kernel: Some(rustix::system::uname().release().to_string_lossy().into_owned()),
            usable_cores: thread::available_parallelism().ok().map(usize::from),
            ..Self::default()
        };
        #[cfg(target_os = "linux")]
        let machine = linux::fill_in(machine);
        machine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_survives_json() {
        let machine = Machine::look();
        let json = serde_json::to_string(&machine).unwrap();
        assert_eq!(serde_json::from_str::<Machine>(&json).unwrap(), machine);
    }

    #[test]
    fn what_a_report_does_not_tell_is_none() {
        let machine: Machine =
            serde_json::from_str(r#"{"os": "plan9", "architecture": "mips"}"#).unwrap();
        let expected = Machine {
            os: "plan9".to_owned(),
            architecture: "mips".to_owned(),
            ..Machine::default()
        };
        assert_eq!(machine, expected);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_of_cores_memory_and_load() {
        let machine = Machine::look();
        assert_eq!(machine.os, "linux");
        assert!(!machine.kernel.unwrap().is_empty());
        let online = machine.online_cores.unwrap();
        let usable = machine.usable_cores.unwrap();
        assert!((1..=online).contains(&usable), "{usable} of {online}");
        if let Some(physical) = machine.physical_cores {
            assert!((1..=online).contains(&physical), "{physical} of {online}");
        }
        assert!(machine.memory_bytes.unwrap() > 1 << 20);
        assert!(machine.load_average.unwrap() >= 0.0);
    }
}
