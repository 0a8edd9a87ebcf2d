//! Warns about settings that another setting makes void and that do no harm: bounds that cannot
//! be reached, and a permission that nobody can use. A refusal would stop deployments that work.

use std::{net::IpAddr, time::Duration};

use crate::store::{ENTRY_OVERHEAD_BYTES, LONGEST_PAUSE};

use super::{values::Settings, variables::Raw};

/// A line for each that was set and has no effect.
pub(super) fn warnings(raw: &Raw, settings: &Settings) -> Vec<String> {
    let found = [
        items_beyond_memory(settings),
        rare_sweeps(raw, settings.cleanup_interval),
        workers_without_connections(raw, settings),
        log_level_without_remote_peers(settings),
    ];
    found.into_iter().flatten().collect()
}

/// The shortest key and an empty value.
const SMALLEST_ENTRY: u64 = 2 + ENTRY_OVERHEAD_BYTES as u64;

fn items_beyond_memory(settings: &Settings) -> Option<String> {
    let items = settings.limits.max_items?.get() as u64;
    let most = settings.limits.max_bytes / SMALLEST_ENTRY;
    (items > most).then(|| {
        format!(
            "CACHE_MAX_ITEMS={items} has no effect: {most} of the smallest entries fill \
             CACHE_MAX_MEMORY_MB; raise that, or lower this"
        )
    })
}

/// The default is the contract's, and every old deployment may have it set.
fn rare_sweeps(raw: &Raw, interval: Duration) -> Option<String> {
    let given = raw.cache_cleanup_interval();
    let usual = given.value == Raw::default().cache_cleanup_interval().value;
    (raw.is_set(given) && !usual && interval > LONGEST_PAUSE).then(|| {
        format!(
            "{}={} has no effect: sweeps run every {} s at the latest; lower it, or unset it",
            given.variable,
            given.value,
            LONGEST_PAUSE.as_secs_f64()
        )
    })
}

/// A connection stays with one worker.
fn workers_without_connections(raw: &Raw, settings: &Settings) -> Option<String> {
    let (workers, connections) = (settings.workers.get(), settings.max_connections);
    (raw.is_set(raw.cache_workers()) && workers > connections).then(|| {
        format!(
            "CACHE_WORKERS={workers} has no effect beyond {connections}: a connection stays with \
             one worker, and CACHE_MAX_CONNECTIONS is {connections}"
        )
    })
}

fn log_level_without_remote_peers(settings: &Settings) -> Option<String> {
    let host = settings.health_host.trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    (settings.log_level_remote && loopback).then(|| {
        format!(
            "CACHE_LOG_LEVEL_REMOTE has no effect: peers on other hosts cannot reach \
             CACHE_HEALTH_HOST={}; set that to 0.0.0.0, or unset this",
            settings.health_host
        )
    })
}
