//! A reply as the client reads it: status, text and message.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| tiny_cache_client::transport::fuzzing::client_reply(data));
