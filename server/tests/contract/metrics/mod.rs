//! `/metrics`: that each family is there, and moves by exactly what was done.

mod calls;
mod connections;
mod formats;

use tiny_cache_proto::cache::Empty;

use crate::support::{
    Deployment, Site,
    messages::{every_call, item, items, key, keys, lasting, swap, within},
    scrape::Scrape,
};

crate::rows![
    every_family_is_declared,
    writes_and_removals_are_told_apart,
    evictions_are_told_by_cause,
    shards_add_up_to_the_whole,
    each_namespace_has_its_figures,
    a_namespace_shows_what_it_writes_and_what_it_loses,
    the_hundred_and_first_namespace_is_one_of_the_rest,
    a_new_team_has_figures_after_a_hundred_junk_namespaces_are_gone,
    counters_that_alerts_go_by_are_zero_from_the_start,
    maintenance_goes_on_by_itself,
];

const COUNTERS: [&str; 31] = [
    "tiny_cache_log_lines_dropped_total",
    "tiny_cache_hits_total",
    "tiny_cache_misses_total",
    "tiny_cache_inserts_total",
    "tiny_cache_overwrites_total",
    "tiny_cache_deletes_total",
    "tiny_cache_evictions_total",
    "tiny_cache_evictions_by_cause_total",
    "tiny_cache_lru_evictions_total",
    "tiny_cache_admission_rejections_total",
    "tiny_cache_window_hits_total",
    "tiny_cache_window_dropped_total",
    "tiny_cache_residents_let_in_total",
    "tiny_cache_expired_removals_total",
    "tiny_cache_rejected_oversize_total",
    "tiny_cache_rejected_capacity_total",
    "tiny_cache_write_stalls_total",
    "tiny_cache_forced_maintenance_total",
    "tiny_cache_namespace_hits_total",
    "tiny_cache_namespace_misses_total",
    "tiny_cache_namespace_writes_total",
    "tiny_cache_namespace_written_bytes_total",
    "tiny_cache_namespace_refusals_total",
    "tiny_cache_namespace_evictions_total",
    "tiny_cache_worker_busy_seconds_total",
    "tiny_cache_connections_accepted_total",
    "tiny_cache_connections_refused_total",
    "tiny_cache_connection_errors_total",
    "tiny_cache_http2_resets_total",
    "tiny_cache_spans_exported_total",
    "tiny_cache_spans_dropped_total",
];

const GAUGES: [&str; 24] = [
    "tiny_cache_entries",
    "tiny_cache_memory_usage_bytes",
    "tiny_cache_capacity_max_items",
    "tiny_cache_capacity_max_memory_bytes",
    "tiny_cache_capacity_max_value_bytes",
    "tiny_cache_capacity_item_saturation_ratio",
    "tiny_cache_capacity_memory_saturation_ratio",
    "tiny_cache_shards",
    "tiny_cache_shard_entries",
    "tiny_cache_shard_memory_usage_bytes",
    "tiny_cache_shard_capacity_memory_bytes",
    "tiny_cache_maintenance_lag_seconds",
    "tiny_cache_maintenance_last_completion_timestamp_seconds",
    "tiny_cache_namespace_memory_usage_bytes",
    "tiny_cache_namespace_entries",
    "tiny_cache_workers",
    "tiny_cache_worker_connections_open",
    "tiny_cache_worker_active_requests",
    "tiny_cache_active_requests",
    "tiny_cache_connections_open",
    "tiny_cache_uptime_seconds",
    "tiny_cache_allocator_committed_bytes",
    "tiny_cache_build_info",
    "tiny_cache_spans_queued",
];

const HISTOGRAMS: [&str; 4] = [
    "rpc_server_call_duration_seconds",
    "rpc_server_request_size_bytes",
    "rpc_server_response_size_bytes",
    "tiny_cache_maintenance_duration_seconds",
];

