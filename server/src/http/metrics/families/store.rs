//! Entries, and what became of them.

use crate::{
    http::metrics::family::{Family, Kind, Samples, Value, families},
    store::{Detail, NamespaceStats, ShardStats, Stats},
};

/// A family whose value is a number among the figures `S`.
struct Row<S> {
    kind: Kind,
    name: &'static str,
    help: &'static str,
    value: fn(&S) -> u64,
}

macro_rules! table {
    ($table:ident of $stats:ty: $($kind:ident $name:literal = $field:ident $help:literal)*) => {
        const $table: &[Row<$stats>] = &[$(Row {
            kind: Kind::$kind,
            name: $name,
            help: $help,
            value: |stats| stats.$field,
        },)*];
    };
}

table! { WHOLE of Stats:
    Counter "tiny_cache_hits_total" = hits
        "Reads that found a live entry"
    Counter "tiny_cache_misses_total" = misses
        "Reads that found none"
    Counter "tiny_cache_inserts_total" = inserts
        "Writes that replaced no live entry"
    Counter "tiny_cache_overwrites_total" = overwrites
        "Writes that replaced a live entry"
    Counter "tiny_cache_rejected_oversize_total" = rejected_oversize
        "Writes refused because the value was larger than CACHE_MAX_VALUE_BYTES"
    Counter "tiny_cache_rejected_capacity_total" = rejected_capacity
        "Writes refused because no room could be made"
    Counter "tiny_cache_deletes_total" = deletes
        "Live entries removed by Delete and MultiDelete"
    Counter "tiny_cache_expired_removals_total" = expired_removals
        "Entries removed after their deadline"
    Counter "tiny_cache_invalidated_removals_total" = invalidated_removals
        "Entries removed after their tag or their namespace was invalidated"
    Counter "tiny_cache_lru_evictions_total" = lru_evictions
        "Entries that had been let in and were pushed out to stay within the limits"
    Counter "tiny_cache_admission_rejections_total" = admission_rejections
        "New entries that a full cache turned away: dropped from the window, or rejected by TinyLFU"
    Gauge "tiny_cache_window_entries" = window_entries
        "Entries in the window; an expired one counts until it is removed"
    Gauge "tiny_cache_window_memory_usage_bytes" = window_bytes
        "Memory of the entries in the window"
    Counter "tiny_cache_window_hits_total" = window_hits
        "Reads that found a live entry in the window"
    Counter "tiny_cache_window_dropped_total" = dropped
        "Entries that left the window because they were not read twice there"
    Gauge "tiny_cache_entries" = entries
        "Entries held"
    Gauge "tiny_cache_memory_usage_bytes" = memory_bytes
        "Memory of the entries held: keys, values and overhead"
    Gauge "tiny_cache_capacity_max_items" = max_items
        "Most entries; 0: no limit"
    Gauge "tiny_cache_capacity_max_memory_bytes" = max_memory_bytes
        "Most memory for entries"
    Gauge "tiny_cache_capacity_max_value_bytes" = max_value_bytes
        "Largest value"
    Counter "tiny_cache_write_stalls_total" = write_stalls
        "Writes that took 1 ms or longer to enter their shard, because its write channel was full or because its maintenance was due"
    Counter "tiny_cache_forced_maintenance_total" = forced_maintenance
        "Writes that made room themselves because their shard was over its memory"
}

table! { OF_EACH_NAMESPACE of NamespaceStats:
    Counter "tiny_cache_namespace_hits_total" = hits
        "Reads that found a live entry, by namespace"
    Counter "tiny_cache_namespace_misses_total" = misses
        "Reads that found none, by namespace"
    Counter "tiny_cache_namespace_writes_total" = writes
        "Writes that were carried out, by namespace"
    Counter "tiny_cache_namespace_written_bytes_total" = written_bytes
        "Bytes of the values of those writes, by namespace"
    Counter "tiny_cache_namespace_refusals_total" = refusals
        "Calls, and values in batches, that were refused, by namespace"
    Counter "tiny_cache_namespace_evictions_total" = evictions
        "Entries pushed out or turned away for want of room, by namespace"
    Gauge "tiny_cache_namespace_entries" = entries
        "Entries of each namespace, until they are removed"
    Gauge "tiny_cache_namespace_memory_usage_bytes" = memory_bytes
        "Memory of the entries of each namespace, until they are removed"
}

