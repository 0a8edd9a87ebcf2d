//! The JSON pages. Field names and their order are the wire contract's.

use serde::Serialize;

use crate::monitor::Monitor;

const MIB: f64 = 1_048_576.0;

/// What `/` lists: every path that is served. Peers on other hosts are refused at the last,
/// which is not served where the log belongs to a program around this library.
const PATHS: [&str; 7] =
    ["/", "/health", "/ready", "/live", "/stats", "/metrics", super::log_level::PATH];

#[derive(Serialize)]
pub(super) struct Healthy {
    status: &'static str,
    uptime_seconds: f64,
    cache_size: u64,
    cache_hits: u64,
    cache_misses: u64,
    active_requests: u64,
    timestamp: f64,
}

#[derive(Serialize)]
pub(super) struct Unavailable {
    status: &'static str,
    message: &'static str,
}

/// `/health` and `/ready`.
pub(super) fn health(monitor: &Monitor) -> Result<Healthy, Unavailable> {
    if !monitor.ready() {
        return Err(Unavailable { status: "error", message: "Service unavailable" });
    }
    let stats = monitor.store();
    Ok(Healthy {
        status: "healthy",
        uptime_seconds: monitor.uptime(),
        cache_size: stats.entries,
        cache_hits: stats.hits,
        cache_misses: stats.misses,
        active_requests: monitor.active_requests(),
        timestamp: monitor.timestamp(),
    })
}

#[derive(Serialize)]
pub(super) struct Live {
    status: &'static str,
    uptime_seconds: f64,
    timestamp: f64,
}

/// `/live`.
pub(super) fn live(monitor: &Monitor) -> Live {
    Live { status: "alive", uptime_seconds: monitor.uptime(), timestamp: monitor.timestamp() }
}

#[derive(Serialize)]
pub(super) struct Stats {
    size: u64,
    hits: u64,
    misses: u64,
    evictions: u64,
    hit_rate: f64,
    memory_usage_bytes: u64,
    max_memory_bytes: u64,
    max_items: u64,
    max_value_bytes: u64,
    lru_evictions: u64,
    expired_removals: u64,
    rejected_oversize: u64,
    rejected_capacity: u64,
    memory_usage_mb: f64,
    max_memory_mb: f64,
    uptime_seconds: f64,
    active_requests: u64,
    timestamp: f64,
}

/// `/stats`.
pub(super) fn stats(monitor: &Monitor) -> Stats {
    let stats = monitor.store();
    Stats {
        size: stats.entries,
        hits: stats.hits,
        misses: stats.misses,
        evictions: stats.evictions(),
        hit_rate: stats.hit_rate(),
        memory_usage_bytes: stats.memory_bytes,
        max_memory_bytes: stats.max_memory_bytes,
        max_items: stats.max_items,
        max_value_bytes: stats.max_value_bytes,
        lru_evictions: stats.lru_evictions,
        expired_removals: stats.expired_removals,
        rejected_oversize: stats.rejected_oversize,
        rejected_capacity: stats.rejected_capacity,
        memory_usage_mb: two_decimals(stats.memory_bytes as f64 / MIB),
        max_memory_mb: two_decimals(stats.max_memory_bytes as f64 / MIB),
        uptime_seconds: monitor.uptime(),
        active_requests: monitor.active_requests(),
        timestamp: monitor.timestamp(),
    }
}

#[derive(Serialize)]
pub(super) struct Index {
    service: &'static str,
    endpoints: &'static [&'static str],
    grpc_port: u16,
}

/// `/`.
pub(super) fn index(monitor: &Monitor, has_log_level: bool) -> Index {
    let served = if has_log_level { PATHS.len() } else { PATHS.len() - 1 };
    Index { service: "tiny-cache", endpoints: &PATHS[..served], grpc_port: monitor.grpc_port() }
}

/// Whatever is not answered with what was asked for.
#[derive(Serialize)]
pub(super) struct Problem<'a> {
    pub(super) status: &'static str,
    pub(super) message: &'a str,
}

/// Every other path.
pub(super) const NOT_FOUND: Problem<'_> = Problem { status: "error", message: "Not found" };

fn two_decimals(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
