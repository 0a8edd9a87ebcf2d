//! A request's body: gRPC's frames, compression, and the messages of the contract.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| tiny_cache_server::fuzzing::request(data));
