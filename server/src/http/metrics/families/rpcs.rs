//! Requests by method and status, under the names of OpenTelemetry's conventions
//! (<https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/>) as Prometheus spells them.

use crate::{
    histogram::Snapshot,
    http::metrics::family::{Family, Label, Samples},
    monitor::Monitor,
    rpc::{Meter, Method},
};

const SYSTEM: Label = ("rpc_system_name", std::borrow::Cow::Borrowed("grpc"));

pub(super) fn families(monitor: &Monitor) -> [Family; 5] {
    let meters = monitor.meters();
    let durations = Meter::durations(meters).into_iter().map(|(method, code, snapshot)| {
        let code = ("rpc_response_status_code", code.into());
        (vec![SYSTEM, named(method), code], snapshot)
    });
    [
        Family::histogram(
            "rpc_server_call_duration_seconds",
            "Time from a request's headers to its reply's, or until its caller went away",
            Samples::new(durations),
        ),
        Family::histogram(
            "rpc_server_request_size_bytes",
            "Size of the requests' messages, uncompressed",
            by_method(Meter::request_sizes(meters)),
        ),
        Family::histogram(
            "rpc_server_response_size_bytes",
            "Size of the replies' messages, uncompressed",
            by_method(Meter::reply_sizes(meters)),
        ),
        Family::gauge(
            "tiny_cache_active_requests",
            "RPCs taken and not yet answered",
            monitor.active_requests(),
        ),
        Family::counter(
            "tiny_cache_http2_resets_total",
            "Requests that the caller reset, or lost with its connection, before the reply",
            meters.iter().map(Meter::resets).sum::<u64>(),
        ),
    ]
}

fn by_method(sizes: Vec<(Method, Snapshot)>) -> Samples {
    let samples = sizes.into_iter();
    Samples::new(samples.map(|(method, snapshot)| (vec![SYSTEM, named(method)], snapshot)))
}

fn named(method: Method) -> Label {
    ("rpc_method", method.name().into())
}