async fn every_family_is_declared(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    for call in every_call() {
        wire.call(&call.path(), &[], &call.message).await.unwrap();
    }
    let Scrape { page } = Scrape::of(&site).await;
    let families = COUNTERS.map(|name| (name, "counter", name.to_owned())).into_iter();
    let families = families.chain(GAUGES.map(|name| (name, "gauge", name.to_owned())));
    let families =
        families.chain(HISTOGRAMS.map(|name| (name, "histogram", format!("{name}_bucket"))));
    for (name, kind, sample) in families {
        assert_eq!(page.matches(&format!("\n# TYPE {name} {kind}\n")).count(), 1, "{name}");
        let help = page.lines().find_map(|line| line.strip_prefix(&format!("# HELP {name} ")));
        let help = help.unwrap_or_else(|| panic!("no help for {name}"));
        assert!(help.len() > 5 && !help.ends_with('.'), "{name}: {help}");
        let starts = [format!("{sample} "), format!("{sample}{{")];
        let shown = page.lines().any(|line| starts.iter().any(|start| line.starts_with(start)));
        assert!(shown, "{name} has no sample");
    }
    let build = format!("tiny_cache_build_info{{version=\"{}\",", env!("CARGO_PKG_VERSION"));
    assert!(page.contains(&build), "{page}");
}

async fn writes_and_removals_are_told_apart(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    cache.set(item("a", "1")).await.unwrap();
    cache.set(item("a", "2")).await.unwrap();
    cache.set_if_absent(item("a", "3")).await.unwrap();
    cache.set_if_absent(item("b", "1")).await.unwrap();
    cache.compare_and_set(swap("b", "1", "2")).await.unwrap();
    cache.compare_and_set(swap("b", "1", "3")).await.unwrap();
    cache.multi_set(items([item("c", "1"), item("d", "1"), item("a", "4")])).await.unwrap();
    cache.delete(key("c")).await.unwrap();
    cache.delete(key("c")).await.unwrap();
    cache.multi_delete(keys(["d", "absent"])).await.unwrap();
    cache.set(lasting("short", "1", 1)).await.unwrap();
    let scrape =
        Scrape::until(&site, |scrape| scrape.value("tiny_cache_expired_removals_total") > 0.0)
            .await;
    scrape.assert(&[
        ("inserts_total", 5.0),
        ("overwrites_total", 3.0),
        ("deletes_total", 2.0),
        ("expired_removals_total", 1.0),
        ("evictions_total", 0.0),
        ("entries", 2.0),
    ]);
    // What expired is an insert once more.
    cache.set(item("short", "2")).await.unwrap();
    Scrape::of(&site).await.assert(&[("inserts_total", 6.0), ("overwrites_total", 3.0)]);
}

async fn evictions_are_told_by_cause(on: Deployment) {
    for policy in ["window", "lru", "tinylfu"] {
        let site = on.start_with(&[("CACHE_MAX_ITEMS", "1000"), ("CACHE_EVICTION_POLICY", policy)]);
        let mut cache = site.connect().await;
        for batch in 0..5 {
            let batch = (0..1000).map(|n| item(format!("{batch} {n}"), "v"));
            cache.multi_set(items(batch)).await.unwrap();
        }
        let scrape =
            Scrape::until(&site, |scrape| scrape.value("tiny_cache_entries") <= 1000.0).await;
        let of = |cause| {
            let name = "tiny_cache_evictions_by_cause_total";
            scrape.value(&format!("{name}{{cause=\"{cause}\"}}"))
        };
        let (capacity, admission) = (of("capacity"), of("admission"));
        scrape.assert(&[
            ("evictions_total", capacity + admission + of("quota")),
            ("lru_evictions_total", capacity),
            ("admission_rejections_total", admission),
            ("inserts_total", 5000.0),
            ("entries", 5000.0 - capacity - admission),
        ]);
        if policy == "lru" {
            assert!(admission < 1e-9, "{admission}");
        } else {
            assert!(admission > 0.0, "{}", scrape.page);
        }
    }
}

