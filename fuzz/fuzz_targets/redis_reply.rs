//! The replies of Redis, whole and in packets.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| tiny_cache_loadtest::peers::fuzzing::redis_reply(data));
