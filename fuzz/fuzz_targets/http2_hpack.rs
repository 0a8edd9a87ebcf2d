//! Any header blocks, decoded with one table. Each begins with a byte that holds its length.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tiny_cache_http2::surface;

fuzz_target!(|data: &[u8]| surface::hpack(data));
