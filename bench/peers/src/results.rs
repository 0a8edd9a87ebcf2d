//! The figures of a run, as its JSON has them. `docs/bench-peers.md` explains each field.

use serde::{Deserialize, Serialize};

/// The version of this form.
pub const VERSION: u32 = 1;

/// A run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Results {
    /// [`VERSION`].
    pub version: u32,
    /// Where it ran.
    pub machine: Machine,
    /// Rounds of each row.
    pub rounds: usize,
    /// Seconds of each round.
    pub seconds: f64,
    /// The servers that ran.
    pub peers: Vec<PeerVersion>,
    /// Those that did not, and why.
    pub left_out: Vec<LeftOut>,
    /// Costs and rates.
    pub costs: Vec<Cost>,
    /// Response times.
    pub latencies: Vec<Latency>,
}

/// A machine.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// The kernel's version.
    pub kernel: String,
    /// Every server's core.
    pub server_core: usize,
    /// The load's core.
    pub load_core: usize,
}

/// A server that ran.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PeerVersion {
    /// Its name in the rows.
    pub peer: String,
    /// What it is.
    pub title: String,
    /// What it says of itself.
    pub version: String,
    /// False: it answers without a store.
    pub stores: bool,
}

/// A server that did not run, or not everywhere.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub peer: String,
    /// The work, if it is one alone.
    pub work: Option<String>,
    /// Why.
    pub reason: String,
}

/// One server at one work: medians, and the rounds that they are of.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Cost {
    /// The work.
    pub work: String,
    /// Its connections.
    pub connections: usize,
    /// Its requests in flight on each.
    pub in_flight: usize,
    /// The server.
    pub peer: String,
    /// Microseconds of the server's CPU for an operation.
    pub cpu_us: f64,
    /// The median of the rounds' own ratios of `cpu_us` to that of the first server.
    pub ratio: f64,
    /// Operations in a second.
    pub per_second: f64,
    /// Microseconds of the load's CPU for an operation.
    pub load_cpu_us: f64,
    /// The rounds of `cpu_us`, in their order.
    pub rounds: Vec<f64>,
}

/// One server's response times in the open loop: medians over the rounds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Latency {
    /// The server.
    pub peer: String,
    /// Requests due in a second.
    pub rate: f64,
    /// Microseconds.
    pub p50_us: f64,
    /// Microseconds.
    pub p99_us: f64,
    /// Microseconds.
    pub p999_us: f64,
}

impl Machine {
    /// The machine that this runs on.
    pub fn here(cores: crate::server::Cores) -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: name.unwrap_or("unknown").trim_start_matches([' ', '\t', ':']).to_owned(),
            kernel: kernel.trim().to_owned(),
            server_core: cores.server,
            load_core: cores.load,
        }
    }
}
