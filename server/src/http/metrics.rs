//! The metrics, each declared once with its help. They are read when they are scraped.

#[cfg(target_os = "linux")]
mod process;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::Full;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use crate::monitor::Monitor;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The registry of everything that `/metrics` shows.
pub(super) struct Metrics(Registry);

impl Metrics {
    pub(super) fn of(monitor: Arc<Monitor>) -> Self {
        let mut registry = Registry::default();
        registry
            .sub_registry_with_prefix("tiny_cache")
            .register_collector(Box::new(Figures(monitor)));
        #[cfg(target_os = "linux")]
        registry.register_collector(Box::new(process::ProcessFigures::new()));
        Self(registry)
    }

    /// The text in the format that the scraper prefers.
    pub(super) fn respond(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let mut text = String::with_capacity(8 << 10);
        encode(&mut text, &self.0).expect("a String takes all that is written to it");
        let wants = |kind| quality(headers, kind);
        let wants_openmetrics = wants("application/openmetrics-text") > wants("text/plain");
        if wants_openmetrics {
            super::text(StatusCode::OK, OPENMETRICS, text.into_bytes())
        } else {
            super::text(StatusCode::OK, PROMETHEUS, classic(&text).into_bytes())
        }
    }
}

/// How much the scraper wants a media type, from 0, not at all, to 1 (RFC 9110, 12.5.1).
/// Wildcards do not matter here: without a wish of its own a scraper gets the classic text.
fn quality(headers: &HeaderMap, kind: &str) -> f32 {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let qualities = accepts.flat_map(|accept| accept.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next().filter(|name| name.eq_ignore_ascii_case(kind))?;
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        weight.map_or(Some(1.0), |weight| weight.parse().ok())
    });
    qualities.fold(0.0, f32::max)
}

/// Rewrites OpenMetrics text as Prometheus text 0.0.4, which prometheus-client does not
/// write: there a counter is declared under the name of its sample, `_total` included, and
/// there is no end marker.
fn classic(openmetrics: &str) -> String {
    let counters: Vec<&str> = openmetrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(openmetrics.len() + 8 * counters.len());
    for line in openmetrics.lines().filter(|line| *line != "# EOF") {
        let declared = ["# HELP ", "# TYPE "].iter().find_map(|start| {
            let (name, rest) = line.strip_prefix(start)?.split_once(' ')?;
            counters.contains(&name).then(|| format!("{start}{name}_total {rest}"))
        });
        text.push_str(declared.as_deref().unwrap_or(line));
        text.push('\n');
    }
    text
}

/// Reads the monitor at each scrape.
struct Figures(Arc<Monitor>);

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let monitor = &*self.0;
        let stats = monitor.store();
        let connections = monitor.connections();

        let counters = [
            ("hits", "Reads that found a live entry", stats.hits),
            ("misses", "Reads that found none", stats.misses),
            ("evictions", "Entries removed to stay within the limits", stats.evictions()),
            (
                "lru_evictions",
                "Entries that had been let in and were pushed out to stay within the limits",
                stats.lru_evictions,
            ),
            (
                "admission_rejections",
                "New entries that TinyLFU turned away from a full cache",
                stats.admission_rejections,
            ),
            ("expired_removals", "Entries removed after their deadline", stats.expired_removals),
            (
                "rejected_oversize",
                "Writes refused because the value was larger than CACHE_MAX_VALUE_BYTES",
                stats.rejected_oversize,
            ),
            (
                "rejected_capacity",
                "Writes refused because no room could be made",
                stats.rejected_capacity,
            ),
            ("connections_accepted", "gRPC connections accepted", connections.accepted()),
            (
                "connections_refused",
                "gRPC connections closed at once because CACHE_MAX_CONNECTIONS were open",
                connections.refused(),
            ),
        ];
        for (name, help, count) in counters {
            declare(&mut encoder, name, help, &ConstCounter::new(count))?;
        }

        let open: usize = connections.open().sum();
        let gauges = [
            ("entries", "Entries held", stats.entries as f64),
            (
                "memory_usage_bytes",
                "Memory of the entries held: keys, values and overhead",
                stats.memory_bytes as f64,
            ),
            ("capacity_max_items", "Most entries; 0: no limit", stats.max_items as f64),
            ("capacity_max_memory_bytes", "Most memory for entries", stats.max_memory_bytes as f64),
            ("capacity_max_value_bytes", "Largest value", stats.max_value_bytes as f64),
            (
                "capacity_item_saturation_ratio",
                "Entries held of the most allowed, 0 to 1; 0 without a limit",
                ratio(stats.entries, stats.max_items),
            ),
            (
                "capacity_memory_saturation_ratio",
                "Memory used of the most allowed, 0 to 1",
                ratio(stats.memory_bytes, stats.max_memory_bytes),
            ),
            (
                "active_requests",
                "RPCs taken and not yet answered",
                monitor.active_requests() as f64,
            ),
            ("connections_open", "Open gRPC connections", open as f64),
            ("uptime_seconds", "Time since the start", monitor.uptime()),
        ];
        for (name, help, value) in gauges {
            declare(&mut encoder, name, help, &ConstGauge::new(value))?;
        }
        Ok(())
    }
}

fn declare(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_the_scraper_wants_more() {
        const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;q=0.5,\
                                    text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, openmetrics) in [
            (PROMETHEUS_3, true),
            ("application/openmetrics-text", true),
            ("text/plain;q=1, application/openmetrics-text;q=0.1", false),
            ("application/openmetrics-text;q=0", false),
            ("*/*", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            let wants = |kind| quality(&headers, kind);
            assert_eq!(
                wants("application/openmetrics-text") > wants("text/plain"),
                openmetrics,
                "{accept}"
            );
        }
    }

    #[test]
    fn a_counter_is_declared_under_its_samples_name_in_the_classic_format() {
        let openmetrics = "# HELP a_hits Reads .\n# TYPE a_hits counter\na_hits_total 5\n\
                           # HELP a_size Size.\n# TYPE a_size gauge\na_size 7\n# EOF\n";
        assert_eq!(
            classic(openmetrics),
            "# HELP a_hits_total Reads .\n# TYPE a_hits_total counter\na_hits_total 5\n\
             # HELP a_size Size.\n# TYPE a_size gauge\na_size 7\n"
        );
    }
}
