//! A client that breaks no rule, and does what the input says: what it asks, sends, grants,
//! cancels and reads. The engine must not find fault with it, must stay within its windows, and
//! must answer every request in the end.

#![no_main]

#[path = "http2_client/owner.rs"]
mod owner;
#[path = "http2_client/model.rs"]
mod model;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| model::play(data));