table! { OF_EACH_SHARD of ShardStats:
    Gauge "tiny_cache_shard_entries" = entries
        "Entries held by each shard"
    Gauge "tiny_cache_shard_memory_usage_bytes" = memory_bytes
        "Memory of the entries held by each shard"
}

pub(super) fn families(detail: &Detail) -> Vec<Family> {
    let whole =
        |row: &Row<Stats>| Family::new(row.kind, row.name, row.help, (row.value)(&detail.whole));
    let of_namespaces = |row: &Row<NamespaceStats>| {
        let namespaces = detail.namespaces.iter();
        let each = namespaces.map(|stats| (stats.name.clone(), (row.value)(stats)));
        Family::new(row.kind, row.name, row.help, Samples::by("cache_namespace", each))
    };
    let of_shards = |row: &Row<ShardStats>| {
        let each = detail.shards.iter().map(row.value);
        Family::new(row.kind, row.name, row.help, Samples::numbered("shard", each))
    };
    let mut families: Vec<_> = WHOLE.iter().map(whole).collect();
    families.extend(derived(&detail.whole, detail.shards.len() as u64));
    families.extend(OF_EACH_SHARD.iter().map(of_shards));
    families.extend(maintenance(detail));
    families.extend(OF_EACH_NAMESPACE.iter().map(of_namespaces));
    families
}

/// What follows from several figures of the whole store.
fn derived(stats: &Stats, shards: u64) -> Vec<Family> {
    let causes = [
        ("capacity", stats.lru_evictions),
        ("admission", stats.admission_rejections),
        ("quota", stats.quota_evictions),
    ];
    let reasons = [("hits", stats.graduated_by_hits), ("ghost", stats.graduated_by_ghost)];
    families! {
        Counter "tiny_cache_residents_let_in_total" = Samples::by("reason", reasons);
            "Entries that were let in past the window: read twice there, or back soon after they were dropped"
        Counter "tiny_cache_evictions_total" = stats.evictions();
            "Entries removed to stay within the limits"
        Counter "tiny_cache_evictions_by_cause_total" = Samples::by("cause", causes);
            "Entries removed to stay within the limits: pushed out for want of capacity, turned away at admission, or pushed out of a namespace at its quota"
        Gauge "tiny_cache_capacity_item_saturation_ratio" = ratio(stats.entries, stats.max_items);
            "Entries held of the most allowed, 0 to 1; 0 without a limit"
        Gauge "tiny_cache_capacity_memory_saturation_ratio" =
            ratio(stats.memory_bytes, stats.max_memory_bytes);
            "Memory used of the most allowed, 0 to 1"
        Gauge "tiny_cache_shards" = shards;
            "Shards of the store"
        Gauge "tiny_cache_shard_capacity_memory_bytes" = stats.max_memory_bytes / shards;
            "Most memory for the entries of one shard"
    }
}

fn maintenance(detail: &Detail) -> Vec<Family> {
    let sweeps = &detail.sweeps;
    families! {
        Gauge "tiny_cache_window_stay_seconds" = detail.window_stay_seconds();
            "How long a new entry is in the window before it is judged, as fast as they come now; 0 while none leaves"
        Histogram "tiny_cache_maintenance_duration_seconds" = sweeps.durations.clone();
            "Time that a sweep over all shards took, its rests included"
        Gauge "tiny_cache_maintenance_lag_seconds" = sweeps.lag.as_secs_f64();
            "How long the entry that the last sweep found latest had been past its deadline"
        Gauge "tiny_cache_maintenance_last_completion_timestamp_seconds" =
            sweeps.completed.as_secs_f64();
            "End of the last sweep, in Unix time; before the first, the start"
    }
}

fn ratio(part: u64, whole: u64) -> Value {
    Value::Number(if whole == 0 { 0.0 } else { part as f64 / whole as f64 })
}