async fn shards_add_up_to_the_whole(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_MEMORY_MB", "160")]);
    let mut cache = site.connect().await;
    for n in 0..500 {
        cache.set(item(format!("k{n}"), "v")).await.unwrap();
    }
    let scrape = Scrape::of(&site).await;
    let shards = if on == Deployment::OneWorkerOneShard { 1 } else { 8 };
    assert_eq!(scrape.series("tiny_cache_shard_entries"), shards);
    let shards = f64::from(u32::try_from(shards).unwrap());
    let whole = scrape.value("tiny_cache_memory_usage_bytes");
    scrape.assert(&[
        ("shards", shards),
        ("shard_capacity_memory_bytes", f64::from(160 << 20) / shards),
        ("entries", scrape.sum("tiny_cache_shard_entries")),
        ("memory_usage_bytes", scrape.sum("tiny_cache_shard_memory_usage_bytes")),
    ]);
    assert!(scrape.value("tiny_cache_shard_entries{shard=\"0\"}") > 0.0);
    assert!(whole >= 500.0 * 100.0, "{whole}");
}

async fn of_namespace(site: &Site, name: &str) -> Option<[f64; 4]> {
    let scrape = Scrape::of(site).await;
    let of = |figure| {
        scrape.find(&format!("tiny_cache_namespace_{figure}{{cache_namespace=\"{name}\"}}"))
    };
    Some([of("hits_total")?, of("misses_total")?, of("entries")?, of("memory_usage_bytes")?])
}

async fn each_namespace_has_its_figures(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    cache.get(within("made-up", key("k"))).await.unwrap();
    assert_eq!(of_namespace(&site, "made-up").await, None);
    assert_eq!(of_namespace(&site, "_other").await, Some([0.0, 1.0, 0.0, 0.0]));
    cache.set(within("team", item("k", "value"))).await.unwrap();
    cache.set(item("k", "value")).await.unwrap();
    cache.multi_get(within("team", keys(["k", "none", "k"]))).await.unwrap();
    cache.get(key("k")).await.unwrap();
    let whole = cache.stats(Empty {}).await.unwrap();
    let half = f64::from(i32::try_from(whole.memory_usage_bytes / 2).unwrap());
    // Both fit into a block of the same size.
    assert_eq!(of_namespace(&site, "team").await, Some([2.0, 1.0, 1.0, half]));
    assert_eq!(of_namespace(&site, "_shared").await, Some([1.0, 0.0, 1.0, half]));
    cache.delete(within("team", key("k"))).await.unwrap();
    assert_eq!(of_namespace(&site, "team").await, Some([2.0, 1.0, 0.0, 0.0]));
}

/// "Who writes so much?" is what the runbook of an eviction storm asks.
async fn a_namespace_shows_what_it_writes_and_what_it_loses(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_ITEMS", "64"), ("CACHE_MAX_VALUE_BYTES", "1000")]);
    let mut cache = site.connect().await;
    for n in 0..500 {
        cache.set(within("batch-job", item(format!("k{n}"), vec![7; 100]))).await.unwrap();
    }
    cache.set_if_absent(within("team", item("lock", "me"))).await.unwrap();
    cache.set_if_absent(within("team", item("lock", "you"))).await.unwrap();
    cache.set(within("team", item("large", vec![7; 1001]))).await.unwrap_err();
    cache.set(within("team", item("", "v"))).await.unwrap_err();
    cache.stats(Empty {}).await.unwrap();
    let scrape = Scrape::of(&site).await;
    let of = |figure: &str, name: &str| {
        scrape.value(&format!("tiny_cache_namespace_{figure}{{cache_namespace=\"{name}\"}}"))
    };
    for (figure, name, expected) in [
        ("writes_total", "batch-job", 500.0),
        ("written_bytes_total", "batch-job", 50_000.0),
        ("refusals_total", "batch-job", 0.0),
        ("writes_total", "team", 1.0),
        ("written_bytes_total", "team", 2.0),
        ("refusals_total", "team", 2.0),
    ] {
        let figure_of = of(figure, name);
        assert!((figure_of - expected).abs() < 1e-9, "{figure} of {name}: {figure_of}");
    }
    assert!(of("evictions_total", "batch-job") > 400.0);
    scrape.assert(&[
        ("inserts_total", scrape.sum("tiny_cache_namespace_writes_total")),
        ("evictions_total", scrape.sum("tiny_cache_namespace_evictions_total")),
    ]);
}

