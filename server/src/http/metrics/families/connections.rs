//! Connections and the workers that own them, and the server as a whole.

use crate::{
    http::metrics::family::{Family, Samples},
    monitor::Monitor,
    rpc::Meter,
    transport::Fault,
};

/// What this program was built from, where the build says so.
const REVISION: Option<&str> = option_env!("TINY_CACHE_REVISION");

pub(super) fn families(monitor: &Monitor) -> Vec<Family> {
    let connections = monitor.connections();
    let faults = Fault::ALL.map(|fault| (fault.name(), monitor.faults().of(fault)));
    let mut families = vec![
        Family::gauge(
            "tiny_cache_connections_open",
            "Open gRPC connections",
            connections.open().sum::<usize>() as u64,
        ),
        Family::counter(
            "tiny_cache_connections_accepted_total",
            "gRPC connections accepted",
            connections.accepted(),
        ),
        Family::counter(
            "tiny_cache_connections_refused_total",
            "gRPC connections closed at once because CACHE_MAX_CONNECTIONS were open",
            connections.refused(),
        ),
        Family::counter(
            "tiny_cache_connection_errors_total",
            "gRPC connections that ended by an error, not because the peer went away, and requests \
             that HTTP/2 refused before any service saw them",
            Samples::by("kind", faults),
        ),
    ];
    families.extend(workers(monitor));
    families.extend([
        Family::gauge("tiny_cache_uptime_seconds", "Time since the start", monitor.uptime()),
        Family::info(
            "tiny_cache_build_info",
            "What is running",
            vec![
                ("version", env!("CARGO_PKG_VERSION").into()),
                ("revision", REVISION.unwrap_or("unknown").into()),
            ],
        ),
    ]);
    families
}

fn workers(monitor: &Monitor) -> [Family; 4] {
    let connections = monitor.connections().open().map(|open| open as u64);
    [
        Family::gauge(
            "tiny_cache_workers",
            "Threads that serve connections",
            monitor.meters().len() as u64,
        ),
        Family::counter(
            "tiny_cache_worker_busy_seconds_total",
            "Time that each worker was at work",
            Samples::numbered("worker", monitor.busy().map(|busy| busy.as_secs_f64())),
        ),
        Family::gauge(
            "tiny_cache_worker_connections_open",
            "Open gRPC connections of each worker",
            Samples::numbered("worker", connections),
        ),
        Family::gauge(
            "tiny_cache_worker_active_requests",
            "RPCs that each worker has taken and not yet answered",
            Samples::numbered("worker", monitor.meters().iter().map(Meter::active)),
        ),
    ]
}
