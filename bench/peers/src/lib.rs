//! Measures tiny-cache beside other caches and gRPC servers, on the same work.
//!
//! `docs/bench-peers.md` describes the method and the output.

// What is measured, in the order in which it is decided.
pub mod work;
pub mod draws;
pub mod peer;
mod credential;

// A server: found, started on a core of its own, read and ended.
pub mod server;

// What goes to it and comes back, and when.
pub mod protocol;
pub mod load;

// Figures of rounds, and what is made of them.
pub mod statistics;
pub mod measure;
pub mod results;
pub mod report;
pub mod progress;

pub mod cli;
pub mod echo;
