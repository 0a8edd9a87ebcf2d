//! A connection receives any bytes, in pieces of a size that the first byte chooses.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tiny_cache_http2::surface;

fuzz_target!(|data: &[u8]| {
    if let Some((piece, bytes)) = data.split_first() {
        surface::connection(bytes, usize::from(*piece));
    }
});
