//! The binary against a real server in the process: every command, its output in both forms
//! and its exit codes.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod cache; // a server, and the binary run against it
mod link; // a way to the server that can be cut

mod values;
mod conditions;
mod second;
mod inside;
mod batches;
mod ring;
mod streams;
mod server;
mod tls;
mod tokens;
mod usage;
mod watch;
