//! Settings that another setting makes void, and that do no harm: bounds that cannot be reached,
//! and a permission that nobody can use. They are warned about, so that a deployment that has
//! worked goes on to start.

use std::{net::IpAddr, time::Duration};

use crate::store::{ENTRY_OVERHEAD_BYTES, LONGEST_PAUSE};

use super::{Settings, variables::Raw};

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
    let variable = "CACHE_CLEANUP_INTERVAL";
    let asked = &raw.cache_cleanup_interval;
    let usual = *asked == Raw::default().cache_cleanup_interval;
    (raw.is_set(variable) && !usual && interval > LONGEST_PAUSE).then(|| {
        format!(
            "{variable}={asked} has no effect: sweeps run every {} s at the latest; lower it, or \
             unset it",
            LONGEST_PAUSE.as_secs_f64()
        )
    })
}

/// A connection stays with one worker.
fn workers_without_connections(raw: &Raw, settings: &Settings) -> Option<String> {
    let (workers, connections) = (settings.workers.get(), settings.max_connections);
    (raw.is_set("CACHE_WORKERS") && workers > connections).then(|| {
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
