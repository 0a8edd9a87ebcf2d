//! The spans that reach a collector: one for each RPC that is sampled, by the conventions,
//! and none that was not asked for. The collector is a receiver in this process.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

#[path = "../support/mod.rs"]
mod support;

mod configuration;
mod failures;
mod keys;
mod logs;
mod parents;
mod receiver;
mod shutdown;
mod spans;

use self::{receiver::Receiver, support::process::Process};

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
