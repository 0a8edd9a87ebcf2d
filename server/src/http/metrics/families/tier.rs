//! The second tier: what it answered, how long it took, and what the near part was told. None
//! without `CACHE_BACKEND`.

use std::borrow::Cow;

use crate::{
    http::metrics::family::{Family, Samples, families},
    tier::TierStats,
};

pub(super) fn families(tier: &TierStats) -> Vec<Family> {
    let took = tier.took.iter().map(|(command, took)| (*command, took.clone()));
    let fills = [("filled", tier.fills), ("dropped", tier.fills_dropped)];
    let reads = [
        ("hit", tier.hits),
        ("miss", tier.misses),
        ("joined", tier.joined),
        ("unanswered", tier.unanswered_reads),
    ];
    families! {
        Gauge "tiny_cache_backend_up" = u64::from(tier.up);
            "Whether every primary of the second tier is connected to and tells of changes: 1, or 0"
        Gauge "tiny_cache_backend_primaries" = by("state", [
            ("known", tier.primaries),
            ("heard", tier.heard),
        ]);
            "Primaries of the second tier: those that are known, and those that tell of changes"
        Gauge "tiny_cache_backend_breaker_open_ratio" = tier.open_ratio;
            "Part of the second tier that nothing is sent to because it did not answer: 0 to 1"
        Counter "tiny_cache_backend_reads_total" = by("result", reads);
            "Keys that were not near: what the second tier had of them, those whose fetch was under way already, and those that it did not answer"
        Histogram "tiny_cache_backend_command_duration_seconds" = Samples::by("command", took);
            "How long the second tier took for what was sent; keys of one pipeline count each"
        Counter "tiny_cache_backend_errors_total" = by("command", tier.errors.iter().copied());
            "Commands that the second tier did not answer, or refused"
        Counter "tiny_cache_backend_not_sent_total" = tier.refused;
            "Commands that were not sent because the second tier was away or did not answer"
        Counter "tiny_cache_backend_fills_total" = by("result", fills);
            "Values that were fetched: those that the near part took, and those that it did not because they may have been changed meanwhile"
        Counter "tiny_cache_backend_invalidated_keys_total" = tier.changed_keys;
            "Keys that the second tier told to be changed"
        Counter "tiny_cache_backend_flushes_total" = tier.flushes;
            "Times that the near part was emptied because it may have missed changes"
        Counter "tiny_cache_backend_stale_hits_total" = tier.stale_hits;
            "Near hits while the second tier was away, which may have been old"
    }
}

fn by(label: &'static str, counts: impl IntoIterator<Item = (&'static str, u64)>) -> Samples {
    Samples::by(label, counts.into_iter().map(|(of, count)| (Cow::Borrowed(of), count)))
}
