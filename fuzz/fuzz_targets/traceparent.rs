//! The caller's span, against the propagator of OpenTelemetry's SDK.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| tiny_cache_server::fuzzing::traceparent(data));
