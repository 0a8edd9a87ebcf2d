//! What other memory would give.

use std::time::Duration;

/// What the last minutes show.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIfReport {
    /// The time over which reads were counted.
    pub over: Duration,
    /// Reads in that time.
    pub reads: u64,
    /// Those of sampled keys.
    pub sampled_reads: u64,
    /// One in so many keys is sampled.
    pub one_in: u64,
    /// What was done to sampled keys and not simulated, since the start.
    pub lost: u64,
    /// The part of the reads that hit; none without reads.
    pub hit_ratio: Option<f64>,
    /// The part of the sampled reads that hit in the simulation of the memory that there is.
    pub simulated_hit_ratio: Option<f64>,
    /// The sizes, the smallest first.
    pub sizes: [WhatIfSize; 4],
}

/// One size of memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WhatIfSize {
    /// In times of what there is.
    pub times: f64,
    /// In bytes.
    pub memory_bytes: u64,
    /// The part of the reads that would hit.
    pub hit_ratio: Option<f64>,
    /// The part of it that would be in use, from 0 to 1. Below 1 either everything fits, or it is
    /// still being filled.
    pub filled: f64,
    /// About how many entries it would hold.
    pub entries: u64,
}