/// A hundred made-up names took the numbers for ever, and a new team was `_other` until a restart.
async fn a_new_team_has_figures_after_a_hundred_junk_namespaces_are_gone(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    for n in 0..100 {
        let name = format!("junk{n}");
        cache.set(within(&name, item("k", "v"))).await.unwrap();
        cache.delete(within(&name, key("k"))).await.unwrap();
    }
    cache.set(within("kept", item("k", "v"))).await.unwrap();
    Scrape::until(&site, |scrape| scrape.series("tiny_cache_namespace_hits_total") < 102).await;
    for _ in 0..3 {
        cache.set(within("new-team", item("k", "v"))).await.unwrap();
    }
    cache.get(within("new-team", key("k"))).await.unwrap();
    assert_eq!(of_namespace(&site, "new-team").await.unwrap()[..3], [1.0, 0.0, 1.0]);
    let scrape = Scrape::of(&site).await;
    let writes = "tiny_cache_namespace_writes_total{cache_namespace=\"new-team\"}";
    assert!((scrape.value(writes) - 3.0).abs() < 1e-9, "counts of the junk are not the team's");
    scrape.assert(&[("entries", scrape.sum("tiny_cache_namespace_entries"))]);
}

/// The first scrape after a first failure showed 1, of which no increase is known.
async fn counters_that_alerts_go_by_are_zero_from_the_start(on: Deployment) {
    let site = on.start();
    let scrape = Scrape::of(&site).await;
    for call in every_call() {
        for status in ["OK", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"] {
            assert!(scrape.calls(&call.path()[1..], status).abs() < 1e-9);
            let series = format!(
                "rpc_server_call_duration_seconds_count{{rpc_system_name=\"grpc\",\
                 rpc_method=\"{}\",rpc_response_status_code=\"{status}\"}}",
                &call.path()[1..]
            );
            assert_eq!(scrape.find(&series), Some(0.0), "{series}");
        }
    }
    scrape.assert(&[("connections_refused_total", 0.0), ("lru_evictions_total", 0.0)]);
}

async fn the_hundred_and_first_namespace_is_one_of_the_rest(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    for n in 0..103 {
        let name = format!("n{n}");
        cache.set(within(&name, item("k", "v"))).await.unwrap();
        cache.get(within(&name, key("k"))).await.unwrap();
    }
    let one = of_namespace(&site, "n99").await.unwrap();
    assert_eq!(one[..3], [1.0, 0.0, 1.0]);
    assert_eq!(of_namespace(&site, "n100").await, None);
    assert_eq!(of_namespace(&site, "_other").await.unwrap()[..3], [3.0, 0.0, 3.0]);
    let scrape = Scrape::of(&site).await;
    assert_eq!(scrape.series("tiny_cache_namespace_hits_total"), 102);
    scrape.assert(&[
        ("hits_total", scrape.sum("tiny_cache_namespace_hits_total")),
        ("entries", scrape.sum("tiny_cache_namespace_entries")),
        ("memory_usage_bytes", scrape.sum("tiny_cache_namespace_memory_usage_bytes")),
    ]);
}

async fn maintenance_goes_on_by_itself(on: Deployment) {
    let site = on.start();
    let sweeps = "tiny_cache_maintenance_duration_seconds_count";
    let before = Scrape::until(&site, |scrape| scrape.value(sweeps) > 0.0).await;
    let completed = "tiny_cache_maintenance_last_completion_timestamp_seconds";
    let after = Scrape::until(&site, |scrape| scrape.value(sweeps) > before.value(sweeps)).await;
    assert!(after.value(completed) > before.value(completed));
    assert!(after.value("tiny_cache_maintenance_lag_seconds").abs() < 1e-9);
}
