//! Puts together what is known of each of several servers: what it got of the run, its own figures
//! and what it used.

use std::collections::BTreeMap;

use super::gauges::Used;
use crate::{
    peers::{BackendConnection, HostPort, ServerCount, ServerCounts},
    report::{Latency, ServerPart, ServerStats, ratio},
};

/// The servers of a ring at one time: name, address and figures.
pub(super) type Looked = Vec<(String, HostPort, Option<ServerStats>)>;

/// Asks each server for its figures.
pub(super) async fn look(figures: &BackendConnection) -> Looked {
    let Some(several) = figures.several() else { return Vec::new() };
    let stats = several.stats().await.into_iter();
    stats
        .map(|(server, stats)| {
            let address = server.address();
            let host = address.host().trim_matches(['[', ']']).to_owned();
            let place = HostPort { host, port: address.port() };
            (server.name().to_owned(), place, stats.map(ServerStats::from))
        })
        .collect()
}

/// The figures of all servers that gave some.
pub(super) fn total(servers: &Looked) -> Option<ServerStats> {
    let stats = servers.iter().filter_map(|(_, _, stats)| stats.clone());
    stats.reduce(ServerStats::and)
}

/// The report's part of each server, in the order of names.
pub(super) fn parts(
    counts: &ServerCounts,
    before: Looked,
    after: Looked,
    used: Vec<(String, Used)>,
) -> Vec<ServerPart> {
    let mut parts = BTreeMap::<String, ServerPart>::new();
    let named = |name: &str| ServerPart { name: name.to_owned(), ..ServerPart::default() };
    for (name, count) in counts.all() {
        let part = parts.entry(name.to_string()).or_insert_with(|| named(&name));
        let ServerCount { requests, failed, hits, misses, service } = count;
        (part.requests, part.failed, part.hits, part.misses) = (requests, failed, hits, misses);
        part.hit_ratio = ratio(hits, hits + misses);
        part.service_us = Latency::of(&service);
    }
    for (is_after, looked) in [(false, before), (true, after)] {
        for (name, address, stats) in looked {
            let part = parts.entry(name.clone()).or_insert_with(|| named(&name));
            part.address = Some(address.to_string());
            *if is_after { &mut part.after } else { &mut part.before } = stats;
        }
    }
    for (name, used) in used {
        let part = parts.entry(name.clone()).or_insert_with(|| named(&name));
        match used {
            Ok(usage) => part.usage = Some(usage),
            Err(why) => part.usage_unknown = Some(why),
        }
    }
    parts.into_values().collect()
}
