//! Checks of the real binary that take minutes and print their figures. They
//! are ignored in a normal run, and mean something in a release build only:
//!
//! ```text
//! cargo test --release -p tiny-cache-server --test slow -- --ignored --nocapture --test-threads 1
//! ```
#![expect(clippy::unwrap_used, reason = "a test says what it expects by unwrapping it")]

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod connections;
mod expiry;
mod memory;
