//! Connections and the workers that own them, and the server as a whole.

use crate::{
    http::metrics::family::{Family, Samples, families},
    monitor::Monitor,
    rpc::Meter,
    transport::Fault,
};

/// What this program was built from, where the build says so.
const REVISION: Option<&str> = option_env!("TINY_CACHE_REVISION");

pub(super) fn families(monitor: &Monitor) -> Vec<Family> {
    let (connections, meters) = (&monitor.parts.handout, &monitor.parts.meters);
    let faults = Fault::ALL.map(|fault| (fault.name(), monitor.parts.faults.of(fault)));
    let of_each = connections.open().map(|open| open as u64);
    let build = vec![
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("revision", REVISION.unwrap_or("unknown").into()),
    ];
    families! {
        Gauge "tiny_cache_connections_open" = connections.open().sum::<usize>() as u64;
            "Open gRPC connections"
        Counter "tiny_cache_connections_accepted_total" = connections.accepted();
            "gRPC connections accepted"
        Counter "tiny_cache_connections_refused_total" = connections.refused();
            "gRPC connections closed at once because CACHE_MAX_CONNECTIONS were open, or because the last file descriptors are kept for the HTTP port"
        Counter "tiny_cache_connection_errors_total" = Samples::by("kind", faults);
            "gRPC connections that ended by an error, not because the peer went away, and requests that HTTP/2 refused before any service saw them"
        Counter "tiny_cache_connections_retired_total" =
            Samples::by("reason", monitor.parts.retirements.by_reason());
            "gRPC connections that the server ended by CACHE_MAX_CONNECTION_AGE_SECONDS or CACHE_MAX_CONNECTION_IDLE_SECONDS, and those of them whose last calls were cut off after their grace"
        Gauge "tiny_cache_workers" = meters.len() as u64;
            "Threads that serve connections"
        Counter "tiny_cache_worker_busy_seconds_total" =
            Samples::numbered("worker", monitor.busy().map(|busy| busy.as_secs_f64()));
            "Time that each worker was at work"
        Gauge "tiny_cache_worker_connections_open" = Samples::numbered("worker", of_each);
            "Open gRPC connections of each worker"
        Gauge "tiny_cache_worker_active_requests" =
            Samples::numbered("worker", meters.iter().map(Meter::active));
            "RPCs that each worker has taken and not yet answered"
        Gauge "tiny_cache_uptime_seconds" = monitor.uptime();
            "Time since the start"
        Info "tiny_cache_build_info" = Samples::new([(build, 1_u64)]);
            "What is running"
    }
}
