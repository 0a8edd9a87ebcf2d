//! The contract's HTTP page, while the server serves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tiny_cache_proto::cache::Empty;
use tokio::{net::TcpStream, time::timeout};

use crate::support::{
    Deployment,
    http::{Http, sample},
    messages::{item, key},
    run,
};

crate::rows![
    health_and_ready_tell_the_same_figures,
    live_tells_that_the_process_lives,
    stats_has_every_field_of_the_rpc,
    the_root_lists_the_endpoints,
    every_body_of_text_ends_with_one_line_end,
    anything_else_is_not_found,
    metrics_carry_the_names_that_dashboards_use,
    metrics_follow_what_happens,
    a_connection_is_kept,
];

async fn health_and_ready_tell_the_same_figures(on: Deployment) {
    let site = on.start();
    let mut cache = site.connect().await;
    cache.set(item("k", "v")).await.unwrap();
    cache.get(key("k")).await.unwrap();
    cache.get(key("absent")).await.unwrap();
    for path in ["/health", "/ready"] {
        let response = site.http(path).await;
        assert_eq!(response.status, 200);
        assert_json_type(&response);
        let body = response.json();
        assert_eq!(body["status"], "healthy");
        assert_eq!(body["cache_size"], 1);
        assert_eq!(body["cache_hits"], 1);
        assert_eq!(body["cache_misses"], 1);
        assert_eq!(body["active_requests"], 0);
        assert_times(&body);
    }
}

async fn live_tells_that_the_process_lives(on: Deployment) {
    let site = on.start();
    let response = site.http("/live").await;
    assert_eq!(response.status, 200);
    assert_json_type(&response);
    let body = response.json();
    assert_eq!(body["status"], "alive");
    assert_times(&body);
}

async fn stats_has_every_field_of_the_rpc(on: Deployment) {
    let site = on.start_with(&[("CACHE_MAX_MEMORY_MB", "7"), ("CACHE_MAX_ITEMS", "100")]);
    let mut cache = site.connect().await;
    cache.set(item("k", vec![0; 300_000])).await.unwrap();
    cache.get(key("k")).await.unwrap();
    cache.get(key("absent")).await.unwrap();
    let rpc = cache.stats(Empty {}).await.unwrap();

    let response = site.http("/stats").await;
    assert_eq!(response.status, 200);
    assert_json_type(&response);
    let body = response.json();
    let same = [
        ("size", json!(rpc.size)),
        ("hits", json!(rpc.hits)),
        ("misses", json!(rpc.misses)),
        ("evictions", json!(rpc.evictions)),
        ("hit_rate", json!(rpc.hit_rate)),
        ("memory_usage_bytes", json!(rpc.memory_usage_bytes)),
        ("max_memory_bytes", json!(rpc.max_memory_bytes)),
        ("max_items", json!(rpc.max_items)),
        ("max_value_bytes", json!(rpc.max_value_bytes)),
        ("lru_evictions", json!(rpc.lru_evictions)),
        ("expired_removals", json!(rpc.expired_removals)),
        ("rejected_oversize", json!(rpc.rejected_oversize)),
        ("rejected_capacity", json!(rpc.rejected_capacity)),
        ("active_requests", json!(0)),
    ];
    for (name, value) in same {
        assert_eq!(body[name], value, "{name}");
    }
    assert_eq!(body["max_memory_mb"].as_f64(), Some(7.0));
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let used = rpc.memory_usage_bytes as f64 / f64::from(1 << 20);
    let told = body["memory_usage_mb"].as_f64().unwrap();
    assert!((told - used).abs() <= 0.005_001, "{told} for {used}");
    assert!(((told * 100.0).round() / 100.0 - told).abs() < 1e-9);
    assert_times(&body);
}

async fn the_root_lists_the_endpoints(on: Deployment) {
    let site = on.start();
    let response = site.http("/").await;
    assert_eq!(response.status, 200);
    assert_json_type(&response);
    let body = response.json();
    assert_eq!(body["service"], "tiny-cache");
    assert_eq!(body["grpc_port"], site.grpc_addr().port());
    let endpoints = body["endpoints"].as_array().unwrap();
    for path in ["/health", "/ready", "/live", "/stats", "/namespaces", "/metrics"] {
        assert!(endpoints.contains(&json!(path)), "{endpoints:?}");
    }
}

/// `curl` left the prompt of the shell behind the last brace.
async fn every_body_of_text_ends_with_one_line_end(on: Deployment) {
    let site = on.start();
    let mut http = Http::connect(site.http_addr()).await.unwrap();
    for path in [
        "/",
        "/health",
        "/ready",
        "/live",
        "/stats",
        "/namespaces",
        "/metrics",
        "/log-level",
        "/absent",
    ] {
        for (method, formats) in [
            ("GET", &["text/plain", "application/openmetrics-text"][..]),
            ("POST", &["*/*"]),
            ("PUT", &["*/*"]),
        ] {
            for format in formats {
                let response = http.send(method, path, &[("accept", format)]).await.unwrap();
                let body = &response.body;
                let ends = body.ends_with('\n') && !body.ends_with("\n\n");
                assert!(ends, "{method} {path}: {body:?}");
            }
        }
    }
}

