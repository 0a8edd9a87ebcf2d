//! The replies of memcached, whole and in packets.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| tiny_cache_loadtest::peers::fuzzing::memcached_reply(data));
