//! The spans that reach a collector: one for each RPC that is sampled, by the conventions,
//! and none that was not asked for. The collector is a receiver in this process.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

#[path = "../support/mod.rs"]
mod support;

mod backend;
mod configuration;
mod connections;
mod failures;
mod keys;
mod link;
mod logs;
mod parents;
mod receiver;
mod repetition;
mod shutdown;
mod spans;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use self::{
    receiver::Receiver,
    support::{
        http::Http,
        messages::{Call, key},
        process::Process,
        wire::Wire,
    },
};

/// A server whose every request is sampled and exported at once.
fn traced(receiver: &Receiver, vars: &[(&str, &str)]) -> Process {
    let endpoint = receiver.endpoint();
    let mut all = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_on"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
    ];
    // What comes later wins.
    all.extend(vars);
    Process::start(&all)
}

/// The samples of `/metrics` that follow from what was asked, and not from the time it took or
/// from the process that answered.
async fn figures(server: &Process) -> BTreeMap<String, String> {
    let mut http = Http::connect(server.http_addr()).await.unwrap();
    let page = http.get("/metrics").await.unwrap().body;
    let of_the_moment = [
        "process_",
        "rpc_server_call_duration_seconds_sum",
        "rpc_server_call_duration_seconds_bucket",
        "tiny_cache_allocator_",
        "tiny_cache_maintenance_",
        "tiny_cache_uptime_",
        "tiny_cache_worker_busy_",
        "tiny_cache_write_stalls_",
    ];
    page.lines()
        .filter(|line| !line.starts_with('#'))
        .filter(|line| !of_the_moment.iter().any(|name| line.starts_with(name)))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.to_owned())
        })
        .collect()
}

/// Spans that were dropped for a reason.
async fn dropped(server: &Process, reason: &str) -> u64 {
    let series = format!("tiny_cache_spans_dropped_total{{reason=\"{reason}\"}}");
    figures(server).await[&series].parse().unwrap()
}

/// With this, only calls that ask for a span have one, and no sweep of the store does.
const ASKED: (&str, &str) = ("OTEL_TRACES_SAMPLER", "parentbased_always_off");

/// Gets a key that is not there, in a call that asks for a span.
async fn ask(wire: &mut Wire) {
    let context = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".as_slice();
    let call = Call::new("Get", &key("k"));
    wire.call(&call.path(), &[("traceparent", context)], &call.message).await.unwrap();
}

/// Waits until the server knows that the collector took this many spans.
async fn exported(server: &Process, spans: u64) {
    let spans = spans.to_string();
    until(async || figures(server).await["tiny_cache_spans_exported_total"] == spans).await;
}

/// Waits until spans of a batch were dropped, or the rest of a batch that was taken.
async fn export_failed(server: &Process) {
    until(async || dropped(server, "export_failed").await > 0).await;
}

async fn until(holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not come about");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