async fn anything_else_is_not_found(on: Deployment) {
    let site = on.start();
    let mut http = Http::connect(site.http_addr()).await.unwrap();
    for (method, path) in [
        ("GET", "/absent"),
        ("GET", "/health/"),
        ("GET", "/Health"),
        ("GET", "/metrics/x"),
        ("POST", "/health"),
        ("DELETE", "/stats"),
    ] {
        let response = http.send(method, path, &[]).await.unwrap();
        assert_eq!(response.status, 404, "{method} {path}");
    }
}

const COUNTERS: [&str; 7] = [
    "hits_total",
    "misses_total",
    "evictions_total",
    "lru_evictions_total",
    "expired_removals_total",
    "rejected_oversize_total",
    "rejected_capacity_total",
];

const GAUGES: [&str; 9] = [
    "entries",
    "memory_usage_bytes",
    "capacity_max_items",
    "capacity_max_memory_bytes",
    "capacity_max_value_bytes",
    "capacity_item_saturation_ratio",
    "capacity_memory_saturation_ratio",
    "active_requests",
    "uptime_seconds",
];

async fn metrics_carry_the_names_that_dashboards_use(on: Deployment) {
    let site = on.start();
    let response = site.http("/metrics").await;
    assert_eq!(response.status, 200);
    let kind = response.header("content-type").unwrap();
    assert!(
        kind.starts_with("text/plain") || kind.starts_with("application/openmetrics-text"),
        "{kind}"
    );
    let names = COUNTERS.map(|name| (name, "counter"));
    for (name, kind) in names.into_iter().chain(GAUGES.map(|name| (name, "gauge"))) {
        let name = format!("tiny_cache_{name}");
        assert!(sample(&response.body, &name).is_some(), "{name}");
        // OpenMetrics names a counter's family without its suffix.
        let families = [name.as_str(), name.trim_end_matches("_total")];
        assert!(
            families
                .iter()
                .any(|family| response.body.contains(&format!("# TYPE {family} {kind}\n"))),
            "{name} is not declared a {kind}"
        );
    }
}

async fn metrics_follow_what_happens(on: Deployment) {
    let site = on.start_with(&[
        ("CACHE_MAX_MEMORY_MB", "2"),
        ("CACHE_MAX_ITEMS", "1000"),
        ("CACHE_MAX_VALUE_BYTES", "500000"),
    ]);
    let mut cache = site.connect().await;
    for n in 0..10 {
        cache.set(item(format!("k{n}"), "v")).await.unwrap();
        cache.get(key(format!("k{n}"))).await.unwrap();
    }
    cache.get(key("absent")).await.unwrap();
    cache.set(item("k", vec![0; 500_001])).await.unwrap_err();
    let rpc = cache.stats(Empty {}).await.unwrap();

    let metrics = site.http("/metrics").await.body;
    let value = |name: &str| sample(&metrics, &format!("tiny_cache_{name}")).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let used = rpc.memory_usage_bytes as f64;
    for (name, expected) in [
        ("hits_total", 10.0),
        ("misses_total", 1.0),
        ("evictions_total", 0.0),
        ("rejected_oversize_total", 1.0),
        ("rejected_capacity_total", 0.0),
        ("entries", 10.0),
        ("memory_usage_bytes", used),
        ("capacity_max_items", 1000.0),
        ("capacity_max_memory_bytes", 2_097_152.0),
        ("capacity_max_value_bytes", 500_000.0),
        ("capacity_item_saturation_ratio", 0.01),
        ("capacity_memory_saturation_ratio", used / 2_097_152.0),
        ("active_requests", 0.0),
    ] {
        assert!((value(name) - expected).abs() < 1e-9, "{name}");
    }
    assert!(value("uptime_seconds") >= 0.0);
}

async fn a_connection_is_kept(on: Deployment) {
    let site = on.start();
    let mut http = Http::connect(site.http_addr()).await.unwrap();
    for _ in 0..10 {
        assert_eq!(http.get("/health").await.unwrap().status, 200);
        assert_eq!(http.get("/absent").await.unwrap().status, 404);
    }
}

fn assert_json_type(response: &crate::support::http::Response) {
    let kind = response.header("content-type").unwrap();
    assert!(kind.starts_with("application/json"), "{kind}");
}

/// `uptime_seconds` counts from the start, `timestamp` is the wall clock with
/// its fraction.
fn assert_times(body: &Value) {
    let uptime = body["uptime_seconds"].as_f64().unwrap();
    assert!((0.0..600.0).contains(&uptime), "{uptime}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let told = body["timestamp"].as_f64().unwrap();
    assert!((now.as_secs_f64() - told).abs() < 60.0, "{told}");
    assert!(body["timestamp"].is_f64(), "{told}");
}

/// A probe waited while 1,024 connections were held open by a peer that asked for nothing.
#[test]
fn a_probe_is_answered_while_every_place_is_taken() {
    // Both ends of each connection are in this process.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    run(async {
        let site = Deployment::OneWorkerOneShard.start();
        let mut held = Vec::new();
        for _ in 0..1_024 {
            held.push(TcpStream::connect(site.http_addr()).await.unwrap());
        }
        // An idle connection is closed after 5 s in any case.
        for _ in 0..3 {
            let ready = timeout(Duration::from_secs(3), site.http("/ready")).await;
            assert_eq!(ready.expect("a probe's answer").status, 200);
        }
    });
}
