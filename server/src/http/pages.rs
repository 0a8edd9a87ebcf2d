//! The JSON pages. Field names and their order are the wire contract's.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::{
    lifecycle::{Part, Phase},
    monitor::Monitor,
    store::NamespaceStats,
};

const MIB: f64 = 1_048_576.0;

/// What `/` lists: every path that is served. The last one refuses peers on other hosts, and is
/// not served where the log belongs to a program around this library.
const PATHS: [&str; 8] =
    ["/", "/health", "/ready", "/live", "/stats", "/namespaces", "/metrics", LOG_LEVEL];

/// The path of the log's level.
pub(super) const LOG_LEVEL: &str = "/log-level";

/// The fields of a page, in their order.
pub(super) struct Page(Vec<(&'static str, Value)>);

impl Serialize for Page {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Why the server takes no calls. A drain after a stop has only the two fields that the contract
/// names.
fn unavailable(phase: Phase) -> Option<Page> {
    let Page(mut page) = problem("Service unavailable");
    match phase {
        Phase::Serving => return None,
        Phase::Starting(parts) => {
            page.push(("starting", parts.iter().map(Part::to_string).collect()));
        }
        Phase::WithoutTier => page.push(("backend", "unreachable".into())),
        Phase::Draining(None) => {}
        Phase::Draining(Some(lost)) => {
            page.push(("lost", json!({ "part": lost.part.to_string(), "reason": lost.reason })));
        }
    }
    Some(Page(page))
}

/// `/health` and `/ready`, or why the server takes no calls.
pub(super) fn health(monitor: &Monitor) -> Result<Page, Page> {
    if let Some(unavailable) = unavailable(monitor.parts.phase.borrow().clone()) {
        return Err(unavailable);
    }
    let stats = monitor.parts.store.stats();
    Ok(Page(vec![
        ("status", "healthy".into()),
        ("uptime_seconds", monitor.uptime().into()),
        ("cache_size", stats.entries.into()),
        ("cache_hits", stats.hits.into()),
        ("cache_misses", stats.misses.into()),
        ("active_requests", monitor.active_requests().into()),
        ("timestamp", Monitor::timestamp().into()),
    ]))
}

/// `/live`.
pub(super) fn live(monitor: &Monitor) -> Page {
    Page(vec![
        ("status", "alive".into()),
        ("uptime_seconds", monitor.uptime().into()),
        ("timestamp", Monitor::timestamp().into()),
    ])
}

/// `/stats`.
pub(super) fn stats(monitor: &Monitor) -> Page {
    let stats = monitor.parts.store.stats();
    Page(vec![
        ("size", stats.entries.into()),
        ("hits", stats.hits.into()),
        ("misses", stats.misses.into()),
        ("evictions", stats.evictions().into()),
        ("hit_rate", stats.hit_rate().into()),
        ("memory_usage_bytes", stats.memory_bytes.into()),
        ("max_memory_bytes", stats.max_memory_bytes.into()),
        ("max_items", stats.max_items.into()),
        ("max_value_bytes", stats.max_value_bytes.into()),
        ("lru_evictions", stats.lru_evictions.into()),
        ("expired_removals", stats.expired_removals.into()),
        ("rejected_oversize", stats.rejected_oversize.into()),
        ("rejected_capacity", stats.rejected_capacity.into()),
        ("memory_usage_mb", two_decimals(stats.memory_bytes as f64 / MIB).into()),
        ("max_memory_mb", two_decimals(stats.max_memory_bytes as f64 / MIB).into()),
        ("uptime_seconds", monitor.uptime().into()),
        ("active_requests", monitor.active_requests().into()),
        ("timestamp", Monitor::timestamp().into()),
    ])
}

/// `/namespaces`: what each holds and may hold, in the order of their names.
pub(super) fn namespaces(monitor: &Monitor) -> Page {
    let mut namespaces = monitor.parts.store.detail().namespaces;
    namespaces.sort_by(|a, b| a.name.cmp(&b.name));
    Page(vec![
        ("namespaces", namespaces.iter().map(namespace).collect()),
        ("timestamp", Monitor::timestamp().into()),
    ])
}

fn namespace(of: &NamespaceStats) -> Value {
    let quota = of.quota.unwrap_or_default();
    let limits = quota.limits;
    json!({
        "namespace": of.name,
        "entries": of.entries,
        "memory_usage_bytes": of.memory_bytes,
        "hits": of.hits,
        "misses": of.misses,
        "writes": of.writes,
        "evictions": of.evictions,
        "refusals": of.refusals,
        "quota": {
            "max_bytes": limits.max_bytes,
            "max_entries": limits.max_entries,
            "requests_per_second": limits.rate.map(|rate| rate.per_second),
            "burst": limits.rate.map(|rate| rate.burst),
            "evictions": quota.evictions,
            "refused_requests": quota.refused_requests,
            "refused_entries": quota.refused_entries,
        },
    })
}

/// `/`.
pub(super) fn index(monitor: &Monitor, has_log_level: bool) -> Page {
    let served = if has_log_level { PATHS.len() } else { PATHS.len() - 1 };
    Page(vec![
        ("service", "tiny-cache".into()),
        ("endpoints", PATHS[..served].into()),
        ("grpc_port", monitor.parts.grpc_port.into()),
    ])
}

/// A refusal.
pub(super) fn problem(message: &str) -> Page {
    Page(vec![("status", "error".into()), ("message", message.into())])
}

fn two_decimals(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::Lost;

    #[test]
    fn a_refusal_names_the_parts_that_start_and_the_one_that_is_lost() {
        let lost = Lost { part: Part::Worker(3), reason: "it returned".to_owned() };
        for (phase, page) in [
            (
                Phase::Starting(vec![Part::Upkeep, Part::Http]),
                r#"{"status":"error","message":"Service unavailable","starting":["upkeep","http"]}"#,
            ),
            (
                Phase::WithoutTier,
                r#"{"status":"error","message":"Service unavailable","backend":"unreachable"}"#,
            ),
            (Phase::Draining(None), r#"{"status":"error","message":"Service unavailable"}"#),
            (
                Phase::Draining(Some(lost)),
                r#"{"status":"error","message":"Service unavailable","lost":{"part":"worker-3","reason":"it returned"}}"#,
            ),
        ] {
            let refusal = unavailable(phase).unwrap();
            assert_eq!(serde_json::to_string(&refusal).unwrap(), page);
        }
        assert!(unavailable(Phase::Serving).is_none());
    }
}
