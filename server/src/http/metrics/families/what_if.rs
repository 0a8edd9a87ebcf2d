//! What other memory would give. None without `CACHE_WHAT_IF`, and no ratio without reads.

use crate::{
    http::metrics::family::{Family, Samples, families},
    store::WhatIfReport,
};

pub(super) fn families(report: &WhatIfReport) -> Vec<Family> {
    let sizes = || report.sizes.iter().map(|size| (size.times.to_string(), size));
    families! {
        Gauge "tiny_cache_what_if_hit_ratio" = Samples::by(
            "memory",
            sizes().filter_map(|(times, size)| Some((times, size.hit_ratio?))),
        );
            "Estimated hit ratio of the last ten minutes with so many times the memory"
        Gauge "tiny_cache_what_if_filled_ratio" =
            Samples::by("memory", sizes().map(|(times, size)| (times, size.filled)));
            "Part of that memory that would be in use; 1 once something had to go"
        Gauge "tiny_cache_what_if_sampled_reads" = report.sampled_reads;
            "Reads of sampled keys in the last ten minutes, of which the estimates are"
        Counter "tiny_cache_what_if_lost_events_total" = report.lost;
            "What was done to sampled keys and not simulated, because upkeep was behind"
    }
}
