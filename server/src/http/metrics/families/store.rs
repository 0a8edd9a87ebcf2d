//! Entries, and what became of them.

use crate::{
    http::metrics::family::{Family, Samples, Value},
    store::{Detail, NamespaceStats, ShardStats, Stats},
};

pub(super) fn families(detail: &Detail) -> Vec<Family> {
    let mut families = reads_and_writes(&detail.whole);
    families.extend(departures(&detail.whole));
    families.extend(held(&detail.whole));
    families.extend(shards(detail));
    families.extend(maintenance(detail));
    families.extend(namespaces(&detail.namespaces));
    families
}

fn reads_and_writes(stats: &Stats) -> Vec<Family> {
    vec![
        Family::counter("tiny_cache_hits_total", "Reads that found a live entry", stats.hits),
        Family::counter("tiny_cache_misses_total", "Reads that found none", stats.misses),
        Family::counter(
            "tiny_cache_inserts_total",
            "Writes that replaced no live entry",
            stats.inserts,
        ),
        Family::counter(
            "tiny_cache_overwrites_total",
            "Writes that replaced a live entry",
            stats.overwrites,
        ),
        Family::counter(
            "tiny_cache_rejected_oversize_total",
            "Writes refused because the value was larger than CACHE_MAX_VALUE_BYTES",
            stats.rejected_oversize,
        ),
        Family::counter(
            "tiny_cache_rejected_capacity_total",
            "Writes refused because no room could be made",
            stats.rejected_capacity,
        ),
    ]
}

fn departures(stats: &Stats) -> Vec<Family> {
    vec![
        Family::counter(
            "tiny_cache_deletes_total",
            "Live entries removed by Delete and MultiDelete",
            stats.deletes,
        ),
        Family::counter(
            "tiny_cache_expired_removals_total",
            "Entries removed after their deadline",
            stats.expired_removals,
        ),
        Family::counter(
            "tiny_cache_evictions_total",
            "Entries removed to stay within the limits",
            stats.evictions(),
        ),
        Family::counter(
            "tiny_cache_evictions_by_cause_total",
            "Entries removed to stay within the limits: pushed out for want of capacity, or \
             turned away at admission",
            Samples::by(
                "cause",
                [("capacity", stats.lru_evictions), ("admission", stats.admission_rejections)],
            ),
        ),
        Family::counter(
            "tiny_cache_lru_evictions_total",
            "Entries that had been let in and were pushed out to stay within the limits",
            stats.lru_evictions,
        ),
        Family::counter(
            "tiny_cache_admission_rejections_total",
            "New entries that TinyLFU turned away from a full cache",
            stats.admission_rejections,
        ),
    ]
}

fn held(stats: &Stats) -> Vec<Family> {
    vec![
        Family::gauge("tiny_cache_entries", "Entries held", stats.entries),
        Family::gauge(
            "tiny_cache_memory_usage_bytes",
            "Memory of the entries held: keys, values and overhead",
            stats.memory_bytes,
        ),
        Family::gauge(
            "tiny_cache_capacity_max_items",
            "Most entries; 0: no limit",
            stats.max_items,
        ),
        Family::gauge(
            "tiny_cache_capacity_max_memory_bytes",
            "Most memory for entries",
            stats.max_memory_bytes,
        ),
        Family::gauge(
            "tiny_cache_capacity_max_value_bytes",
            "Largest value",
            stats.max_value_bytes,
        ),
        Family::gauge(
            "tiny_cache_capacity_item_saturation_ratio",
            "Entries held of the most allowed, 0 to 1; 0 without a limit",
            ratio(stats.entries, stats.max_items),
        ),
        Family::gauge(
            "tiny_cache_capacity_memory_saturation_ratio",
            "Memory used of the most allowed, 0 to 1",
            ratio(stats.memory_bytes, stats.max_memory_bytes),
        ),
    ]
}

fn shards(detail: &Detail) -> Vec<Family> {
    let shards = &detail.shards;
    let each = |of: fn(&ShardStats) -> u64| Samples::numbered("shard", shards.iter().map(of));
    vec![
        Family::gauge("tiny_cache_shards", "Shards of the store", shards.len() as u64),
        Family::gauge(
            "tiny_cache_shard_capacity_memory_bytes",
            "Most memory for the entries of one shard",
            detail.whole.max_memory_bytes / shards.len() as u64,
        ),
        Family::gauge(
            "tiny_cache_shard_entries",
            "Entries held by each shard",
            each(|shard| shard.entries),
        ),
        Family::gauge(
            "tiny_cache_shard_memory_usage_bytes",
            "Memory of the entries held by each shard",
            each(|shard| shard.memory_bytes),
        ),
    ]
}

fn maintenance(detail: &Detail) -> Vec<Family> {
    let (stats, sweeps) = (&detail.whole, &detail.sweeps);
    vec![
        Family::counter(
            "tiny_cache_write_stalls_total",
            "Writes that took 1 ms or longer to enter their shard, because its write channel was \
             full or because its maintenance was due",
            stats.write_stalls,
        ),
        Family::counter(
            "tiny_cache_forced_maintenance_total",
            "Writes that made room themselves because their shard was over its memory",
            stats.forced_maintenance,
        ),
        Family::histogram(
            "tiny_cache_maintenance_duration_seconds",
            "Time that a sweep over all shards took, its rests included",
            sweeps.durations.clone(),
        ),
        Family::gauge(
            "tiny_cache_maintenance_lag_seconds",
            "How long the entry that the last sweep found latest had been past its deadline",
            sweeps.lag.as_secs_f64(),
        ),
        Family::gauge(
            "tiny_cache_maintenance_last_completion_timestamp_seconds",
            "End of the last sweep, in Unix time; before the first, the start",
            sweeps.completed.as_secs_f64(),
        ),
    ]
}

fn namespaces(namespaces: &[NamespaceStats]) -> Vec<Family> {
    let each = |of: fn(&NamespaceStats) -> u64| {
        let samples = namespaces.iter().map(move |stats| (stats.name.clone(), of(stats)));
        Samples::by::<String>("cache_namespace", samples)
    };
    vec![
        Family::counter(
            "tiny_cache_namespace_hits_total",
            "Reads that found a live entry, by namespace",
            each(|stats| stats.hits),
        ),
        Family::counter(
            "tiny_cache_namespace_misses_total",
            "Reads that found none, by namespace",
            each(|stats| stats.misses),
        ),
        Family::counter(
            "tiny_cache_namespace_writes_total",
            "Writes that were carried out, by namespace",
            each(|stats| stats.writes),
        ),
        Family::counter(
            "tiny_cache_namespace_written_bytes_total",
            "Bytes of the values of those writes, by namespace",
            each(|stats| stats.written_bytes),
        ),
        Family::counter(
            "tiny_cache_namespace_refusals_total",
            "Calls, and values in batches, that were refused, by namespace",
            each(|stats| stats.refusals),
        ),
        Family::counter(
            "tiny_cache_namespace_evictions_total",
            "Entries pushed out or turned away for want of room, by namespace",
            each(|stats| stats.evictions),
        ),
        Family::gauge(
            "tiny_cache_namespace_entries",
            "Entries of each namespace, until they are removed",
            each(|stats| stats.entries),
        ),
        Family::gauge(
            "tiny_cache_namespace_memory_usage_bytes",
            "Memory of the entries of each namespace, until they are removed",
            each(|stats| stats.memory_bytes),
        ),
    ]
}

fn ratio(part: u64, whole: u64) -> Value {
    Value::Number(if whole == 0 { 0.0 } else { part as f64 / whole as f64 })
}
