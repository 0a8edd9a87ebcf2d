//! Requests by method and status, under the names of OpenTelemetry's conventions
//! (<https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/>) as Prometheus spells them.

use crate::{
    call::Method,
    histogram::Snapshot,
    http::metrics::family::{Family, Label, Samples, families},
    monitor::Monitor,
    rpc::Meter,
};

const SYSTEM: Label = ("rpc_system_name", std::borrow::Cow::Borrowed("grpc"));

pub(super) fn families(monitor: &Monitor) -> Vec<Family> {
    let meters = &monitor.parts.meters;
    let durations = Meter::durations(meters).into_iter().map(|(method, code, snapshot)| {
        let code = ("rpc_response_status_code", code.into());
        (vec![SYSTEM, named(method), code], snapshot)
    });
    families! {
        Histogram "rpc_server_call_duration_seconds" = Samples::new(durations);
            "Time from a request's headers to its reply's, or until its caller went away"
        Histogram "rpc_server_request_size_bytes" = by_method(Meter::request_sizes(meters));
            "Size of the requests' messages, uncompressed"
        Histogram "rpc_server_response_size_bytes" = by_method(Meter::reply_sizes(meters));
            "Size of the replies' messages, uncompressed"
        Gauge "tiny_cache_active_requests" = monitor.active_requests();
            "RPCs taken and not yet answered"
        Counter "tiny_cache_overload_refused_total" = monitor.parts.overload.refused();
            "Calls that were refused because CACHE_MAX_IN_FLIGHT were taken and not yet answered"
        Counter "tiny_cache_http2_resets_total" = meters.iter().map(Meter::resets).sum::<u64>();
            "Requests that the caller reset, or lost with its connection, before the reply"
    }
}

fn by_method(sizes: Vec<(Method, Snapshot)>) -> Samples {
    let samples = sizes.into_iter();
    Samples::new(samples.map(|(method, snapshot)| (vec![SYSTEM, named(method)], snapshot)))
}

fn named(method: Method) -> Label {
    ("rpc_method", method.name().into())
}
